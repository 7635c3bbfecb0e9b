// The control socket's path, held so that one daemon has it at a time.
#pragma once

#include <string>
#include <vector>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

/// Where a daemon of that name puts its socket and ctl looks for it, in order: `configured` alone if it is not empty;
/// else $PLIMSOLL_SOCKET alone if set; else /run/plimsoll/NAME.sock and /tmp/plimsoll-UID/NAME.sock.
std::vector<std::string> socket_candidates(const std::string& configured, const std::string& name);

/// A bound, listening Unix stream socket, non-blocking, with the lock that says whose it is (flock on PATH.lock). The
/// path is unlinked at the end.
class ListeningSocket {
 public:
  /// Makes the folder (/tmp/plimsoll-UID with 0700, any other with 0755), takes the lock, replaces a stale socket,
  /// listens with mode 0666. EADDRINUSE: another daemon holds it. EEXIST: something that is no socket is in the way.
  /// EPERM: the folder or the lock is another user's (root's folder will do), or /tmp/plimsoll-UID can be written by
  /// others. ENAMETOOLONG: 107 bytes is all a socket can have.
  static Result<ListeningSocket> open(const std::string& path);
  ListeningSocket(ListeningSocket&&) noexcept = default;
  /// Gives up what it held before, path included.
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ~ListeningSocket();

  [[nodiscard]] int fd() const { return socket_.get(); }
  /// Gives the listening descriptor away (to Asio); the path and the lock stay ours.
  [[nodiscard]] int release_fd() { return socket_.release(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ListeningSocket(std::string path, Fd socket, Fd lock);
  std::string path_;
  Fd socket_;
  Fd lock_;
};

}  // namespace plimsoll::sys

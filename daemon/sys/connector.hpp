// The process connector: the kernel tells of each fork, exec, setsid and exit of the machine as it happens, over a
// netlink socket (NETLINK_CONNECTOR, group CN_IDX_PROC; linux/cn_proc.h, connector(7) in the kernel's Documentation).
// It tells who forked whom, which nobody can read later from /proc when the forker is dead by then.
//
// What it tells are hints. An exit is told for a process that lives on when another of its threads than the first calls
// exec, and messages are lost when the socket's buffer is full (`lost`). It works in the initial pid and user namespace
// only, where else it is silent or refused (ECONNREFUSED in another network namespace, EPERM without the right), and
// only a fork of one's own that comes back with the right pids proves that it does.
//
// A filter in the kernel (classic BPF) keeps from us what is not needed: threads, and what a process does with its ids.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/pidfd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

/// The kernel's answer to a subscription; everybody who listens gets it.
struct Subscribed {
  int error = 0;  ///< errno
};
/// A process, not a thread. Told before the child runs for the first time.
struct Forked {
  pid_t parent_thread = 0;  ///< the thread that called fork
  pid_t parent = 0;         ///< its process
  pid_t child = 0;
};
struct Execed {
  pid_t process = 0;
};
struct SessionMade {
  pid_t process = 0;
};
/// Of the first thread: a hint that the process has ended.
struct Exited {
  pid_t process = 0;
  WaitStatus status;
};

struct ProcessNews {
  std::uint64_t at = 0;  ///< CLOCK_MONOTONIC, nanoseconds
  std::variant<Subscribed, Forked, Execed, SessionMade, Exited> what;
};

/// One datagram of the connector; nothing if it is cut off, of another connector, or tells of something else.
std::optional<ProcessNews> parse_process_news(std::string_view datagram);

class Connector {
 public:
  /// Opened and asked for; whether it works is seen by what comes.
  static Result<Connector> open();
  /// Over a socket that keeps the bounds of datagrams and does not block: for tests.
  explicit Connector(Fd socket) : socket_(std::move(socket)) {}

  struct News {
    std::vector<ProcessNews> events;
    bool lost = false;  ///< the buffer was full: some did not come
    bool more = false;  ///< as many as were asked for; there may be others
  };
  /// What has come, at most about `most`. An error means that the socket is of no use any more.
  Result<News> take(std::size_t most);
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  Fd socket_;
};

/// A child of our own that ends at once, and is reaped: for the connector to tell of. Its pid.
Result<pid_t> fork_and_reap();

}  // namespace plimsoll::sys

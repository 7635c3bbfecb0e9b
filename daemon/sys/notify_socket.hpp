// The service manager's end of sd_notify(3): what the services say of themselves. One datagram socket with an abstract
// name, which needs no writable folder and leaves no file behind; who may speak is not decided by who can reach it but
// by the sender's pid, which the kernel writes into each datagram (SCM_CREDENTIALS, unix(7)).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

struct Notification {
  pid_t sender = 0;  ///< in our pid namespace; 0: of another one
  std::string text;  ///< as it was sent, NAME=value lines; cut off after 4 KiB
};

class NotifySocket {
 public:
  /// Listens under a name that nobody else has (the kernel chooses it).
  static Result<NotifySocket> open();

  /// For NOTIFY_SOCKET: '@' and the abstract name.
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] int fd() const { return socket_.get(); }
  /// The next datagram; nothing: none is there. Descriptors that came with it are closed, which is the answer that
  /// BARRIER=1 waits for.
  Result<std::optional<Notification>> take();

 private:
  NotifySocket(Fd socket, std::string address) : socket_(std::move(socket)), address_(std::move(address)) {}
  Fd socket_;
  std::string address_;
};

}  // namespace plimsoll::sys

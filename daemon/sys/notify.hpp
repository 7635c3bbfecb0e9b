// sd_notify(3) in its few lines: one datagram to $NOTIFY_SOCKET. libsystemd would cost a megabyte of every container.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

/// The service manager's end, as the environment names it; `send` does nothing when there is none.
class Notifier {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and removes them from our environment: children do not
  /// inherit them.
  static Notifier from_environment();
  Notifier() = default;
  explicit Notifier(std::string address) : address_(std::move(address)) {}

  /// "READY=1", "STOPPING=1", "WATCHDOG=1", "RELOADING=1\nMONOTONIC_USEC=…", "STATUS=…". Never blocks.
  error_code send(std::string_view state) const;
  /// How often WATCHDOG=1 is due, half the manager's time; nothing without a watchdog.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const { return watchdog_; }

 private:
  std::string address_;  ///< a path, or '@' and an abstract name
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace plimsoll::sys

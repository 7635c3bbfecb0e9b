// What a service says of itself in datagrams (sd_notify). Each service has a socket of its own, so that one that floods
// it keeps no other waiting.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "daemon/core/seldom.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/sys/notify_socket.hpp"

namespace plimsoll::run {

/// The notify socket of one service, for all its runs.
class NotifyChannel {
 public:
  /// `take`: each datagram. `trouble`: a sentence, at most one a minute; a flood is one, which its senders notice by
  /// waiting.
  NotifyChannel(Loop& loop, sys::NotifySocket socket, std::function<void(const sys::Notification&)> take,
                std::function<void(const std::string& sentence)> trouble);

  [[nodiscard]] const std::string& address() const { return socket_.address(); }
  /// Passes it on to `trouble`, unless something else was said within the last minute.
  void complain(const std::string& sentence);

 private:
  using Clock = std::chrono::steady_clock;
  void listen();
  void on_readable();
  void pause_until(Clock::time_point then);

  sys::NotifySocket socket_;
  std::function<void(const sys::Notification&)> take_;
  std::function<void(const std::string&)> trouble_;
  Watch watch_;
  Alarm rest_;
  Clock::time_point window_began_{};
  int in_window_ = 0;
  core::Seldom complained_;
};

}  // namespace plimsoll::run

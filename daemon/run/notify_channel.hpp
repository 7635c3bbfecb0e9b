// What a service says of itself in datagrams (sd_notify). Each service has a socket of its own, so that one that floods
// it keeps no other waiting.
//
// Anybody can send to it. What strangers send is no part of the service's share: it is read and thrown away, with a
// short rest after each turn when it is too much. What cannot be done: the queue of the socket is one, and in the
// kernel. A stranger who keeps it full makes the service's own sender wait for room (or try again, if it does not
// wait), and who gets the room is the kernel's choice; nothing can be refused by its sender before it is in there.
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
  /// `take`: each datagram; false if its sender is a stranger, who is not asked about again in the same turn.
  /// `trouble`: a sentence, at most one a minute; a flood by the service is one, which its senders notice by waiting.
  NotifyChannel(Loop& loop, sys::NotifySocket socket, std::function<bool(const sys::Notification&)> take,
                std::function<void(const std::string& sentence)> trouble);

  [[nodiscard]] const std::string& address() const { return socket_.address(); }
  /// Passes it on to `trouble`, unless something else was said within the last minute.
  void complain(const std::string& sentence);

 private:
  using Clock = std::chrono::steady_clock;
  void listen();
  void on_readable();
  bool take_some(Clock::time_point now);
  void pause_until(Clock::time_point then);

  sys::NotifySocket socket_;
  std::function<bool(const sys::Notification&)> take_;
  std::function<void(const std::string&)> trouble_;
  Watch watch_;
  Alarm rest_;
  Clock::time_point window_began_{};
  int in_window_ = 0;     ///< of the service's own
  int of_strangers_ = 0;  ///< in the same window
  core::Seldom complained_;
};

}  // namespace plimsoll::run

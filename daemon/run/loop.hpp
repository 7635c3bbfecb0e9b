// The working thread's loop: an Asio io_context behind a door. The pieces beside it wait for a descriptor, a moment or
// their turn, and nothing more; so they see these three classes, and Asio (26 s of compiling a source) stays with the
// few that speak HTTP. Callbacks run from run() only, one at a time, never from inside the call that asked for them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace plimsoll::run {

class Loop {
 public:
  /// SIGPIPE is ignored from here on: a reader that went away is an error of the write, not our end.
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// For what needs Asio itself.
  [[nodiscard]] boost::asio::io_context& context();
  /// Until stop(), or until nothing is waited for.
  void run();
  void stop();
  /// After what is already waiting for its turn.
  void post(std::function<void()> act);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One timer. Whatever it was set to before is forgotten when it is set again, cancelled or destroyed, also when
/// it has already fired and its turn has not come.
class Alarm {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit Alarm(Loop& loop);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  void set(Time at, std::function<void()> act);
  void set_after(std::chrono::steady_clock::duration delay, std::function<void()> act);
  void cancel();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Waits for a descriptor that epoll takes. The descriptor is lent: its owner outlives this object.
class Watch {
 public:
  Watch(Loop& loop, int fd);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// `act` each time that there is something to read, or an end to be seen, until cancel().
  void on_readable(std::function<void()> act);
  /// `act` once, when it can be written to or is closed at the other end.
  void when_writable(std::function<void()> act);
  void cancel();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace plimsoll::run

// Commands that the daemon runs for itself: a hook's, a probe's. Each ends once, by itself or, when its time is over,
// by SIGTERM and SIGKILL 2 s later. Their stdin is /dev/null, and what they say goes where the log goes.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/run/loop.hpp"
#include "daemon/run/members.hpp"
#include "daemon/run/surroundings.hpp"

namespace plimsoll::run {

class CommandRunner {
 public:
  struct Command {
    std::vector<std::string> argv;
    /// Says what it finds around it: user, limits, variables.
    std::function<std::optional<Unprepared>(sys::SpawnRequest&)> prepare;
    std::chrono::milliseconds timeout{};
  };
  struct Ended {
    enum class How { exited, timed_out } how = How::exited;
    bool success = false;  ///< exited with 0
    std::string detail;    ///< "exited with 3"
  };
  struct Failure {
    std::string detail;    ///< a sentence
    bool of_ours = false;  ///< we are out of something: it says nothing about the command
  };
  CommandRunner(Loop& loop, Members& members);
  /// What still runs gets SIGKILL.
  ~CommandRunner();
  CommandRunner(const CommandRunner&) = delete;
  CommandRunner& operator=(const CommandRunner&) = delete;

  /// Starts it under a number of the caller's; `on_end` comes once, in a later turn. If it cannot be
  /// started nothing follows.
  std::optional<Failure> start(std::uint64_t number, Command command, std::function<void(Ended)> on_end);
  /// Nobody wants to know any more: it is asked to end.
  void cancel(std::uint64_t number);

 private:
  struct Running;
  void ended(pid_t pid, const sys::WaitStatus& status);
  void end(pid_t pid);

  Loop& loop_;
  Members& members_;
  std::map<std::uint64_t, std::unique_ptr<Running>> running_;
  std::map<pid_t, std::unique_ptr<Alarm>> ending_;  ///< commands whose time is over: SIGKILL follows
  std::shared_ptr<bool> here_;
};

}  // namespace plimsoll::run

#include "daemon/run/command_runner.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "config/plan/units.hpp"
#include "daemon/core/refusal.hpp"
#include "daemon/sys/spawn.hpp"

namespace plimsoll::run {
namespace {

constexpr std::chrono::seconds grace_of_command{2};

CommandRunner::Failure cannot_start(const Unprepared& why) {
  const core::SpawnFailed failed{{}, 0, why.error, why.step, why.message};
  return {"cannot start it: " + why.step + ": " + why.message, core::for_want_of_something(failed)};
}

}  // namespace

struct CommandRunner::Running {
  explicit Running(Loop& loop) : deadline(loop) {}
  pid_t pid = 0;
  Alarm deadline;
  std::function<void(Ended)> on_end;
};

CommandRunner::CommandRunner(Loop& loop, Members& members)
    : loop_(loop), members_(members), here_(std::make_shared<bool>(true)) {}

CommandRunner::~CommandRunner() {
  for (const auto& [number, running] : running_) members_.signal_helper(running->pid, SIGKILL);
  for (const auto& [pid, alarm] : ending_) members_.signal_helper(pid, SIGKILL);
}

std::optional<CommandRunner::Failure> CommandRunner::start(std::uint64_t number, Command command,
                                                           std::function<void(Ended)> on_end) {
  const sys::Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return cannot_start({"/dev/null", errno, sys::last_error().message()});
  sys::SpawnRequest request;
  request.argv = std::move(command.argv);
  if (const auto why = command.prepare(request)) return cannot_start(*why);
  request.stdin_fd = null.get();
  // stdout is for data, and a command's talk is none: collectors parse what the services say there.
  request.stdout_fd = STDERR_FILENO;
  sys::SpawnOutcome outcome = sys::spawn(request);
  if (!outcome.ok) return cannot_start(told(outcome.failure));
  const pid_t pid = outcome.spawned.pid;
  auto running = std::make_unique<Running>(loop_);
  running->pid = pid;
  running->on_end = std::move(on_end);
  running->deadline.set_after(command.timeout, [this, number, pid, timeout = command.timeout] {
    const auto then = std::move(running_.at(number)->on_end);
    running_.erase(number);
    end(pid);
    then({Ended::How::timed_out, false, "no end within " + to_text(timeout)});
  });
  running_[number] = std::move(running);
  auto when_dead = [this, pid, here = std::weak_ptr<bool>(here_)](const sys::WaitStatus& status) {
    if (!here.expired()) ended(pid, status);
  };
  members_.add_helper(pid, std::move(outcome.spawned.pidfd), std::move(when_dead));
  return std::nullopt;
}

void CommandRunner::cancel(std::uint64_t number) {
  const auto found = running_.find(number);
  if (found == running_.end()) return;
  const pid_t pid = found->second->pid;
  running_.erase(found);
  end(pid);
}

void CommandRunner::ended(pid_t pid, const sys::WaitStatus& status) {
  ending_.erase(pid);
  for (auto it = running_.begin(); it != running_.end(); ++it) {
    if (it->second->pid != pid) continue;
    const auto then = std::move(it->second->on_end);
    running_.erase(it);
    if (status.signaled) return then({Ended::How::exited, false, "ended by " + signal_name(status.signal)});
    return then({Ended::How::exited, status.code == 0, "exited with " + std::to_string(status.code)});
  }
}

void CommandRunner::end(pid_t pid) {
  if (members_.signal_helper(pid, SIGTERM)) return;
  auto alarm = std::make_unique<Alarm>(loop_);
  alarm->set_after(grace_of_command, [this, pid] { members_.signal_helper(pid, SIGKILL); });
  ending_[pid] = std::move(alarm);
}

}  // namespace plimsoll::run

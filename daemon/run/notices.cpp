// What runs say of themselves: sd_notify's datagrams, believed from any process of the service's tree, and the line on
// a descriptor.
#include "daemon/core/turn.hpp"
#include "daemon/run/daemon.hpp"
#include "daemon/run/notification.hpp"
#include "daemon/run/start_time.hpp"

namespace plimsoll::run {
namespace {

bool listens(const Service& service) {
  const bool ready = service.ready && std::holds_alternative<NotifyProbe>(service.ready->how);
  return ready || (service.live && std::holds_alternative<NotifyProbe>(service.live->how));
}

/// Starts are read in ticks of 10 ms, and a look takes its time.
constexpr std::chrono::milliseconds grain_of_starts{50};
/// Of a chain of parents: a loop, or a tree that is deeper than any, ends here.
constexpr int most_generations = 64;

}  // namespace

/// The address for its NOTIFY_SOCKET; empty where it is not to speak.
sys::Result<std::string> Daemon::listen_to(const Service& service) {
  if (!listens(service)) return std::string{};
  if (const auto found = channels_.find(service.name); found != channels_.end()) return found->second->address();
  auto opened = sys::NotifySocket::open();
  if (!opened) return opened.error();
  const std::string& name = service.name;
  auto channel = std::make_unique<NotifyChannel>(
      loop_, std::move(*opened), [this, name](const sys::Notification& said) { return take_notification(name, said); },
      [this, name](const std::string& sentence) { note(core::Level::warning, name + ": " + sentence); });
  std::string address = channel->address();
  channels_.emplace(name, std::move(channel));
  return address;
}

/// In place of the last run's. No error where the plan has none.
sys::error_code Daemon::open_ready_pipe(const Service& service, core::RunNumber run) {
  ready_pipes_.erase(service.name);
  const FdProbe* probe = service.ready ? std::get_if<FdProbe>(&service.ready->how) : nullptr;
  if (probe == nullptr) return {};
  auto opened = ReadyPipe::open(loop_, [this, name = service.name, run, fd = probe->fd] {
    dispatch(core::ReadySaid{name, run, "it said so on descriptor " + std::to_string(fd)});
  });
  if (!opened) return opened.error();
  ready_pipes_[service.name] = std::move(*opened);
  return {};
}

/// Who sent it, or the nearest of those above it that is recorded: one that was forked just now is not, yet. Null: it
/// is none of the service's tree, or has ended and nobody knows any more what it was.
const core::Process* Daemon::speaker(const std::string& service, int pid) const {
  for (int i = 0; i < most_generations && pid > 1; ++i) {
    const auto stat = proc_.stat(pid);
    if (!stat) return nullptr;
    const core::Process* process = core::find_process(world_, core::ProcessId{pid, stat->start_time});
    if (process != nullptr) return process->service == service ? process : nullptr;
    pid = stat->ppid;
  }
  return nullptr;
}

/// False: its sender is none of the service's tree.
bool Daemon::take_notification(const std::string& service, const sys::Notification& notification) {
  const core::Process* from = speaker(service, notification.sender);
  if (from == nullptr) {
    if (core::plan_of(world_, service) == nullptr) return false;
    channels_.at(service)->complain("a notification of process " + std::to_string(notification.sender) +
                                    " is not taken: it has ended, or is none of the service's tree");
    return false;
  }
  ParsedNotification parsed = parse_notification(notification.text);
  parsed.said.service = service;
  parsed.said.run = from->run;
  parsed.said.sender = notification.sender;
  if (parsed.main_pid) {
    const auto stat = proc_.stat(*parsed.main_pid);
    const core::ProcessId main{*parsed.main_pid, stat ? stat->start_time : 0};
    // Who was forked since the last look can be one of ours; who is older and not recorded is none.
    const bool newer = stat && age_of(main.start_time) < now().steady - world_.last_look + grain_of_starts;
    if (newer && core::find_process(world_, main) == nullptr) take_look();
    parsed.said.main = main;
  }
  dispatch(std::move(parsed.said));
  return true;
}

}  // namespace plimsoll::run

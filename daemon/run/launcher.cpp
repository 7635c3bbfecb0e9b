#include "daemon/run/launcher.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "daemon/sys/spawn.hpp"

namespace plimsoll::run {
namespace {

core::SpawnFailed failed(const Service& service, core::RunNumber run, const Unprepared& why) {
  return {service.name, run, why.error, why.step, why.message};
}

/// Of the FIFOs, which serve all runs whoever their user is. Best effort: what is not his he cannot open again, and can
/// write to all the same.
void give_ends(const Output::Ends& ends, uid_t user) {
  for (const int end : {ends.stdout_fd, ends.stderr_fd}) {
    struct stat found {};
    if (end < 0 || ::fstat(end, &found) != 0 || found.st_uid == user) continue;
    if (::fchown(end, user, static_cast<gid_t>(-1)) != 0) continue;
  }
}

/// WATCHDOG_PID is left out: who sends the keep-alives, the main process or one below it, is the app's affair.
void name_notify_socket(const Service& service, const std::string& address, std::vector<std::string>& environment) {
  std::erase_if(environment, [](const std::string& variable) {
    return variable.starts_with("NOTIFY_SOCKET=") || variable.starts_with("WATCHDOG_USEC=") ||
           variable.starts_with("WATCHDOG_PID=");
  });
  environment.push_back("NOTIFY_SOCKET=" + address);
  if (!service.live || !std::holds_alternative<NotifyProbe>(service.live->how)) return;
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(service.live->timeout);
  environment.push_back("WATCHDOG_USEC=" + std::to_string(time.count()));
}

}  // namespace

Launcher::Launcher(Members& members, sys::ProcFs proc, Preparation& preparation, Settings settings)
    : members_(members),
      proc_(std::move(proc)),
      preparation_(preparation),
      settings_(std::move(settings)),
      null_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

sys::SpawnSession Launcher::session_of(const Service& service) const {
  if (settings_.entrypoint) return settings_.own_group ? sys::SpawnSession::group : sys::SpawnSession::inherited;
  return service.surroundings->session == Session::own ? sys::SpawnSession::own : sys::SpawnSession::group;
}

Launcher::Outcome Launcher::launch(const Service& service, core::RunNumber run, const Lent& lent) {
  sys::SpawnRequest request;
  request.argv = service.command;
  if (const auto why = preparation_.prepare(service, request)) return failed(service, run, *why);
  request.environment.push_back(std::string(run_variable) + "=" + to_text(RunTag{settings_.life, service.name, run}));
  if (!lent.notify_address.empty()) name_notify_socket(service, lent.notify_address, request.environment);
  if (lent.notification_fd >= 0) {
    request.notification_fd = lent.notification_fd;
    request.notification_target = std::get<FdProbe>(service.ready->how).fd;
  }
  request.session = session_of(service);
  const bool gives_terminal =
      request.session == sys::SpawnSession::group && settings_.terminal != nullptr && settings_.terminal->is_ours();
  if (gives_terminal) request.terminal_fd = settings_.terminal->fd();
  request.stdin_fd = settings_.entrypoint ? -1 : null_.get();
  request.stdout_fd = settings_.entrypoint ? -1 : lent.output.stdout_fd;
  request.stderr_fd = settings_.entrypoint ? -1 : lent.output.stderr_fd;
  give_ends(lent.output, request.user.value_or(::geteuid()));

  // What cannot be recorded cannot be owned: that is tried with our own entry, before anything runs. Its descriptor is
  // the one that the child's entry takes.
  auto place = proc_.open_stat(::getpid());
  if (!place)
    return failed(service, run, {"record", place.error().value(), "/proc cannot be read: " + place.error().message()});
  sys::SpawnOutcome launched = sys::spawn(request);
  if (!launched.ok) return failed(service, run, told(launched.failure));
  if (gives_terminal) settings_.terminal->given_to(launched.spawned.pid);

  *place = sys::Fd();
  // Nobody but us can reap it, and it was not reaped yet: its pid is its own.
  const auto stat = proc_.stat(launched.spawned.pid);
  const core::ProcessId id{launched.spawned.pid, stat ? stat->start_time : 0};
  const auto error = stat ? members_.add(id, std::move(launched.spawned.pidfd), true) : stat.error();
  if (!error) return core::SpawnSucceeded{service.name, run, id};
  // What cannot be recorded cannot be owned.
  sys::send_signal(launched.spawned.pidfd, SIGKILL);
  return failed(service, run, {"record", error.value(), error.message()});
}

}  // namespace plimsoll::run

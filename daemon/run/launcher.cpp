#include "daemon/run/launcher.hpp"

#define BOOST_PROCESS_USE_STD_FS
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/detail/throw_error.hpp>  // which Process v2 of 1.81 forgets
#include <boost/asio/io_context.hpp>
#include <boost/optional.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>

#include "daemon/sys/spawn.hpp"

namespace plimsoll::run {
namespace {

using Process = boost::process::v2::basic_process<boost::asio::any_io_executor>;

/// What v2's process does not give back: in 1.81 there is no way to its descriptor, nor to why there is none.
struct Launched {
  bool ok = false;
  sys::Spawned spawned;
  sys::SpawnFailure failure;
};

/// A launcher as Process v2 has them, over sys::spawn: what it returns is a v2 process with (its own of) the
/// pidfd that came with the clone, for a caller who wants to wait by it. This one does not: the reaper is the members.
class PidfdLauncher {
 public:
  explicit PidfdLauncher(const sys::SpawnRequest& request) : request_(request) {}

  Process operator()(boost::asio::any_io_executor executor, Launched& launched) const {
    sys::SpawnOutcome outcome = sys::spawn(request_);
    launched.ok = outcome.ok;
    launched.failure = outcome.failure;
    launched.spawned = std::move(outcome.spawned);
    sys::Fd own(launched.ok ? ::fcntl(launched.spawned.pidfd.get(), F_DUPFD_CLOEXEC, 3) : -1);
    if (!own) return Process(std::move(executor));
    try {
      return Process(executor, launched.spawned.pid, own.release());
    } catch (const boost::system::system_error&) {
      // epoll has no memory. What came with the clone is in `launched`.
      return Process(std::move(executor));
    }
  }

 private:
  const sys::SpawnRequest& request_;
};

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

Launcher::Launcher(Loop& loop, Members& members, sys::ProcFs proc, Preparation& preparation, Settings settings)
    : loop_(loop),
      members_(members),
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
  Launched launched;
  Process process = PidfdLauncher(request)(loop_.context().get_executor(), launched);
  // Detached before anything can go wrong: at its end an attached one kills, and waits. The members reap.
  process.detach();
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

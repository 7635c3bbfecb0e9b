#include "daemon/run/launcher.hpp"

#define BOOST_PROCESS_USE_STD_FS
#include <fcntl.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/detail/throw_error.hpp>  // which Process v2 of 1.81 forgets
#include <boost/asio/io_context.hpp>
#include <boost/optional.hpp>
#include <boost/process/v2/process.hpp>
#include <csignal>
#include <cstring>

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
    return Process(std::move(executor), launched.spawned.pid, own.release());
  }

 private:
  const sys::SpawnRequest& request_;
};

core::SpawnFailed failed(const Service& service, core::RunNumber run, const char* step, int error) {
  return {service.name, run, error, step,
          ::strerrordesc_np(error) != nullptr ? ::strerrordesc_np(error) : "unknown error"};
}

}  // namespace

Launcher::Launcher(Loop& loop, Members& members, sys::ProcFs proc, Settings settings)
    : loop_(loop),
      members_(members),
      proc_(std::move(proc)),
      settings_(std::move(settings)),
      null_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Launcher::Outcome Launcher::launch(const Service& service, core::RunNumber run, Output::Ends ends) {
  sys::SpawnRequest request;
  request.argv = service.command;
  request.environment = environment_of(service, settings_.inherited);
  request.environment.push_back(std::string(run_variable) + "=" + to_text(RunTag{settings_.life, service.name, run}));
  request.working_directory = service.working_directory;
  request.stdin_fd = settings_.entrypoint ? -1 : null_.get();
  request.stdout_fd = settings_.entrypoint ? -1 : ends.stdout_fd;
  request.stderr_fd = settings_.entrypoint ? -1 : ends.stderr_fd;
  request.new_session = !settings_.entrypoint;
  request.descriptor_limit = settings_.descriptor_limit;

  Launched launched;
  Process process = PidfdLauncher(request)(loop_.context().get_executor(), launched);
  // Detached before anything can go wrong: at its end an attached one kills, and waits. The members reap.
  process.detach();
  if (!launched.ok) return failed(service, run, sys::to_text(launched.failure.step), launched.failure.error);

  // Nobody but us can reap it, and it was not reaped yet: its pid is its own.
  const auto stat = proc_.stat(launched.spawned.pid);
  const core::ProcessId id{launched.spawned.pid, stat ? stat->start_time : 0};
  const auto error = stat ? members_.add(id, std::move(launched.spawned.pidfd), true) : stat.error();
  if (!error) return core::SpawnSucceeded{service.name, run, id};
  // What cannot be recorded cannot be owned.
  sys::send_signal(launched.spawned.pidfd, SIGKILL);
  return failed(service, run, "record", error.value());
}

}  // namespace plimsoll::run

// `plimsolld -- CMD`, its signals and its terminal. The command has a process group of its own, in the foreground of
// the terminal if we were there and talk to nobody else: so what a terminal sends reaches it directly, what is sent to
// us is passed on, and nothing comes twice. Part of a pipeline, or in the background, it stays in our group, as the
// shell's other processes may want the terminal as well; then what the terminal sends reaches us both and is not passed
// on.
//
// When the terminal stops the command (^Z, or a read in the background), we take the terminal back and stop too: the
// shell that started us waits for us and not for the command. Continued, we give it back and continue the command.
// Where no shell would continue us (the leader of a session, PID 1 of a container) we go on.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "daemon/core/lineage.hpp"
#include "daemon/run/daemon.hpp"

namespace plimsoll::run {
namespace {

bool is_of_job_control(int signal) {
  return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

}  // namespace

void Daemon::choose_group() {
  terminal_ = sys::Terminal::controlling();
  own_group_ = !terminal_ || (terminal_->is_ours() && terminal_->is_all_we_talk_to());
}

/// The command's main process; 0 when there is none.
pid_t Daemon::command() const {
  return world_.services.empty() ? 0 : world_.services.begin()->second.main.pid;
}

/// The recorded members of the command's group, as a census sees them now.
std::vector<core::ProcessId> Daemon::command_group() {
  look_wanted_ = true;
  turn();
  std::vector<core::ProcessId> group;
  const auto main = proc_.stat(command());
  if (!main) return group;
  for (const auto& [id, process] : world_.processes) {
    if (!process.alive()) continue;
    const auto stat = proc_.stat(id.pid);
    if (stat && stat->start_time == id.start_time && stat->pgrp == main->pgrp) group.push_back(id);
  }
  return group;
}

void Daemon::on_signal_of_command(Signals::Caught caught, const std::string& who) {
  const int signal = options_.forwarding.rewritten(caught.number);
  if (signal == 0 || (caught.from_kernel && !own_group_)) return;
  core::SignalToForward forwarded{signal, true, {}};
  // Who stopped was the whole group.
  const bool gives = caught.number == SIGCONT && own_group_ && command() != 0 && terminal_ && terminal_->is_ours();
  if (gives) terminal_->give_to(command());
  if (options_.forwarding.to_group || caught.number == SIGCONT) forwarded.others = command_group();
  const bool asks_to_stop = caught.number == SIGTERM || signal == SIGTERM || (world_.stopping && signal == SIGINT);
  if (asks_to_stop) {
    notifier_.send("STOPPING=1");
    dispatch(core::StopRequested{who, signal});
    forwarded.to_main = false;  // it is asked by its stop
  }
  if (forwarded.to_main || !forwarded.others.empty()) dispatch(std::move(forwarded));
}

void Daemon::follow_stopped_command() {
  siginfo_t info{};
  const pid_t main = command();
  if (main == 0 || ::waitid(P_PID, static_cast<id_t>(main), &info, WSTOPPED | WNOHANG) != 0 || info.si_pid != main)
    return;
  if (!is_of_job_control(info.si_status) || !terminal_ || ::getsid(0) == ::getpid()) return;
  if (own_group_ && terminal_->is_ours()) terminal_->give_to(::getpgrp());
  ::kill(::getpid(), SIGSTOP);
}

}  // namespace plimsoll::run

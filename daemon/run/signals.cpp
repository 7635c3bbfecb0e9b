#include "daemon/run/signals.hpp"

#include <unistd.h>

#include <csignal>

namespace plimsoll::run {
namespace {

sigset_t wanted(bool all) {
  sigset_t set;
  if (all) {
    ::sigfillset(&set);
    // Faults of our own end us; SIGPIPE is an error of a write. What stops a job is the command's to take or to be
    // stopped by (job_control.hpp); for gunicorn SIGTTIN means one worker more.
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPIPE}) ::sigdelset(&set, own);
    return set;
  }
  ::sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  return set;
}

}  // namespace

sys::error_code Signals::block(bool all) {
  const sigset_t set = wanted(all);
  const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return error == 0 ? sys::error_code{} : sys::error_of(error);
}

sys::Result<std::unique_ptr<Signals>> Signals::open(Loop& loop, bool all, std::function<void(Caught)> caught) {
  if (const auto error = block(all)) return error;
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) std::signal(number, SIG_DFL);
  const sigset_t set = wanted(all);
  sys::Fd fd{::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
  if (!fd) return sys::last_error();
  return std::unique_ptr<Signals>{new Signals{loop, std::move(fd), std::move(caught)}};
}

Signals::Signals(Loop& loop, sys::Fd fd, std::function<void(Caught)> caught)
    : fd_(std::move(fd)), caught_(std::move(caught)), watch_(loop, fd_.get()) {
  watch_.on_readable([this] { read_all(); });
}

void Signals::read_all() {
  signalfd_siginfo info;
  while (::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    caught_({static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL, static_cast<int>(info.ssi_pid)});
  }
}

}  // namespace plimsoll::run

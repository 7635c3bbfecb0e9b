#include "daemon/sys/pidfd.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plimsoll::sys {
namespace {

// The kernel's pidfd_info, in the size of its first version, which has been enough ever since: Debian 12's own headers
// are older than it. The size is part of the request's number.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t pid, tgid, ppid;
  std::uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::int32_t exit_code;  // as wait(2) has it
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t info_exit = 1U << 3;
constexpr unsigned long get_info = _IOWR(0xFF, 11, PidfdInfo);

Reaped from_siginfo(const siginfo_t& info) {
  Reaped reaped;
  reaped.pid = info.si_pid;
  if (info.si_code == CLD_EXITED) {
    reaped.status.code = info.si_status;
  } else {
    reaped.status.signaled = true;
    reaped.status.signal = info.si_status;
    reaped.status.dumped = info.si_code == CLD_DUMPED;
  }
  return reaped;
}

}  // namespace

WaitStatus from_wait_word(int word) {
  WaitStatus status;
  if (WIFSIGNALED(word)) {
    status.signaled = true;
    status.signal = WTERMSIG(word);
    status.dumped = WCOREDUMP(word);
  } else {
    status.code = WEXITSTATUS(word);
  }
  return status;
}

Result<Fd> open_pidfd(pid_t pid) {
  // By number: the C library's header of these two has no extern "C" in Debian 12.
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!fd) return last_error();
  return fd;
}

error_code send_signal(const Fd& pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0U) != 0) return last_error();
  return {};
}

void send_signal_to_group(pid_t leader, int signal) {
  if (::getpgid(leader) == leader) ::kill(-leader, signal);
}

bool has_ended(const Fd& pidfd) {
  pollfd ask{pidfd.get(), POLLIN, 0};
  return ::poll(&ask, 1, 0) == 1 && (ask.revents & POLLIN) != 0;
}

std::optional<WaitStatus> exit_status_of_reaped(const Fd& pidfd) {
  PidfdInfo info{};
  info.mask = info_exit;
  if (::ioctl(pidfd.get(), get_info, &info) != 0 || (info.mask & info_exit) == 0) return std::nullopt;
  return from_wait_word(info.exit_code);
}

Result<std::optional<Reaped>> reap(const Fd& pidfd) {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG) != 0) {
    if (errno != ECHILD) return last_error();
    Reaped gone;
    gone.gone = true;
    return std::optional(gone);
  }
  if (info.si_pid == 0) return std::optional<Reaped>();
  return std::optional(from_siginfo(info));
}

Result<std::optional<Reaped>> peek_ended_child() {
  siginfo_t info{};
  if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return last_error();
  if (info.si_pid == 0) return std::optional<Reaped>();
  return std::optional(from_siginfo(info));
}

error_code reap_pid(pid_t pid) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0) return last_error();
  return info.si_pid == 0 ? error_of(EAGAIN) : error_code();
}

error_code become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return last_error();
  return {};
}

Result<unsigned long> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return last_error();
  const unsigned long before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return last_error();
  return before;
}

}  // namespace plimsoll::sys

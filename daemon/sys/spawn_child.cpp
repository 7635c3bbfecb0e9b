// The child runs on our memory, while the thread that called waits, and any other thread of ours may hold any lock. So
// it calls the kernel and nothing else, and does so through syscall(2): the C library's functions of the same names are
// wrapped by the sanitizers, which would write the child's affairs (its descriptors, its dispositions) into the
// parent's books; and its setresuid() and setgroups() would change every thread of the process whose memory this is,
// which is the parent.
//
// Between taking its user and the exec the child is a process of that user on our memory. Nobody of that user can read
// or trace it: the kernel takes the mark "dumpable" from an address space whose process changes its user, and the
// parent puts it back when the child has left. But its user may stop it (SIGSTOP) in those microseconds, and then we
// wait too, until it is continued or killed: every launcher that shares memory has this.
#include "daemon/sys/spawn_child.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "daemon/sys/io_priority.hpp"

#define PLIMSOLL_IN_CHILD __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

namespace plimsoll::sys {
namespace {

/// Handlers too, though exec would reset them: one that ran in the child before the exec would run on our memory.
PLIMSOLL_IN_CHILD int reset_dispositions(std::uint64_t signals) {
  const KernelSigaction reset;
  for (; signals != 0; signals &= signals - 1) {
    const int signal = __builtin_ctzll(signals) + 1;
    if (::syscall(SYS_rt_sigaction, signal, &reset, nullptr, kernel_mask_size) != 0) return errno;
  }
  return 0;
}

PLIMSOLL_IN_CHILD int take_group(int terminal_fd) {
  if (::syscall(SYS_setpgid, 0, 0) < 0) return errno;
  if (terminal_fd < 0) return 0;
  // Best effort, as the terminal may have gone. SIGTTOU, which stops whoever does this in the background, is blocked.
  const auto group = static_cast<int>(::syscall(SYS_getpid));
  ::syscall(SYS_ioctl, terminal_fd, TIOCSPGRP, &group);
  return 0;
}

PLIMSOLL_IN_CHILD int take_session(const Orders& orders) {
  switch (orders.session) {
    case SpawnSession::inherited: return 0;
    case SpawnSession::group: return take_group(orders.terminal_fd);
    case SpawnSession::own: return ::syscall(SYS_setsid) < 0 ? errno : 0;
  }
  return EINVAL;
}

/// Whether another one is to take the place on which `source` stands.
PLIMSOLL_IN_CHILD bool stands_in_the_way(const Orders& orders, int at) {
  for (int other = 0; other < placed_descriptors; ++other) {
    if (other != at && orders.sources[other] >= 0 && orders.targets[other] == orders.sources[at]) return true;
  }
  return false;
}

PLIMSOLL_IN_CHILD int place_descriptors(Orders& orders) {
  const bool shared = orders.first_unneeded != 0;
  if (shared && ::syscall(SYS_close_range, orders.first_unneeded, ~0U, CLOSE_RANGE_UNSHARE) != 0) return errno;
  // First out of the way, so that 0 and 1 can also be exchanged. A place above 2 that is free now may be the last
  // one's target: by the time that is taken the others stand where they belong.
  for (int at = 0; at < placed_descriptors; ++at) {
    if (orders.sources[at] < 0 || !stands_in_the_way(orders, at)) continue;
    const long moved = ::syscall(SYS_fcntl, orders.sources[at], F_DUPFD_CLOEXEC, 3);
    if (moved < 0) return errno;
    orders.sources[at] = static_cast<int>(moved);
  }
  for (int at = 0; at < placed_descriptors; ++at) {
    const int source = orders.sources[at];
    if (source < 0 || source == orders.targets[at]) continue;
    if (::syscall(SYS_dup3, source, orders.targets[at], 0) < 0) return errno;
  }
  // A net for descriptors of libraries that forgot O_CLOEXEC: where the kernel cannot (before 5.11) there is none.
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  for (int at = 0; at < placed_descriptors; ++at) {
    const int target = orders.targets[at];
    const bool stays_open = orders.sources[at] != target && target < 3;  // dup3 has seen to that
    if (orders.sources[at] < 0 || stays_open) continue;
    if (::syscall(SYS_fcntl, target, F_SETFD, 0) < 0) return errno;
  }
  return 0;
}

/// prlimit64's own form.
struct KernelLimit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

PLIMSOLL_IN_CHILD int set_limit(const Orders::Limit& wanted) {
  KernelLimit limit;
  if (::syscall(SYS_prlimit64, 0, wanted.resource, nullptr, &limit) != 0) return errno;
  if (wanted.has_hard) limit.hard = wanted.hard;
  if (wanted.has_soft) limit.soft = wanted.soft;
  if (!wanted.has_soft && limit.soft > limit.hard) limit.soft = limit.hard;
  if (::syscall(SYS_prlimit64, 0, wanted.resource, &limit, nullptr) != 0) return errno;
  return 0;
}

PLIMSOLL_IN_CHILD int limit_descriptors(unsigned long soft) {
  KernelLimit limit;
  if (::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) != 0) return errno;
  limit.soft = soft < limit.hard ? soft : limit.hard;
  if (::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr) != 0) return errno;
  return 0;
}

PLIMSOLL_IN_CHILD int set_limits(Orders& orders) {
  if (orders.descriptor_limit != 0) {
    orders.failure.resource = RLIMIT_NOFILE;
    if (const int error = limit_descriptors(orders.descriptor_limit)) return error;
  }
  for (std::size_t i = 0; i < orders.limit_count; ++i) {
    orders.failure.resource = orders.limits[i].resource;
    if (const int error = set_limit(orders.limits[i])) return error;
  }
  return 0;
}

/// The kernel would give the score to all processes on one address space, but for a child that its parent waits for.
PLIMSOLL_IN_CHILD int set_oom_score_adj(const char* text) {
  std::size_t size = 0;
  while (text[size] != '\0') ++size;
  if (size == 0) return 0;
  const long file = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  const int error = ::syscall(SYS_write, file, text, size) < 0 ? errno : 0;
  ::syscall(SYS_close, file);
  return error;
}

/// Those that are not kept leave the inheritable set too: a root program would get them back from there.
PLIMSOLL_IN_CHILD int clear_inheritable(std::uint64_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) return errno;
  bool changed = false;
  for (int half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
    const auto stays = static_cast<std::uint32_t>(sets[half].inheritable & kept >> 32 * half);
    changed = changed || stays != sets[half].inheritable;
    sets[half].inheritable = stays;
  }
  return changed && ::syscall(SYS_capset, &header, sets) != 0 ? errno : 0;
}

PLIMSOLL_IN_CHILD int bound_capabilities(std::uint64_t kept) {
  // Refused before Linux 4.3, which has none.
  ::syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (unsigned long capability = 0; capability < 64; ++capability) {
    const long held = ::syscall(SYS_prctl, PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) break;  // the kernel has no more of them
    if (held == 0 || (kept >> capability & 1U) != 0) continue;
    if (::syscall(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return errno;
  }
  return clear_inheritable(kept);
}

/// Errors after which the next folder of PATH is tried, as execvp(3) does.
PLIMSOLL_IN_CHILD bool try_next(int error) {
  return error == EACCES || error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ESTALE ||
         error == ENODEV || error == ETIMEDOUT;
}

/// Returns only if no candidate could be executed. "Not executable" says more than the "not found" of a later folder.
PLIMSOLL_IN_CHILD int execute(const Orders& orders) {
  // Last, as a signal that waits would now end us: by its default action, for no handler is left.
  const std::uint64_t none = 0;
  if (::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_mask_size) != 0) return errno;
  int error = ENOENT;
  bool denied = false;
  for (const char* const* path = orders.candidates; *path != nullptr; ++path) {
    ::syscall(SYS_execve, *path, orders.argv, orders.environment);
    error = errno;
    if (!try_next(error)) return error;
    denied = denied || error == EACCES;
  }
  return denied ? EACCES : error;
}

/// errno, when `wanted` and the call failed.
#define PLIMSOLL_CALL_IF(wanted, ...) ((wanted) && ::syscall(__VA_ARGS__) < 0 ? errno : 0)

PLIMSOLL_IN_CHILD int take_step(SpawnStep step, Orders& orders) {
  switch (step) {
    case SpawnStep::clone: return 0;
    case SpawnStep::signals: return reset_dispositions(orders.signals);
    case SpawnStep::session: return take_session(orders);
    case SpawnStep::descriptors: return place_descriptors(orders);
    case SpawnStep::limits: return set_limits(orders);
    case SpawnStep::oom_score_adj: return set_oom_score_adj(orders.oom_score_adj);
    case SpawnStep::nice: return PLIMSOLL_CALL_IF(orders.has_nice, SYS_setpriority, PRIO_PROCESS, 0, orders.nice);
    case SpawnStep::io_priority:
      return PLIMSOLL_CALL_IF(orders.has_io_priority, SYS_ioprio_set, io_priority_of_process, 0, orders.io_priority);
    case SpawnStep::groups:
      return PLIMSOLL_CALL_IF(orders.groups != nullptr, SYS_setgroups, orders.group_count, orders.groups);
    case SpawnStep::group:
      return PLIMSOLL_CALL_IF(orders.has_group, SYS_setresgid, orders.group, orders.group, orders.group);
    case SpawnStep::capabilities: return orders.has_capabilities ? bound_capabilities(orders.capabilities) : 0;
    case SpawnStep::user:
      return PLIMSOLL_CALL_IF(orders.has_user, SYS_setresuid, orders.user, orders.user, orders.user);
    case SpawnStep::no_new_privs:
      return PLIMSOLL_CALL_IF(orders.no_new_privs, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    case SpawnStep::umask: return PLIMSOLL_CALL_IF(orders.has_umask, SYS_umask, orders.umask);
    case SpawnStep::working_directory:
      return PLIMSOLL_CALL_IF(orders.working_directory != nullptr, SYS_chdir, orders.working_directory);
    case SpawnStep::exec: return execute(orders);
  }
  return EINVAL;
}

#undef PLIMSOLL_CALL_IF

}  // namespace

PLIMSOLL_IN_CHILD int run_child(void* argument) {
  Orders& orders = *static_cast<Orders*>(argument);
  for (int step = static_cast<int>(SpawnStep::signals); step <= static_cast<int>(SpawnStep::exec); ++step) {
    if (const int error = take_step(static_cast<SpawnStep>(step), orders)) {
      orders.failure.step = static_cast<SpawnStep>(step);
      orders.failure.error = error;
      break;
    }
  }
  for (;;) ::syscall(SYS_exit_group, 127);
}

}  // namespace plimsoll::sys

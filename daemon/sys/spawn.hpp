// The launcher: one clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD), so that starting a process costs the same from a
// daemon of any size, with its pidfd from birth. The child shares our memory until its exec: it allocates nothing,
// calls only what is async-signal-safe, and leaves by _exit. A failure is told exactly, by step and errno, through that
// shared memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

enum class SpawnSession {
  inherited,
  group,  ///< a process group of its own in our session
  own     ///< setsid: a session and a group
};

struct SpawnLimit {
  int resource = 0;                   ///< RLIMIT_NOFILE and its like
  std::optional<std::uint64_t> soft;  ///< nothing: as it is, but not above the new hard one
  std::optional<std::uint64_t> hard;  ///< nothing: as it is
};

/// What is nothing here stays as it is with us.
struct SpawnRequest {
  std::vector<std::string> argv;         ///< argv[0] is looked up in PATH of `environment` unless it has a '/'
  std::vector<std::string> environment;  ///< NAME=value, whole
  std::string working_directory;         ///< empty: ours
  int stdin_fd = -1;                     ///< becomes 0; -1: inherited
  int stdout_fd = -1;                    ///< becomes 1; -1: inherited
  int stderr_fd = -1;                    ///< becomes 2; -1: inherited
  int notification_fd = -1;              ///< becomes `notification_target`; -1: none
  int notification_target = 3;           ///< above 2
  SpawnSession session = SpawnSession::own;
  int terminal_fd = -1;  ///< of `group`: the controlling terminal, in whose foreground the new group is put; -1: none
  unsigned long descriptor_limit = 0;  ///< soft RLIMIT_NOFILE of the child, below `limits`; 0: ours
  std::vector<SpawnLimit> limits;
  std::optional<int> oom_score_adj;
  std::optional<int> nice;         ///< absolute
  std::optional<int> io_priority;  ///< as ioprio_set(2) takes it
  std::optional<std::vector<gid_t>> groups;
  std::optional<gid_t> group;
  std::optional<std::uint64_t> capabilities;  ///< bit N: capability N stays; ambient ones go, all of them
  std::optional<uid_t> user;
  bool no_new_privs = false;
  std::optional<mode_t> umask;
};

struct Spawned {
  pid_t pid = 0;
  Fd pidfd;
};

/// Which step of the child's way to its program failed. In the order in which they are taken: what needs our rights
/// comes before the user, what the user must be allowed to do comes after it.
enum class SpawnStep {
  clone,
  signals,
  session,
  descriptors,
  limits,
  oom_score_adj,
  nice,
  io_priority,
  groups,
  group,
  capabilities,
  user,
  no_new_privs,
  umask,
  working_directory,
  exec
};
struct SpawnFailure {
  SpawnStep step = SpawnStep::clone;
  int error = 0;      ///< errno; ENOENT of `exec` is "not found", EACCES "not executable"
  int resource = -1;  ///< SpawnStep::limits only: which one
};
/// The key of the configuration where the step has one.
const char* to_text(SpawnStep step);

/// What became of `spawn`. A child that failed is reaped already; one that is `ok` is for the caller to reap.
struct SpawnOutcome {
  bool ok = false;
  Spawned spawned;
  SpawnFailure failure;
};

/// Starts `request.argv`. Every signal disposition is reset and the mask emptied before the exec: an app started with
/// SIGINT ignored would hand that on to its engine. Which are not at their default is learned by a thread's first
/// spawn: who ignores another one, or catches it, does that before. All other descriptors are closed by close-on-exec.
/// A file without
/// "#!" is ENOEXEC, never run by a shell. `ok` means that the kernel has taken the program and the child has left our
/// memory; for some microseconds after that /proc can still show it without its comm and cmdline.
SpawnOutcome spawn(const SpawnRequest& request);

}  // namespace plimsoll::sys

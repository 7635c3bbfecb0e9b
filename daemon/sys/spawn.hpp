// The launcher: one clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD), so that starting a process costs the same from a
// daemon of any size, with its pidfd from birth. The child shares our memory until its exec: it allocates nothing,
// calls only what is async-signal-safe, and leaves by _exit. A failure is told exactly, by step and errno, through that
// shared memory.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

struct SpawnRequest {
  std::vector<std::string> argv;         ///< argv[0] is looked up in PATH of `environment` unless it has a '/'
  std::vector<std::string> environment;  ///< NAME=value, whole
  std::string working_directory;         ///< empty: ours
  int stdin_fd = -1;                     ///< becomes 0; -1: inherited
  int stdout_fd = -1;                    ///< becomes 1; -1: inherited
  int stderr_fd = -1;                    ///< becomes 2; -1: inherited
  bool new_session = true;               ///< setsid
  unsigned long descriptor_limit = 0;    ///< soft RLIMIT_NOFILE of the child; 0: ours
};

struct Spawned {
  pid_t pid = 0;
  Fd pidfd;
};

/// Which step of the child's way to its program failed.
enum class SpawnStep { clone, session, signals, descriptors, limits, working_directory, exec };
struct SpawnFailure {
  SpawnStep step = SpawnStep::clone;
  int error = 0;  ///< errno; ENOENT of `exec` is "not found", EACCES "not executable"
};
const char* to_text(SpawnStep step);

/// What became of `spawn`. A child that failed is reaped already; one that is `ok` is for the caller to reap.
struct SpawnOutcome {
  bool ok = false;
  Spawned spawned;
  SpawnFailure failure;
};

/// Starts `request.argv`. Every signal disposition is reset and the mask emptied before the exec: an app started with
/// SIGINT ignored would hand that on to its engine. All other descriptors are closed by close-on-exec. A file without
/// "#!" is ENOEXEC, never run by a shell. `ok` means that the kernel has taken the program and the child has left our
/// memory; for some microseconds after that /proc can still show it without its comm and cmdline.
SpawnOutcome spawn(const SpawnRequest& request);

}  // namespace plimsoll::sys

// pidfds: the only handle through which this daemon signals, waits for, or believes anything about a process. A bare
// pid can be given to another process between two calls; a pidfd cannot. pidfd_open(2), pidfd_send_signal(2),
// waitid(2).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

/// How a process ended, as wait reports it.
struct WaitStatus {
  bool signaled = false;
  int code = 0;         ///< exit code, when not signaled
  int signal = 0;       ///< when signaled
  bool dumped = false;  ///< a core was written
};

/// From the word that wait(2) fills in, and field 52 of /proc/PID/stat has.
WaitStatus from_wait_word(int word);

Result<Fd> open_pidfd(pid_t pid);
/// ESRCH: it is gone or a zombie that was reaped. A zombie takes a signal without effect.
error_code send_signal(const Fd& pidfd, int signal);
/// To the process group that `leader`, a child of ours, leads, if it leads one. It must not be reaped yet: until then
/// no other group can have its number.
void send_signal_to_group(pid_t leader, int signal);
/// Whether it has ended (readable pidfd: every thread of it is gone; it may still be a zombie).
bool has_ended(const Fd& pidfd);
/// PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15: answers after the process was reaped, for a pidfd opened
/// before. Nothing on an older kernel or while it is not reaped yet.
std::optional<WaitStatus> exit_status_of_reaped(const Fd& pidfd);

/// Our own child: reaps it if it has ended. Nothing when it has not (or is traced: pidfd readable, wait empty).
struct Reaped {
  pid_t pid = 0;
  WaitStatus status;
  bool gone = false;  ///< ECHILD: somebody else reaped it, which is a bug of ours; pid and status are then unknown
};
Result<std::optional<Reaped>> reap(const Fd& pidfd);
/// The next ended child of any kind, left unreaped (WNOWAIT); nothing if none has ended; ECHILD as an error when we
/// have no child at all.
Result<std::optional<Reaped>> peek_ended_child();
/// Reaps exactly that pid, a child just peeked: between the two calls only we could have reaped it. EAGAIN: it has not
/// ended.
error_code reap_pid(pid_t pid);

/// PR_SET_CHILD_SUBREAPER for ourselves.
error_code become_subreaper();
/// Raises our RLIMIT_NOFILE to its hard limit; returns the soft limit before, which children get back.
Result<unsigned long> raise_descriptor_limit();

}  // namespace plimsoll::sys

// What evidence may be used. Each can be switched off (`--without exit_info,exe,…`), which is how tests see the daemon
// as it is where the kernel refuses it: in a container without CAP_SYS_PTRACE, or on an old kernel.
#pragma once

namespace plimsoll::run {

struct Sources {
  bool connector = true;  ///< who forked whom, as the kernel tells it
  bool exit_info = true;  ///< how a process ended that is not our child
  bool exe = true;        ///< /proc/PID/exe and cwd
  bool environ = true;    ///< PLIMSOLL_RUN of others
  bool fds = true;        ///< whose socket is whose
  bool ports = true;      ///< sock_diag(7), /proc/net/tcp
};

}  // namespace plimsoll::run

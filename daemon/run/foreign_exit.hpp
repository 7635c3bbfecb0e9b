// How a process ended that is somebody else's child, as far as the kernel tells: while it is a zombie, and after its
// parent has reaped it.
#pragma once

#include <optional>

#include "daemon/core/ids.hpp"
#include "daemon/sys/pidfd.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

struct ForeignExit {
  bool reaped = false;                    ///< nothing is left of it, so nothing more will be learnt
  std::optional<sys::WaitStatus> status;  ///< nothing: it cannot be read
};

/// Of a process that is dead (`pidfd` is readable). `read_status` false: only whether it was reaped.
ForeignExit look_at_foreign_exit(const sys::ProcFs& proc, core::ProcessId id, const sys::Fd& pidfd, bool read_status);

}  // namespace plimsoll::run

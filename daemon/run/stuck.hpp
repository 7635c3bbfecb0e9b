// Why a process outlives its SIGKILL, as far as the kernel says: so that whoever reads `stuck` knows where to look.
//
// Five things hold one back. A tracer that does not let it go, alive ("t") or dead already; a freezer of the first
// version of control groups, which lets no signal in before it thaws (one of the second lets SIGKILL through, and is
// named because it tells of something else that holds); a core dump; a call that waits for a disk or a server and takes
// no signal (state D). Of the last only the place in the kernel is known, by name: wchan.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/ids.hpp"
#include "daemon/sys/cgroup.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

/// A sentence that names the first eight and counts the others.
std::string describe_stuck(const sys::ProcFs& proc, const sys::Cgroups& cgroups,
                           const std::vector<core::ProcessId>& processes);

}  // namespace plimsoll::run

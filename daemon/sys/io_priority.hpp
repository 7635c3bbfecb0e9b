// ioprio_set(2) has no wrapper in glibc, and linux/ioprio.h of some kernels does not compile as C++ (a parameter is
// called `class` there): its few numbers, which are the kernel's interface and do not change.
#pragma once

namespace plimsoll::sys {

enum class IoPriorityClass { realtime = 1, best_effort = 2, idle = 3 };

/// IOPRIO_WHO_PROCESS
inline constexpr int io_priority_of_process = 1;

/// What ioprio_set() takes. `level` is 0 (first served) to 7; of idle 0.
constexpr int io_priority(IoPriorityClass priority_class, int level) {
  return (static_cast<int>(priority_class) << 13) | level;
}

}  // namespace plimsoll::sys

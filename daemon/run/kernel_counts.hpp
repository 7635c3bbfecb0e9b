// What the kernel counts, of us or of the whole machine, and what of it explains a death: one that was killed by
// SIGKILL, by nobody here, was killed for want of memory if the count of OOM kills rose just then. It is our own memory
// group's where there is one: in a container the machine's tells of everybody on the host.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "daemon/sys/cgroup.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

class KernelCounts {
 public:
  /// `group_kills` not open: the machine's OOM kills are counted.
  KernelCounts(sys::ProcFs proc, sys::GroupOomKills group_kills);

  /// Notes OOM kills, so that a rise long ago explains no death of today. At most one reading a second.
  void watch();
  /// Whether somebody was OOM-killed in the last two seconds.
  [[nodiscard]] bool oom_killed_lately();
  /// Of the whole machine, in small pages. Notes OOM kills, too, where that costs nothing.
  [[nodiscard]] std::optional<std::uint64_t> page_faults();

 private:
  using Steady = std::chrono::steady_clock::time_point;
  void count_kills();
  void note(std::optional<std::uint64_t> kills);
  sys::VmStat read_vmstat();

  sys::ProcFs proc_;
  sys::GroupOomKills group_kills_;
  sys::Fd vmstat_;  ///< held from the first reading
  std::optional<std::uint64_t> kills_;
  Steady counted_at_{};
  std::optional<Steady> rose_at_;
};

}  // namespace plimsoll::run

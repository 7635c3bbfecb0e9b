// What the core calls things by. A bare pid is never an identity: the kernel gives it out again.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

#include "config/plan/zone.hpp"

namespace plimsoll::core {

/// A process: its pid and when it started, in clock ticks since boot (field 22 of /proc/PID/stat).
struct ProcessId {
  int pid = 0;
  std::uint64_t start_time = 0;
  friend constexpr auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

/// No process: the parent of what was adopted and could not be placed.
inline constexpr ProcessId nobody{};

using RunNumber = std::uint64_t;
using ProbeId = std::uint64_t;  ///< one question of a probe; growing, never reused
using HookId = std::uint64_t;
using CommandId = std::uint64_t;
using InterventionId = std::uint64_t;

using Steady = std::chrono::steady_clock::time_point;
inline constexpr Steady never = Steady::max();

/// Both clocks, read once by the edge and handed in. Durations and deadlines are steady; what people read and
/// what cron means is wall.
struct Now {
  Steady steady;
  WallTime wall;
};

}  // namespace plimsoll::core

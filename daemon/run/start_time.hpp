// Start times of processes, as /proc/PID/stat and identities have them: clock ticks since boot, suspended time
// included.
#pragma once

#include <cstdint>

#include "config/plan/units.hpp"

namespace plimsoll::run {

/// Since then; 10 ms grain.
Duration age_of(std::uint64_t start_time);

/// That many ticks in a second.
std::uint64_t ticks_per_second();

/// What a process would have for its start time that started at this moment of CLOCK_MONOTONIC, in nanoseconds.
std::uint64_t start_time_at(std::uint64_t monotonic);

}  // namespace plimsoll::run

// Rest: what is far from its lines is not read while the machine stands still.
//
// A process's memory grows by page faults (or by an exec or a fork, which the census tells of), and the kernel counts
// those of the whole machine: one file tells each second whether anybody at all can have grown since everybody was
// read. While nobody has, a thousand idle services cost one reading and not a thousand.
//
// That is what a rest saves, and not what its safety stands on: some ways of growing are not counted as faults
// (userfaultfd, what a driver maps). So nobody rests longer than it takes to cover half of what is left to his nearest
// line at the growth that is assumed for him, which is the measure of all readings (memory.hpp).
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// How often page faults are counted while there is anybody who is read.
inline constexpr Duration between_counts{1'000};
/// Pages of one second's noise, and not of somebody's growth: 2 MB.
inline constexpr std::uint64_t pages_of_noise = 512;
/// However far the line is.
inline constexpr Duration longest_rest{10'000};

/// How long a process at `rss` may go unread; no more than the policy's interval: it does not rest. One that is over
/// its soft line never does.
std::chrono::nanoseconds longest_unread(const MemoryPolicy& policy, Bytes rss, double worst_growth);

/// The last instant at which that reading is known to have held; `never` when nothing was read.
Steady known_at(const World& world, const MemoryWatch& watch);

/// Wakes all who rest when somebody may have grown, or when that cannot be known.
void take_page_faults(Turn& turn, const PageFaultsCounted& counted);

/// Asks for a count when it is due: before the readings of the same instant, so that those are not asked for twice.
void count_page_faults(Turn& turn);
/// When the next one is due: while there is anybody who is read.
void plan_count(Turn& turn);
Steady page_faults_deadline(const World& world);

}  // namespace plimsoll::core

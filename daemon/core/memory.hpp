// Memory: when a process is read next, and what a reading means. Nothing here ends anything: it says what was seen, and
// hands a crossing to the ladder.
//
// The interval adapts: a process is read again before it can have covered half of what is left to its hard line, at the
// worst growth it has shown or the growth assumed for it, whichever is more. So the reading that finds it over the line
// comes at most `fastest` after it crossed, and how far it can get past the line is a number that can be promised
// (overshoot()). What is so far away that this would be seldom is read at the policy's interval all the same, unless it
// rests (resting.hpp).
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// The shortest interval between two readings.
inline constexpr Duration fastest{2};
/// What the promise allows for waking up, deciding and signalling on a busy machine.
inline constexpr Duration reaction{10};

/// Time until the next reading of a process at `rss`; `line` is the one that must not be passed unseen.
std::chrono::nanoseconds next_reading(const MemoryPolicy& policy, Bytes rss, Bytes line, double worst_growth);

/// The first point of the common grid of slow readings after that: a thousand quiet processes are one wake-up a second.
Steady on_grid(Steady after, std::chrono::nanoseconds interval);

/// How far past the hard line a process that is watched can get: growth × (fastest + reaction), what statm can hide,
/// and the slack unless the first thing done about it is SIGKILL. One that the census has to find first can be
/// growth × census further.
Bytes overshoot(const MemoryPolicy& policy, const std::vector<Rung>& on_hard, const Machine& machine);

/// A share of one, of an amount; to the nearest byte.
Bytes share_of(double of_one, Bytes whole);

/// The end of the room in which a gentle rung at the hard line may work.
Bytes slack_line(const MemoryPolicy& policy);

/// The policy that a process is watched under; null when none is.
const MemoryPolicy* policy_of(const World& world, const Process& process);

/// What the live processes of a service hold together, each by its last reading.
Bytes tree_rss(const World& world, const std::string& service);

void take_samples(Turn& turn, const MemorySampled& sampled);

/// Asks for the readings that are due, and for the first one of whatever was touched and has a line.
void settle_memory(Turn& turn);
Steady tree_deadline(const World& world, const std::string& service);
Steady readings_deadline(const World& world);

}  // namespace plimsoll::core

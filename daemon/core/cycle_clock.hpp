// When a cycle is due: the grid of `every`, the instants of a cron, the jitter, and what has fired already.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// At ready: the grid of `every` counts from there, cron from now; what was due in the run before is not due in this
/// one.
void start_cycle_clocks(Turn& turn, const std::string& service);
/// At its launch: until it is ready, or for as long as it is late, nothing is due.
void stop_cycle_clocks(ServiceLife& life);
/// A reload changed the cycles: those that are as they were go on, the others begin anew.
void change_cycle_clocks(Turn& turn, const std::string& service, const std::vector<Cycle>& before);

/// Its next instant from now on.
void plan_next(Turn& turn, const std::string& service, const Cycle& cycle, CycleClock& clock);
bool has_come(const CycleClock& clock, Now now);
/// What the clock has fired; a stretch goes on with the instant that follows its last one.
void note_fired(CycleClock& clock, const Cycle& cycle, WallSeconds fired);
/// Of `between`; without one, always.
bool in_window(const Cycle& cycle, Now now);

/// "every 6h" or "cron 0 4 * * *".
std::string schedule_text(const Cycle& cycle);
/// When the cycle is next due, on the wall; nothing before its service is ready.
std::optional<WallTime> next_due(const World& world, const CycleClock& clock);

}  // namespace plimsoll::core

// Cycles: deliberate, scheduled reconnects or restarts; and rounds, which replace engines one slot after the other, for
// a cycle or for an operator's `reconnect`. A cycle is never a failure and costs no budget, but waits while the budget
// is spent.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// At ready: the grid of `every` counts from there, cron from now; what was due in the run before is not due in this
/// one.
void start_cycle_clocks(Turn& turn, const std::string& service);
/// At its launch: until it is ready, or for as long as it is late, nothing is due.
void stop_cycle_clocks(ServiceLife& life);
/// A reload changed the cycles: those that are as they were go on, the others begin anew.
void change_cycle_clocks(Turn& turn, const std::string& service, const std::vector<Cycle>& before);

/// Begins an operator's round over these engines; `command` is answered at its end.
void begin_operator_round(Turn& turn, const std::string& service, std::vector<ProcessId> engines, CommandId command);

void settle_cycles(Turn& turn);
Steady cycles_deadline(const World& world, const ServiceLife& life);

/// "every 6h" or "cron 0 4 * * *".
std::string schedule_text(const Cycle& cycle);
/// When the cycle is next due, on the wall; nothing before its service is ready.
std::optional<WallTime> next_due(const World& world, const CycleClock& clock);

}  // namespace plimsoll::core

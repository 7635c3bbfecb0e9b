// Cycles: deliberate, scheduled reconnects or restarts. When one is due is its clock's (cycle_clock.hpp), what it does
// then is a round (rounds.hpp). A cycle is never a failure and costs no budget, but waits while the budget is spent.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// Rounds that are at work, an operator's too, and cycles whose time has come.
void settle_cycles(Turn& turn);
Steady cycles_deadline(const World& world, const ServiceLife& life);

}  // namespace plimsoll::core

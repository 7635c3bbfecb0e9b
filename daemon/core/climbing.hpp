// From rung to rung: a ladder at work looks at its cause again, tries its next rung, waits, judges. Inside of the
// ladder (ladder.hpp), for ladder.cpp and crossings.cpp.
#pragma once

#include "daemon/core/rungs.hpp"
#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// The slot of that key; made if there was none. An empty rule: the service's own line.
Slot& slot_at(World& world, const SlotKey& key);

/// The rungs that the plan has for that cause.
const std::vector<Rung>& rungs_for(const World& world, const std::string& service, const std::string& rule,
                                   Cause cause);

/// `ledger` is null where the ladder is a round's: that has its own entry.
void begin_ladder(Turn& turn, const SlotKey& key, Ladder ladder, const Intervention* ledger);

/// A cycle's turn, or an operator's: one rung, no cool-down, no cause to look at again.
bool is_round(const Ladder& ladder);

/// It does something to somebody: only then a budget is asked and spent.
bool acts(RungKind kind);

/// A rung of it has ended the run, and the next run will tell how it went.
bool ends_run(const Ladder& ladder);

void rung_failed(Turn& turn, const Place& place, Outcome outcome, const std::string& why);

/// Moves it on if its time has come.
void settle_ladder(Turn& turn, const Place& place);

}  // namespace plimsoll::core

// How a ladder ends: what is said of it, what its slot rests for, what becomes of an engine that it has ended and that
// nothing stands for, and what the round hears whose turn it was. Inside of the ladder, as climbing.hpp.
#pragma once

#include <string>

#include "daemon/core/rungs.hpp"
#include "daemon/core/turn.hpp"

namespace plimsoll::core {

void finish(Turn& turn, const Place& place, LadderEnd end, const std::string& why);

/// Decided and withheld: the rung that would act next is said with `would`, and the cool-down runs as if it had been
/// tried.
void withhold(Turn& turn, const Place& place);

/// Ends the ladder without a verdict.
void preempt(Turn& turn, const Place& place, const std::string& why);

/// How the turn came out, for the round that waits for it.
void tell_round(Turn& turn, const Place& place, Outcome outcome, const std::string& why);

}  // namespace plimsoll::core

// Ending what a run is made of, law 4: the stop signal to the main process; when that is dead, generation by generation
// to what it left, engines last, all within one grace; then SIGKILL, again and again until a census finds nothing. `sh
// -c "server & wait"` and npm need nothing special: the shell is a first generation that ends at once.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// The run begins to end: its drain, if it has one, then the first signal.
void begin_stop(Turn& turn, const std::string& service, ServiceLife& life);
/// The drain's answer, whatever it is: now it is asked to end.
void take_drain_answer(Turn& turn, const HookAnswered& answer);

void settle_stop(Turn& turn, const std::string& service, ServiceLife& life);

/// A census came in: a tree that seemed empty is empty if it shows nothing new.
void confirm_empty(Turn& turn, bool complete);

/// An operator goes on in spite of a stuck tree: what is left of it is nobody's from now on.
void abandon_stuck(Turn& turn, const std::string& service);

/// SIGKILL to single processes whose own grace is over (a rung's, not a stop's).
void settle_graces(Turn& turn);
Steady graces_deadline(const World& world, const std::string& service);

}  // namespace plimsoll::core

// How a rung of a ladder is said: its events, and its lines in the ledger.
#pragma once

#include <string>

#include "daemon/core/rungs.hpp"
#include "daemon/core/turn.hpp"

namespace plimsoll::core {

Entry rung_entry(const Place& place, const Ladder& ladder, const std::string& rung, std::string why);
/// "engine 4711", or the service where the ladder is of its own line.
std::string subject_text(const Place& place, const Ladder& ladder);
void add_rung(Turn& turn, const Ladder& ladder, const std::string& rung);
/// The outcome of the rung at work, into the events and the ledger.
void say_outcome(Turn& turn, const Place& place, const Ladder& ladder, Outcome outcome, const std::string& why);

}  // namespace plimsoll::core

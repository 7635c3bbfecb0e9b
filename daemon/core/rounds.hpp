// Rounds: engines replaced one slot after the other, for a cycle or for an operator's `reconnect`; a cycle's restart is
// one, too, of the whole service.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// Of the cycle of that index, which is due; or it is said why there is nothing to do.
void begin_round(Turn& turn, const std::string& service, ServiceLife& life, std::size_t index);
/// Begins an operator's round over these engines; `command` is answered at its end.
void begin_operator_round(Turn& turn, const std::string& service, std::vector<ProcessId> engines, CommandId command);
/// Moves the one that is at work on.
void settle_round(Turn& turn, const std::string& service, ServiceLife& life);

/// An event of that cycle.
Entry cycle_entry(const std::string& service, const Cycle& cycle, std::string why);

}  // namespace plimsoll::core

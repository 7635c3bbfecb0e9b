// Still well? What is ready is asked again and again, services and engines by their own `live`; so many failures in a
// row make one hung, and its on_hung ladder begins when its turn comes. An engine that is stopped (state T, as by
// SIGSTOP) for 30 s is hung without being asked: it answers nobody, and no hook reaches it.
//
// An app that sends keep-alives (sd_notify's WATCHDOG=1) is not asked: one that does not come in time is the failure.
//
// Nobody is asked before ready, while the run ends, or while a rung is at work on it: what is asked in the middle of a
// remedy tells nothing. While a rung is judged the asking goes on, as its answers are what shows that it worked.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

void take_liveness_answer(Turn& turn, const ProbeAnswered& answer);

/// WATCHDOG=1, or (`hung`) WATCHDOG=trigger.
void take_keep_alive(Turn& turn, const std::string& service, ServiceLife& life, bool hung);
/// Nobody asks, or waits for a keep-alive, before `life.notices.rests_until`.
void rest_liveness(Turn& turn, ServiceLife& life);

/// Asks who is due, and begins the ladders of those that are hung.
void settle_liveness(Turn& turn);
Steady liveness_deadline(const World& world, const std::string& service);

/// Well again since its ladder began: so many successes in a row.
bool is_well_again(const World& world, const std::string& service, const Process* engine);

}  // namespace plimsoll::core

// From spawned to ready: at once where the plan asks nothing; when the app says so or answers; for a task, when its
// work is done. What is not ready in time is `late` and left alone (a migration may take its time, and it may still
// become ready), or its run is ended as a failed one.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// The run was spawned.
void begin_readiness(Turn& turn, const std::string& service, ServiceLife& life);

void take_readiness_answer(Turn& turn, const ProbeAnswered& answer);
void take_ready_said(Turn& turn, const ReadySaid& said);
/// READY=1: of its start, where the plan waits for that; else of a reload of its own, which is over.
void take_ready_notice(Turn& turn, const Notified& said, ServiceLife& life);

/// Asks, waits, and says `late` when the time is over: of a run that is not ready yet.
void settle_readiness(Turn& turn, const std::string& service, ServiceLife& life);
Steady readiness_deadline(const ServiceLife& life);

}  // namespace plimsoll::core

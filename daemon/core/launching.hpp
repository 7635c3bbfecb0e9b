// From wanted to running: what the start waits for, leftovers of an earlier daemon, the launch and what came of it.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// The service is `starting`, and nothing of it runs.
void try_to_spawn(Turn& turn, const std::string& service, ServiceLife& life);
/// When there is something to try again.
Steady launching_deadline(const World& world, const ServiceLife& life);

void take_spawn(Turn& turn, const SpawnSucceeded& spawned);
void take_spawn_failure(Turn& turn, const SpawnFailed& failed);
void take_leftovers(Turn& turn, const LeftoversLookedFor& looked);

}  // namespace plimsoll::core

// Who waits for whom. `requires`: started when that one is ready (a task: done), stopped before it; while it is not,
// its dependents wait in `starting` and say for whom, and those that run already are left alone, whatever becomes of
// it. `after`: started when that one has had its turn, where both are to be started; stopped before it, where both
// stop.
#pragma once

#include <string>

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// What the start still waits for, as a sentence; empty: nothing.
std::string start_waits_for(const World& world, const ServiceLife& life);

/// Whether one that has to be stopped before it still runs.
bool stop_waits(const World& world, const std::string& service);

/// The app is gone for good: the engines that the daemon launched for it are not wanted any more.
void release_engines_of(Turn& turn, const std::string& app);

/// The app is to run again: so are those that were no longer needed.
void want_engines_of(Turn& turn, const std::string& app);

/// The app's next run is to have new ones, of those that say so.
void restart_engines_of(Turn& turn, const std::string& app);

}  // namespace plimsoll::core

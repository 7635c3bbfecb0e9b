// What another plan would change: said before it is taken (reload --dry-run), while it is taken, and in the answer
// about it. One function for all three, so that what was announced is what happens.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

enum class Change {
  untouched,
  live,       ///< the run goes on, by the new keys
  restarted,  ///< the run ends, the next one has the new keys
  next_run,   ///< it does not run, and is not started by this: its next run has the new keys
  started,
  stopped
};
const char* to_text(Change change);

struct ServiceChange {
  std::string service;
  Change change = Change::untouched;
  std::vector<std::string> keys;  ///< those of its table that differ
};

/// Of every service that is in the world or in `next`, by name.
std::vector<ServiceChange> changes(const World& world, const Plan& next);

/// The keys of [daemon] that differ.
std::vector<std::string> daemon_changes(const Plan& before, const Plan& after);

/// "web is restarted (command, user)".
std::string to_sentence(const ServiceChange& change);

/// Whether going from `before` to `after` needs another run: the command changed, or what its processes find around
/// them (working directory, environment, user, limits), or the time between keep-alives, which they were told.
bool needs_restart(const Service& before, const Service& after);

}  // namespace plimsoll::core

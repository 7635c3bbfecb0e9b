// A new plan for a running daemon: what changed is applied, a changed command restarts its service, the rest is
// untouched.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

void take_plan(Turn& turn, const PlanReplaced& replaced);

/// Whether going from `before` to `after` needs another run: the command changed, or what its processes find around
/// them: working directory, environment, user, limits.
bool needs_restart(const Service& before, const Service& after);

}  // namespace plimsoll::core

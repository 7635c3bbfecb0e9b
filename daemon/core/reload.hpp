// A new plan for a running daemon: what changed is applied, a changed command restarts its service, the rest is
// untouched.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

void take_plan(Turn& turn, const PlanReplaced& replaced);

}  // namespace plimsoll::core

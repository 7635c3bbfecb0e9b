// Orphans: engines whose owner is gone. docs/verdicts.md, rules 4 and 5.
//
//   live ──owner gone, and seen who adopted them──▶ waiting ──after──▶ looking ──nobody uses it──▶ asked ──grace──▶
//   looking_again ──▶ SIGKILL; somebody uses it: live again, the service's
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// Whether this engine has become one.
void look_for_orphan(Turn& turn, Process& process);

/// Moves the end of an orphan on if its time has come.
void move_orphan(Turn& turn, Process& engine);

void take_evidence(Turn& turn, const EvidenceLookedAt& found);

/// Its rule left the plan: nothing is decided about it any more, and what was decided is seen through (law 3).
void drop_orphan(Turn& turn, Process& engine);

/// An orphan crossed its hard line: it is asked to end now, whoever uses it.
void end_orphan_over_limit(Turn& turn, Process& engine);

}  // namespace plimsoll::core

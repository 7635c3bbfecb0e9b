// One question after the other: what readiness (readiness.hpp) and liveness (liveness.hpp) share.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// Asks if it is time to and nothing is under way; the next question follows an interval after this one was asked.
void ask_when_due(Turn& turn, Shared<Asking>& asking, AskProbe question, Duration interval);

/// Takes an answer in, or the time it should have come by; true if there was one.
bool take_answer(Turn& turn, Shared<Asking>& asking, const ProbeAnswered& answer);
bool answer_is_overdue(Turn& turn, Shared<Asking>& asking);

/// Says of an answer that the question could not be put, at most every ten minutes. `said.why` names whom.
void say_unasked(Turn& turn, Shared<Asking>& asking, const ProbeAnswered& answer, Entry said);

/// No more questions; one that is under way is not waited for.
void stop_asking(Turn& turn, Shared<Asking>& asking);

Steady asking_deadline(const Asking& asking);

}  // namespace plimsoll::core

#include "daemon/core/asking.hpp"

#include <algorithm>

namespace plimsoll::core {
namespace {

/// What the edge may be late with an answer before it counts as none.
constexpr Duration edge_may_be_late{2'000};
constexpr std::chrono::minutes between_sayings{10};

void count(Asking& asking, bool passed, const std::string& detail) {
  asking.id = 0;
  asking.answer_by = never;
  asking.unasked = false;
  asking.passed = passed ? asking.passed + 1 : 0;
  asking.failed = passed ? 0 : asking.failed + 1;
  if (!passed) asking.last = detail;
}

}  // namespace

void ask_when_due(Turn& turn, Shared<Asking>& asking, AskProbe question, Duration interval) {
  if (asking->id != 0 || turn.now.steady < asking->next) return;
  Asking& asked = asking.edit();
  question.id = asked.id = turn.world.next_probe++;
  asked.next = turn.now.steady + interval;
  asked.answer_by = turn.now.steady + question.timeout + edge_may_be_late;
  turn.emit(std::move(question));
}

bool take_answer(Turn& turn, Shared<Asking>& asking, const ProbeAnswered& answer) {
  if (asking->id == 0 || asking->id != answer.probe) return false;
  turn.changed = true;
  Asking& asked = asking.edit();
  if (answer.asked) {
    count(asked, answer.passed, answer.detail);
    return true;
  }
  // What failed before did so in a row that goes on: neither well nor worse.
  asked.id = 0;
  asked.answer_by = never;
  asked.unasked = true;
  return true;
}

void say_unasked(Turn& turn, Shared<Asking>& asking, const ProbeAnswered& answer, Entry said) {
  if (answer.asked || !asking.edit().unasked_said.due(turn.now.steady, between_sayings)) return;
  said.why = said.why + " cannot be asked whether it is well: " + answer.detail + "; nothing is concluded from that";
  said.level = Level::warning;
  record(turn, std::move(said));
}

bool answer_is_overdue(Turn& turn, Shared<Asking>& asking) {
  if (asking->id == 0 || turn.now.steady < asking->answer_by) return false;
  turn.emit(CancelProbe{asking->id});
  count(asking.edit(), false, "no answer");
  turn.changed = true;
  return true;
}

void stop_asking(Turn& turn, Shared<Asking>& asking) {
  if (asking->id != 0) turn.emit(CancelProbe{asking->id});
  asking = {};
}

Steady asking_deadline(const Asking& asking) {
  return asking.id != 0 ? asking.answer_by : asking.next;
}

}  // namespace plimsoll::core

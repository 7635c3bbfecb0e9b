#include "daemon/core/rung_entries.hpp"

#include <utility>

namespace plimsoll::core {

Entry rung_entry(const Place& place, const Ladder& ladder, const std::string& rung, std::string why) {
  Entry said = entry(EventKind::rung, place.service, std::move(why));
  said.rule = place.rule;
  said.rung = rung;
  if (ladder.subject != nobody) said.pid = ladder.subject.pid;
  return said;
}

std::string subject_text(const Place& place, const Ladder& ladder) {
  if (place.rule.empty()) return place.service;
  return "engine " + std::to_string(ladder.subject.pid);
}

void add_rung(Turn& turn, const Ladder& ladder, const std::string& rung) {
  if (Intervention* ledger = find_intervention(turn.world, ladder.intervention)) {
    ledger->rungs.push_back({rung, std::nullopt, turn.now.wall, turn.now.steady, {}, {}});
  }
}

void say_outcome(Turn& turn, const Place& place, const Ladder& ladder, Outcome outcome, const std::string& why) {
  const std::string rung = to_text(ladder.rungs[ladder.next - 1]);
  Entry said = rung_entry(
      place, ladder, rung,
      rung + " for " + subject_text(place, ladder) + " " + to_text(outcome) + (why.empty() ? "" : ": " + why));
  said.outcome = outcome;
  said.level = outcome == Outcome::worked || outcome == Outcome::skipped ? Level::info : Level::warning;
  record(turn, said);
  Intervention* ledger = find_intervention(turn.world, ladder.intervention);
  if (ledger == nullptr || ledger->rungs.empty()) return;
  ledger->rungs.back().outcome = outcome;
  ledger->rungs.back().took = std::chrono::duration_cast<Duration>(turn.now.steady - ladder.rung_began);
  ledger->rungs.back().why = why;
}

}  // namespace plimsoll::core

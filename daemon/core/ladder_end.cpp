#include "daemon/core/ladder_end.hpp"

#include <algorithm>

#include "daemon/core/climbing.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/rung_entries.hpp"

namespace plimsoll::core {
namespace {

/// What becomes of a lost engine when the ladder about it is over. Where nothing has replaced it, it is not forgotten:
/// its own turn comes again (begin_lost_ladder), or its owner, its rule or its run is gone (heal).
void leave_lost(Turn& turn, const Place& place, const Ladder& ladder, LadderEnd end, Engine& engine) {
  switch (end) {
    case LadderEnd::exhausted:
    case LadderEnd::no_budget:
      place.slot->cool_until = turn.now.steady + turn.world.services.at(place.service).plan->cool_down;
      engine.heal_deadline = place.slot->cool_until;
      return;
    case LadderEnd::preempted:
      if (ladder.cause == Cause::lost) engine.heal_deadline = turn.now.steady;
      return;
    case LadderEnd::subsided:
      // A ladder about its memory has nothing more to do for it; the time that its app has runs on.
      if (ladder.cause != Cause::lost) return;
      [[fallthrough]];
    case LadderEnd::worked:
    case LadderEnd::healed: engine.heal_deadline = never; engine.state = EngineState::gone;
  }
}

/// Whether a reconnect of this ladder was at work when its engine ended: the app put that away because we asked.
bool ended_by_reconnect(const Intervention& ledger, const Process& subject) {
  return std::any_of(ledger.rungs.begin(), ledger.rungs.end(), [&](const RungTried& tried) {
    return tried.rung == "reconnect" && subject.death->at >= tried.began &&
           (!tried.outcome || subject.death->at <= tried.began + tried.took);
  });
}

/// Whether the ladder has ended its engine, and nothing has come in the engine's place.
bool is_missed(Turn& turn, const Place& place, const Ladder& ladder, const Process& subject) {
  const EngineRule* rule = rule_of(turn.world, place.service, place.rule);
  const Intervention* ledger = find_intervention(turn.world, ladder.intervention);
  if (rule == nullptr || ledger == nullptr || !rule->expect.successor || rule->on_lost->empty()) return false;
  if (subject.alive() || !subject.engine->judged || subject.engine->replaced) return false;
  if (subject.engine->state != EngineState::gone) return false;
  if (!subject.asked && !subject.killed && !ended_by_reconnect(*ledger, subject)) return false;
  const Owner owner = owner_of(turn.world, subject);
  const Process* worker = find_process(turn.world, owner.worker);
  const bool owner_lives = owner.service() || (worker != nullptr && worker->alive());
  const bool of_this_run = subject.run == turn.world.services.at(place.service).run;
  return owner_lives && of_this_run && successor_of(turn.world, subject, ledger->began) == nullptr;
}

/// It is missed as if it had ended by itself: its app may heal first, then on_lost has its turn.
void miss(Turn& turn, const Place& place, Process& subject) {
  subject.engine->state = EngineState::lost;
  subject.engine->heal_deadline =
      std::max(place.slot->cool_until, subject.death->at + turn.world.services.at(place.service).plan->heal);
}

}  // namespace

void finish(Turn& turn, const Place& place, LadderEnd end, const std::string& why) {
  const Ladder ladder = std::move(*place.slot->ladder);
  place.slot->ladder.reset();
  turn.changed = true;
  ServiceLife& life = turn.world.services.at(place.service);
  if (is_round(ladder)) {
    tell_round(turn, place, end == LadderEnd::worked ? Outcome::worked : Outcome::failed, why);
    return;
  }
  const Steady cool = turn.now.steady + life.plan->cool_down;
  if ((ladder.acted && end != LadderEnd::preempted) || end == LadderEnd::exhausted) {
    place.slot->cool_until = cool;
    if (ladder.doing == RungKind::worker || ladder.doing == RungKind::restart) life.cool_until = cool;
  }
  place.slot->exhausted = end == LadderEnd::exhausted;
  place.slot->hard_exhausted = place.slot->exhausted && ladder.cause == Cause::hard;
  place.slot->outlived = false;
  Process* subject = find_process(turn.world, ladder.subject);
  const bool left = end == LadderEnd::exhausted || end == LadderEnd::no_budget || end == LadderEnd::preempted;
  const bool missed = left && subject != nullptr && subject->engine && is_missed(turn, place, ladder, *subject);
  if (missed) {
    miss(turn, place, *subject);
  } else if (subject != nullptr && subject->engine && subject->engine->state == EngineState::lost) {
    leave_lost(turn, place, ladder, end, *subject->engine);
  }
  if (Intervention* ledger = find_intervention(turn.world, ladder.intervention)) {
    if (subject != nullptr && subject->memory.peak.count != 0) ledger->peak = subject->memory.peak;
    close_intervention(turn, ladder.intervention, end);
  }
  if (end == LadderEnd::exhausted) {
    Entry said = rung_entry(place, ladder, {},
                            "every rung for " + subject_text(place, ladder) +
                                " has been tried and none worked; nothing more for " + to_text(life.plan->cool_down) +
                                (missed ? ", then on_lost: nothing stands in its place" : ""));
    said.level = Level::error;
    record(turn, said);
  } else if (end == LadderEnd::subsided || end == LadderEnd::healed) {
    record(turn, rung_entry(place, ladder, {}, "no further rung for " + subject_text(place, ladder) + ": " + why));
  }
}

void withhold(Turn& turn, const Place& place) {
  Ladder& ladder = *place.slot->ladder;
  const auto first = std::find_if(ladder.rungs.begin() + static_cast<std::ptrdiff_t>(ladder.next), ladder.rungs.end(),
                                  [](const Rung& rung) { return acts(rung.kind); });
  const std::string rung = first == ladder.rungs.end() ? "log" : to_text(*first);
  Entry said = rung_entry(place, ladder, rung, "would try " + rung + " for " + subject_text(place, ladder));
  said.would = true;
  record(turn, said);
  add_rung(turn, ladder, rung);
  if (Intervention* ledger = find_intervention(turn.world, ladder.intervention)) {
    // A hold can come between two rungs: then it did act.
    ledger->would = !ladder.acted;
    if (ladder.acted) ledger->end = LadderEnd::preempted;
    ledger->ended = turn.now.steady;
    if (!ledger->rungs.empty()) ledger->rungs.back().why = "withheld";
    if (ladder.acted && !ledger->rungs.empty()) ledger->rungs.back().outcome = Outcome::skipped;
  }
  const Duration cool_down = turn.world.services.at(place.service).plan->cool_down;
  Process* subject = find_process(turn.world, ladder.subject);
  const bool missed = subject != nullptr && subject->engine && is_missed(turn, place, ladder, *subject);
  if (subject != nullptr && subject->engine && subject->engine->state == EngineState::lost)
    subject->engine->heal_deadline = turn.now.steady + cool_down;
  if (is_round(ladder)) tell_round(turn, place, Outcome::failed, "withheld");
  if (ladder.cause == Cause::hard) place.slot->hard_said_until = turn.now.steady + cool_down;
  place.slot->ladder.reset();
  place.slot->cool_until = turn.now.steady + cool_down;
  if (missed) miss(turn, place, *subject);
  turn.changed = true;
}

void preempt(Turn& turn, const Place& place, const std::string& why) {
  Ladder& ladder = *place.slot->ladder;
  if (ladder.hook != 0) turn.emit(CancelHook{ladder.hook});
  if (ladder.next > 0 && ladder.phase != Ladder::Phase::due) say_outcome(turn, place, ladder, Outcome::failed, why);
  finish(turn, place, LadderEnd::preempted, why);
}

void tell_round(Turn& turn, const Place& place, Outcome outcome, const std::string& why) {
  auto& round = turn.world.services.at(place.service).round;
  if (!round) return;
  round->turn = outcome;
  round->turn_why = why;
}

}  // namespace plimsoll::core

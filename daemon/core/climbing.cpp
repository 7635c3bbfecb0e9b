#include "daemon/core/climbing.hpp"

#include <algorithm>

#include "daemon/core/budget.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/ladder_end.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/liveness.hpp"
#include "daemon/core/rung_entries.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

std::optional<LadderEnd> cause_is_over(Turn& turn, const Place& place, const Ladder& ladder) {
  if (is_round(ladder) || ladder.next == 0) return std::nullopt;
  Process* subject = find_process(turn.world, ladder.subject);
  if (ladder.cause == Cause::hung && subject != nullptr && subject->alive())
    return is_well_again(turn.world, place.service, place.rule.empty() ? nullptr : subject)
               ? std::optional{LadderEnd::subsided}
               : std::nullopt;
  if (ladder.of_container) {
    return turn.world.services.at(place.service).container.over_hard ? std::nullopt
                                                                     : std::optional{LadderEnd::subsided};
  }
  if (place.rule.empty()) {
    const ServiceLife& life = turn.world.services.at(place.service);
    const MemoryPolicy& policy = life.plan->memory;
    const bool tree = policy.of == MemoryScope::tree;
    if (!tree && (subject == nullptr || !subject->alive())) return LadderEnd::subsided;
    const MemoryWatch& watch = tree ? life.tree : subject->memory;
    const auto line = ladder.cause == Cause::hard ? policy.hard : policy.soft;
    return !line || watch.rss < *line ? std::optional{LadderEnd::subsided} : std::nullopt;
  }
  if (subject == nullptr || !subject->engine) return LadderEnd::subsided;
  if (!subject->alive()) {
    // What ended without us has its own verdict; and an app that connects lazily owes no successor.
    if (ladder.cause != Cause::lost && (!ladder.acted || !ladder.expect.successor)) return LadderEnd::subsided;
    const Intervention* ledger = find_intervention(turn.world, ladder.intervention);
    Process* successor = successor_of(turn.world, *subject, ledger != nullptr ? ledger->began : ladder.rung_began);
    if (successor == nullptr) return std::nullopt;
    if (ladder.expect.below && successor->memory.rss >= *ladder.expect.below) return std::nullopt;
    take_successor(*successor, *subject);
    return ladder.cause == Cause::lost ? LadderEnd::healed : LadderEnd::subsided;
  }
  const EngineRule* rule = rule_of(turn.world, place.service, place.rule);
  if (rule == nullptr) return LadderEnd::subsided;
  const auto line = ladder.cause == Cause::hard ? rule->memory.hard : rule->memory.soft;
  return !line || subject->memory.rss < *line ? std::optional{LadderEnd::subsided} : std::nullopt;
}

void next_rung(Ladder& ladder) {
  ladder.phase = Ladder::Phase::due;
  ladder.deadline = never;
  ladder.hook = 0;
}

/// Law 6: with the budget spent, a hard line is still acted on: by a restart with the policy's backoff, not by one more
/// kill. The container's is left to the kernel then, which ends whom it must: another restart so soon after one that
/// did not help is the outage itself.
void out_of_budget(Turn& turn, const Place& place) {
  const bool hard = place.slot->ladder->cause == Cause::hard;
  const bool of_container = place.slot->ladder->of_container;
  const Steady back = budget_back(turn.world.services.at(place.service));
  const InterventionId intervention = place.slot->ladder->intervention;
  finish(turn, place, LadderEnd::no_budget, "the budget is spent");
  place.slot->cool_until = std::max(place.slot->cool_until, back);
  if (of_container) place.slot->exhausted = true;
  if (!hard || of_container) return;
  place.slot->exhausted = outlived_sigkill(turn.world, place.service, turn.now.steady) != nullptr;
  place.slot->hard_exhausted = place.slot->outlived = place.slot->exhausted;
  if (place.slot->exhausted) return;
  restart_with_backoff(turn, place.service, "hard limit crossed with the budget spent");
  // No rung: an act of the budget it is not.
  if (Intervention* ledger = find_intervention(turn.world, intervention))
    ledger->why += "; with the budget spent the run is ended, and the next one starts after its backoff";
}

void try_rung(Turn& turn, const Place& place) {
  Ladder& ladder = *place.slot->ladder;
  if (const auto over = cause_is_over(turn, place, ladder)) {
    return finish(turn, place, *over,
                  *over == LadderEnd::healed    ? "its app has healed itself"
                  : ladder.cause == Cause::hung ? "it is well again"
                                                : "the line is no longer crossed");
  }
  if (ladder.next >= ladder.rungs.size()) {
    return finish(turn, place, is_round(ladder) ? LadderEnd::preempted : LadderEnd::exhausted, "nothing left to try");
  }
  const bool by_operator = !ladder.cause;
  if (!by_operator && withheld(turn.world, ladder.cause == Cause::hard)) return withhold(turn, place);
  const Rung rung = ladder.rungs[ladder.next];
  if (!is_round(ladder) && acts(rung.kind) && !budget_left(turn, place.service)) return out_of_budget(turn, place);
  ++ladder.next;
  turn.changed = true;
  next_rung(ladder);
  add_rung(turn, ladder, to_text(rung));
  record(turn,
         rung_entry(place, ladder, to_text(rung), "tries " + to_text(rung) + " for " + subject_text(place, ladder)));
  const Tried tried = do_rung(turn, place, ladder, rung);
  if (tried.skipped) {
    say_outcome(turn, place, ladder, Outcome::skipped, tried.why);
    if (is_round(ladder)) finish(turn, place, LadderEnd::exhausted, tried.why);
    return;
  }
  ladder.acted = ladder.acted || acts(rung.kind);
  if (!is_round(ladder) && acts(rung.kind)) spend(turn, place.service);
}

void rung_worked(Turn& turn, const Place& place) {
  Ladder& ladder = *place.slot->ladder;
  std::string why = "after " + seconds_text(std::chrono::duration_cast<Duration>(turn.now.steady - ladder.rung_began));
  if (const Intervention* ledger = find_intervention(turn.world, ladder.intervention)) {
    if (ledger->successor_pid) why += ", engine " + std::to_string(*ledger->successor_pid) + " stands for it";
    if (ledger->rss_before && ledger->rss_after)
      why += ", " + to_human(*ledger->rss_before) + " → " + to_human(*ledger->rss_after);
    if (ledger->without_engine) why += ", " + seconds_text(*ledger->without_engine) + " without an engine";
  }
  say_outcome(turn, place, ladder, Outcome::worked, why);
  finish(turn, place, LadderEnd::worked, why);
}

Duration within_of(const World& world, const Place& place, const Ladder& ladder) {
  return ladder.expect.within.value_or(world.services.at(place.service).plan->heal);
}

void wait_for_end(Turn& turn, const Place& place) {
  Ladder& ladder = *place.slot->ladder;
  const Process* process = find_process(turn.world, ending_of(ladder));
  if (process == nullptr || !process->alive()) {
    ladder.phase = Ladder::Phase::verifying;
    const Steady ended = process != nullptr ? process->death->at : turn.now.steady;
    ladder.deadline = ended + within_of(turn.world, place, ladder);
    turn.changed = true;
  } else if (process->killed && turn.now.steady - *process->killed >= 10s) {
    rung_failed(
        turn, place, Outcome::failed,
        "process " + std::to_string(process->id.pid) + " has outlived its SIGKILL (state " + process->state + ")");
  }
}

}  // namespace

Slot& slot_at(World& world, const SlotKey& key) {
  return key.rule.empty() ? world.services.at(key.service).own : world.slots[key];
}

const std::vector<Rung>& rungs_for(const World& world, const std::string& service, const std::string& rule,
                                   Cause cause) {
  static const std::vector<Rung> none;
  if (const EngineRule* engine = rule_of(world, service, rule)) {
    if (cause == Cause::lost) return engine->on_lost;
    if (cause == Cause::hung) return engine->on_hung;
    return cause == Cause::hard ? engine->on_hard : engine->on_soft;
  }
  const Service* plan = plan_of(world, service);
  if (plan == nullptr || !rule.empty()) return none;
  if (cause == Cause::hung) return plan->on_hung;
  return cause == Cause::hard ? plan->on_hard : plan->on_soft;
}

void begin_ladder(Turn& turn, const SlotKey& key, Ladder ladder, const Intervention* ledger) {
  if (ledger != nullptr) ladder.intervention = ledger->id;
  ladder.owner = key.owner;
  ladder.of_run = key.rule.empty();
  if (const Process* owner = find_process(turn.world, key.owner)) ladder.owner_parent = owner->parent;
  ladder.rung_began = turn.now.steady;
  Slot& slot = slot_at(turn.world, key);
  slot.ladder = std::move(ladder);
  slot.exhausted = false;
  turn.changed = true;
}

bool is_round(const Ladder& ladder) {
  return !ladder.cause || *ladder.cause == Cause::cycle;
}

bool acts(RungKind kind) {
  return kind != RungKind::log && kind != RungKind::wait;
}
bool ends_run(const Ladder& ladder) {
  const bool at_work = ladder.phase == Ladder::Phase::ending || ladder.phase == Ladder::Phase::verifying;
  return at_work && (ladder.doing == RungKind::restart ||
                     (ladder.of_run && (ladder.doing == RungKind::end || ladder.doing == RungKind::kill)));
}

void rung_failed(Turn& turn, const Place& place, Outcome outcome, const std::string& why) {
  Ladder& ladder = *place.slot->ladder;
  say_outcome(turn, place, ladder, outcome, why);
  turn.changed = true;
  // Whatever ends the run from now on is no longer this rung.
  if (ends_run(ladder)) turn.world.services.at(place.service).expected_end = false;
  if (is_round(ladder)) return finish(turn, place, LadderEnd::exhausted, why);
  next_rung(ladder);
}

void settle_ladder(Turn& turn, const Place& place) {
  Ladder& ladder = *place.slot->ladder;
  if (ends_run(ladder) && !turn.world.services.at(place.service).wanted)
    return preempt(turn, place, "the service is stopped");
  const bool late = turn.now.steady >= ladder.deadline;
  switch (ladder.phase) {
    case Ladder::Phase::due: return try_rung(turn, place);
    case Ladder::Phase::hook:
      if (!late) return;
      turn.emit(CancelHook{ladder.hook});
      return rung_failed(turn, place, Outcome::timed_out, "no answer");
    case Ladder::Phase::ending: return wait_for_end(turn, place);
    case Ladder::Phase::verifying:
      if (has_worked(turn, place, ladder)) return rung_worked(turn, place);
      if (late) rung_failed(turn, place, Outcome::timed_out, still_missing(turn.world, place, ladder));
      return;
    case Ladder::Phase::waiting:
      if (late) {
        say_outcome(turn, place, ladder, Outcome::skipped, "waited, as asked");
        next_rung(ladder);
        turn.changed = true;
      }
      return;
  }
}

}  // namespace plimsoll::core

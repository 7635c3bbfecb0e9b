#include "daemon/core/ladder.hpp"

#include <algorithm>

#include "daemon/core/budget.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/rungs.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration answer_within{30'000};  ///< `expect.within` after a hook's answer, unless one is written

Duration since(Steady then, Steady now) {
  return std::chrono::duration_cast<Duration>(now - then);
}

Slot& slot_at(World& world, const SlotKey& key) {
  return key.rule.empty() ? world.services.at(key.service).own : world.slots[key];
}

SlotKey key_of(const World& world, const Crossing& crossing) {
  if (crossing.rule.empty()) return {crossing.service, {}, nobody};
  return slot_of(world, *find_process(world, crossing.subject));
}

const std::vector<Rung>& rungs_for(const World& world, const std::string& service, const std::string& rule,
                                   Cause cause) {
  static const std::vector<Rung> none;
  if (const EngineRule* engine = rule_of(world, service, rule)) {
    if (cause == Cause::lost) return engine->on_lost;
    return cause == Cause::hard ? engine->on_hard : engine->on_soft;
  }
  const Service* plan = plan_of(world, service);
  if (plan == nullptr) return none;
  return cause == Cause::hard ? plan->on_hard : plan->on_soft;
}

bool acts(RungKind kind) {
  return kind != RungKind::log && kind != RungKind::wait;
}
bool is_round(const Ladder& ladder) {
  return !ladder.cause || *ladder.cause == Cause::cycle;
}

/// A rung of it has ended the run, and the next run will tell how it went.
bool ends_run(const Ladder& ladder) {
  const bool at_work = ladder.phase == Ladder::Phase::ending || ladder.phase == Ladder::Phase::verifying;
  return at_work && (ladder.doing == RungKind::restart ||
                     (ladder.of_run && (ladder.doing == RungKind::end || ladder.doing == RungKind::kill)));
}

// --- How a rung and a ladder are said
// -------------------------------------------------------------------------------------

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

/// The outcome of the rung at work, into the events and the ledger.
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
  ledger->rungs.back().took = since(ladder.rung_began, turn.now.steady);
  ledger->rungs.back().why = why;
}

void tell_round(Turn& turn, const Place& place, Outcome outcome, const std::string& why) {
  auto& round = turn.world.services.at(place.service).round;
  if (!round) return;
  round->turn = outcome;
  round->turn_why = why;
}

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
  Process* subject = find_process(turn.world, ladder.subject);
  if (subject != nullptr && subject->engine && subject->engine->state == EngineState::lost) {
    const bool again = end == LadderEnd::exhausted || end == LadderEnd::no_budget;
    if (again) place.slot->cool_until = cool;
    subject->engine->heal_deadline = again ? cool : never;
    if (!again) subject->engine->state = EngineState::gone;
  }
  if (Intervention* ledger = find_intervention(turn.world, ladder.intervention)) {
    if (subject != nullptr && subject->memory.peak.count != 0) ledger->peak = subject->memory.peak;
    close_intervention(turn, ladder.intervention, end);
  }
  if (end == LadderEnd::exhausted) {
    Entry said = rung_entry(place, ladder, {},
                            "every rung for " + subject_text(place, ladder) +
                                " has been tried and none worked; nothing more for " + to_text(life.plan->cool_down));
    said.level = Level::error;
    record(turn, said);
  } else if (end == LadderEnd::subsided || end == LadderEnd::healed) {
    record(turn, rung_entry(place, ladder, {}, "no further rung for " + subject_text(place, ladder) + ": " + why));
  }
}

// --- The cause, looked at again
// --------------------------------------------------------------------------------------------

std::optional<LadderEnd> cause_is_over(Turn& turn, const Place& place, const Ladder& ladder) {
  if (is_round(ladder) || ladder.next == 0) return std::nullopt;
  Process* subject = find_process(turn.world, ladder.subject);
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

// --- From rung to rung
// ---------------------------------------------------------------------------------------------------------

void next_rung(Ladder& ladder) {
  ladder.phase = Ladder::Phase::due;
  ladder.deadline = never;
  ladder.hook = 0;
}

/// Decided and withheld: the rung that would act next is said with `would`, and the cool-down runs as if it had been
/// tried.
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
  if (subject != nullptr && subject->engine && subject->engine->state == EngineState::lost)
    subject->engine->heal_deadline = turn.now.steady + cool_down;
  if (is_round(ladder)) tell_round(turn, place, Outcome::failed, "withheld");
  if (ladder.cause == Cause::hard) place.slot->hard_said_until = turn.now.steady + cool_down;
  place.slot->ladder.reset();
  place.slot->cool_until = turn.now.steady + cool_down;
  turn.changed = true;
}

/// Law 6: with the budget spent, a hard line is still acted on: by a restart with the policy's backoff, not by one more
/// kill.
void out_of_budget(Turn& turn, const Place& place) {
  const bool hard = place.slot->ladder->cause == Cause::hard;
  const Steady back = budget_back(turn.world.services.at(place.service));
  finish(turn, place, LadderEnd::no_budget, "the budget is spent");
  place.slot->cool_until = std::max(place.slot->cool_until, back);
  if (!hard) return;
  place.slot->exhausted = outlived_sigkill(turn.world, place.service, turn.now.steady) != nullptr;
  if (!place.slot->exhausted) restart_with_backoff(turn, place.service, "hard limit crossed with the budget spent");
}

void try_rung(Turn& turn, const Place& place) {
  Ladder& ladder = *place.slot->ladder;
  if (const auto over = cause_is_over(turn, place, ladder)) {
    return finish(turn, place, *over,
                  *over == LadderEnd::healed ? "its app has healed itself" : "the line is no longer crossed");
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

void rung_failed(Turn& turn, const Place& place, Outcome outcome, const std::string& why) {
  Ladder& ladder = *place.slot->ladder;
  say_outcome(turn, place, ladder, outcome, why);
  turn.changed = true;
  // Whatever ends the run from now on is no longer this rung.
  if (ends_run(ladder)) turn.world.services.at(place.service).expected_end = false;
  if (is_round(ladder)) return finish(turn, place, LadderEnd::exhausted, why);
  next_rung(ladder);
}

void rung_worked(Turn& turn, const Place& place) {
  Ladder& ladder = *place.slot->ladder;
  std::string why = "after " + seconds_text(since(ladder.rung_began, turn.now.steady));
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

void preempt(Turn& turn, const Place& place, const std::string& why) {
  Ladder& ladder = *place.slot->ladder;
  if (ladder.hook != 0) turn.emit(CancelHook{ladder.hook});
  if (ladder.next > 0 && ladder.phase != Ladder::Phase::due) say_outcome(turn, place, ladder, Outcome::failed, why);
  finish(turn, place, LadderEnd::preempted, why);
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

void begin(Turn& turn, const SlotKey& key, Ladder ladder, const Intervention* ledger) {
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

void begin_memory_ladder(Turn& turn, const Crossing& crossing, const SlotKey& key, Cause cause) {
  Ladder ladder;
  ladder.cause = cause;
  ladder.subject = crossing.subject;
  ladder.rungs = rungs_for(turn.world, crossing.service, crossing.rule, cause);
  const Bytes line = cause == Cause::hard ? *crossing.policy->hard : *crossing.policy->soft;
  const std::string who = crossing.rule.empty() ? crossing.service : "engine " + std::to_string(crossing.subject.pid);
  Intervention& ledger =
      open_intervention(turn, crossing.service, cause,
                        who + (cause == Cause::hard ? " crossed its hard limit: " : " stayed over its soft limit: ") +
                            over_text(crossing.rss, line));
  ledger.rule = crossing.rule;
  if (crossing.subject != nobody) ledger.pid = crossing.subject.pid;
  if (key.owner != nobody) ledger.owner_pid = key.owner.pid;
  ledger.rss_before = crossing.rss;
  begin(turn, key, std::move(ladder), &ledger);
}

/// What the first rung at a hard line does at once to the engine itself; nothing where it is another kind.
std::optional<RungKind> ends_at_once(const EngineRule& rule) {
  if (rule.on_hard.empty()) return std::nullopt;
  const RungKind first = rule.on_hard.front().kind;
  if (first == RungKind::reconnect && rule.reconnect && rule.reconnect->how == Reconnect::How::end)
    return RungKind::end;
  return first == RungKind::end || first == RungKind::kill ? std::optional{first} : std::nullopt;
}

/// Another engine of a slot whose ladder is busy: its own first rung at once, only the verification waits (law 7). A
/// rung that asks somebody else waits too: the ladder at work is asking there already.
void end_beside(Turn& turn, const Crossing& crossing, const SlotKey& key) {
  Process* engine = find_process(turn.world, crossing.subject);
  const EngineRule* rule = rule_of(turn.world, crossing.service, crossing.rule);
  const auto rung = ends_at_once(*rule);
  if (!rung || withheld(turn.world, true) || !budget_left(turn, crossing.service)) return;
  spend(turn, crossing.service);
  const std::string pid = std::to_string(engine->id.pid);
  const std::string why = "engine " + pid + " crossed its hard limit beside the ladder at work in its slot: " +
                          over_text(crossing.rss, *crossing.policy->hard);
  Intervention& ledger = open_intervention(turn, crossing.service, Cause::hard, why);
  ledger.rule = crossing.rule;
  ledger.pid = engine->id.pid;
  if (key.owner != nobody) ledger.owner_pid = key.owner.pid;
  ledger.rss_before = crossing.rss;
  const char* name = *rung == RungKind::kill ? "kill" : "end";
  ledger.rungs.push_back({name, std::nullopt, turn.now.wall, turn.now.steady, {}, {}});
  engine->engine->intervention = ledger.id;
  Entry said = entry(EventKind::rung, *engine,
                     "tries " + std::string{name} + " for engine " + pid + " beside the ladder at work in its slot");
  said.rung = name;
  record(turn, said);
  engine->engine->state = EngineState::ending;
  if (*rung == RungKind::kill) {
    kill_now(turn, *engine);
  } else {
    ask_to_end(turn, *engine, rule->stop.signal, turn.now.steady + rule->stop.grace);
  }
}

/// What was asked to end by itself has grown past the room it had for that: SIGKILL at once, so that the promised bound
/// holds.
void end_past_slack(Turn& turn, const Crossing& crossing) {
  const ProcessId target = crossing.subject == nobody ? app_process(turn.world, crossing.service) : crossing.subject;
  Process* process = find_process(turn.world, target);
  if (process == nullptr || !process->alive() || process->killed || withheld(turn.world, true)) return;
  Entry said = entry(EventKind::rung, *process,
                     "SIGKILL to " + std::to_string(target.pid) +
                         ", past the slack of its hard limit: " + over_text(crossing.rss, *crossing.policy->hard));
  said.rung = "kill";
  said.limit = *crossing.policy->hard;
  said.rss = crossing.rss;
  record(turn, said);
  kill_now(turn, *process);
}

/// A hard line crossed while a ladder is at work in the slot.
void hard_crossed_beside(Turn& turn, const Crossing& crossing, const SlotKey& key) {
  Slot& slot = slot_at(turn.world, key);
  const Place place{key.service, key.rule, &slot};
  Ladder& ladder = *slot.ladder;
  const bool past_slack = crossing.rss >= slack_line(*crossing.policy);
  if (ladder.subject == crossing.subject || key.rule.empty()) {
    if (ladder.cause != Cause::hard) {
      preempt(turn, place, "the hard limit was crossed");
      begin_memory_ladder(turn, crossing, key, Cause::hard);
    } else if (ladder.phase != Ladder::Phase::due && past_slack) {
      end_past_slack(turn, crossing);
    }
    return;
  }
  const Process* engine = find_process(turn.world, crossing.subject);
  if (engine->asked) {
    if (past_slack) end_past_slack(turn, crossing);
    return;
  }
  const bool successor = ladder.phase == Ladder::Phase::verifying && engine->first_seen >= ladder.rung_began;
  if (!successor) return end_beside(turn, crossing, key);
  // The next rung acts on what is over the line now, not on the engine that is gone.
  rung_failed(turn, place, Outcome::failed,
              "its successor " + std::to_string(engine->id.pid) + " crossed the hard limit");
  if (!slot.ladder) return;
  slot.ladder->subject = crossing.subject;
  slot.ladder->cause = Cause::hard;
}

}  // namespace

void soft_crossed(Turn& turn, const Crossing& crossing) {
  const SlotKey key = key_of(turn.world, crossing);
  const ServiceLife& life = turn.world.services.at(crossing.service);
  const Slot& slot = slot_at(turn.world, key);
  if (slot.ladder || turn.now.steady < slot.cool_until || turn.now.steady < life.cool_until ||
      busy(turn.world, crossing.service))
    return;
  begin_memory_ladder(turn, crossing, key, Cause::soft);
}

void hard_crossed(Turn& turn, const Crossing& crossing) {
  const ServiceLife& life = turn.world.services.at(crossing.service);
  const bool up = life.state == ServiceState::ready || life.state == ServiceState::late;
  const bool past_slack = crossing.rss >= slack_line(*crossing.policy);
  const Process* subject = find_process(turn.world, crossing.subject);
  if (subject != nullptr && subject->killed) return;
  if (!up) {
    if (past_slack && life.state == ServiceState::stopping) end_past_slack(turn, crossing);
    return;
  }
  const SlotKey key = key_of(turn.world, crossing);
  Slot& slot = slot_at(turn.world, key);
  if (slot.ladder) return hard_crossed_beside(turn, crossing, key);
  if (subject != nullptr && subject->asked) {
    if (past_slack) end_past_slack(turn, crossing);
    return;
  }
  if (slot.exhausted && turn.now.steady < slot.cool_until) return;
  if (withheld(turn.world, true) && turn.now.steady < slot.hard_said_until) return;
  begin_memory_ladder(turn, crossing, key, Cause::hard);
}

void begin_lost_ladder(Turn& turn, Process& engine) {
  const SlotKey key = slot_of(turn.world, engine);
  const ServiceLife& life = turn.world.services.at(engine.service);
  const Slot& slot = slot_at(turn.world, key);
  if (slot.ladder || turn.now.steady < slot.cool_until || turn.now.steady < life.cool_until ||
      busy(turn.world, engine.service)) {
    // Its turn comes: after the cool-down, or when the other healer is done.
    engine.engine->heal_deadline = std::max({turn.now.steady + 500ms, slot.cool_until, life.cool_until});
    return;
  }
  Ladder ladder;
  ladder.cause = Cause::lost;
  ladder.subject = engine.id;
  ladder.rungs = rungs_for(turn.world, engine.service, engine.engine->rule, Cause::lost);
  Intervention& ledger =
      open_intervention(turn, engine.service, Cause::lost,
                        "engine " + std::to_string(engine.id.pid) + " is lost and its app has not replaced it in " +
                            to_text(life.plan->heal));
  ledger.rule = engine.engine->rule;
  ledger.pid = engine.id.pid;
  if (key.owner != nobody) ledger.owner_pid = key.owner.pid;
  ledger.peak = engine.memory.peak;
  engine.engine->heal_deadline = never;
  begin(turn, key, std::move(ladder), &ledger);
}

bool begin_turn(Turn& turn, Process& engine, std::optional<Cause> cause, InterventionId intervention) {
  const SlotKey key = slot_of(turn.world, engine);
  const EngineRule* rule = rule_of(turn.world, key.service, key.rule);
  if (rule == nullptr || !rule->reconnect || slot_at(turn.world, key).ladder) return false;
  Ladder ladder;
  ladder.cause = cause;
  ladder.subject = engine.id;
  Rung rung;
  rung.kind = RungKind::reconnect;
  ladder.rungs = {rung};
  ladder.intervention = intervention;
  if (Intervention* ledger = find_intervention(turn.world, intervention)) ledger->rss_before = engine.memory.rss;
  begin(turn, key, std::move(ladder), nullptr);
  return true;
}

void take_hook_answer(Turn& turn, const HookAnswered& answer) {
  const auto take = [&](const Place& place) {
    if (!place.slot->ladder || place.slot->ladder->hook != answer.hook ||
        place.slot->ladder->phase != Ladder::Phase::hook)
      return false;
    Ladder& ladder = *place.slot->ladder;
    std::string why = answer.detail;
    if (answer.wrong_answers > 0)
      why += " after " + std::to_string(answer.wrong_answers) + " answers by the wrong process";
    Entry said = entry(EventKind::hook, place.service, "the hook's answer: " + why);
    said.rule = place.rule;
    said.rung = to_text(ladder.rungs[ladder.next - 1]);
    record(turn, said);
    switch (answer.result) {
      case HookResult::done:
        ladder.phase = Ladder::Phase::verifying;
        ladder.hook = 0;
        ladder.deadline = turn.now.steady + ladder.expect.within.value_or(answer_within);
        turn.changed = true;
        break;
      case HookResult::failed: rung_failed(turn, place, Outcome::failed, why); break;
      case HookResult::timed_out: rung_failed(turn, place, Outcome::timed_out, why); break;
      case HookResult::skipped:
        // It asked nobody, so it was no act.
        if (!is_round(ladder)) unspend(turn, place.service, ladder.rung_began);
        rung_failed(turn, place, Outcome::skipped, why);
        break;
    }
    return true;
  };
  for (auto& [key, slot] : turn.world.slots) {
    if (take(Place{key.service, key.rule, &slot})) return;
  }
  for (auto& [name, life] : turn.world.services) {
    if (take(Place{name, {}, &life.own})) return;
  }
}

bool ladder_expects_end(const World& world, const Process& engine) {
  return std::any_of(world.slots.begin(), world.slots.end(), [&](const auto& item) {
    const auto& ladder = item.second.ladder;
    return ladder && ladder->subject == engine.id && ladder->phase != Ladder::Phase::due &&
           ladder->phase != Ladder::Phase::waiting;
  });
}

bool busy(const World& world, const std::string& service) {
  const ServiceLife& life = world.services.at(service);
  if (life.round || life.own.ladder) return true;
  return std::any_of(world.slots.begin(), world.slots.end(), [&](const auto& item) {
    return item.first.service == service && item.second.ladder && item.second.ladder->cause != Cause::hard;
  });
}

void settle_ladders(Turn& turn) {
  for (auto it = turn.world.slots.begin(); it != turn.world.slots.end();) {
    const SlotKey& key = it->first;
    Slot& slot = it->second;
    const Process* owner = find_process(turn.world, key.owner);
    const bool owner_gone = key.owner != nobody && (owner == nullptr || !owner->alive());
    if (slot.ladder) {
      const Place place{key.service, key.rule, &slot};
      const bool judged_later = slot.ladder->ended_owner || (slot.ladder->doing == RungKind::restart &&
                                                             slot.ladder->phase == Ladder::Phase::verifying);
      if (owner_gone && !judged_later) {
        const bool of_round = is_round(*slot.ladder);
        const std::string why = "worker " + std::to_string(key.owner.pid) + " is gone";
        preempt(turn, place, why);
        // Rule 9: the turn ends with its slot, the round goes on.
        if (of_round) tell_round(turn, place, Outcome::skipped, why);
      } else {
        settle_ladder(turn, place);
      }
    }
    if (slot.exhausted && turn.now.steady >= slot.cool_until && !engines_in(turn.world, key).empty())
      slot.exhausted = false;
    const bool over = !slot.ladder && turn.now.steady >= slot.cool_until && !slot.exhausted;
    it = (owner_gone && !slot.ladder) || over ? turn.world.slots.erase(it) : std::next(it);
  }
  for (auto& [name, life] : turn.world.services) {
    if (life.own.ladder) settle_ladder(turn, Place{name, {}, &life.own});
    if (life.own.exhausted && turn.now.steady >= life.own.cool_until) life.own.exhausted = false;
  }
}

Steady ladders_deadline(const World& world) {
  Steady first = never;
  const auto take = [&](const Slot& slot) {
    if (!slot.ladder) {
      if (slot.exhausted && slot.cool_until > world.now.steady) first = std::min(first, slot.cool_until);
      return;
    }
    first = std::min(first, slot.ladder->deadline);
    const Process* ending =
        slot.ladder->phase == Ladder::Phase::ending ? find_process(world, ending_of(*slot.ladder)) : nullptr;
    if (ending != nullptr && ending->killed) first = std::min(first, *ending->killed + 10s);
  };
  for (const auto& [key, slot] : world.slots) take(slot);
  for (const auto& [name, life] : world.services) take(life.own);
  return first;
}

void preempt_ladders(Turn& turn, const std::string& service) {
  for (auto& [key, slot] : turn.world.slots) {
    if (key.service == service && slot.ladder && !ends_run(*slot.ladder))
      preempt(turn, Place{key.service, key.rule, &slot}, "the run is ending");
  }
  Slot& own = turn.world.services.at(service).own;
  if (own.ladder && !ends_run(*own.ladder)) preempt(turn, Place{service, {}, &own}, "the run is ending");
}

void forget_slots(World& world, const std::string& service) {
  std::erase_if(world.slots, [&](const auto& item) { return item.first.service == service; });
}

void preempt_rule(Turn& turn, const std::string& service, const std::string& rule) {
  for (auto& [key, slot] : turn.world.slots) {
    if (key.service == service && key.rule == rule && slot.ladder)
      preempt(turn, Place{key.service, key.rule, &slot}, "its rule left the plan");
  }
}

}  // namespace plimsoll::core

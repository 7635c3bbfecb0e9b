// Lines that were crossed become ladders here: at once, in their turn, or beside one that is at work.
#include "daemon/core/budget.hpp"
#include "daemon/core/climbing.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/ladder_end.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

SlotKey key_of(const World& world, const Crossing& crossing) {
  if (crossing.rule.empty()) return {crossing.service, {}, nobody};
  return slot_of(world, *find_process(world, crossing.subject));
}

/// A slot ends with its owner. What stands in it still is an orphan by the look that follows, and over a hard line one
/// that is given no time.
bool is_over(const World& world, const SlotKey& key) {
  const Process* owner = find_process(world, key.owner);
  return key.owner != nobody && (owner == nullptr || !owner->alive());
}

void begin_memory_ladder(Turn& turn, const Crossing& crossing, const SlotKey& key, Cause cause) {
  Ladder ladder;
  ladder.cause = cause;
  ladder.subject = crossing.subject;
  ladder.of_container = crossing.of_container;
  ladder.rungs = rungs_for(turn.world, crossing.service, crossing.rule, cause);
  const Bytes line = cause == Cause::hard ? *crossing.policy->hard : *crossing.policy->soft;
  const std::string who = crossing.of_container   ? "the container of " + crossing.service
                          : crossing.rule.empty() ? crossing.service
                                                  : "engine " + std::to_string(crossing.subject.pid);
  Intervention& ledger =
      open_intervention(turn, crossing.service, cause,
                        who + (cause == Cause::hard ? " crossed its hard limit: " : " stayed over its soft limit: ") +
                            over_text(crossing.rss, line));
  ledger.rule = crossing.rule;
  if (crossing.subject != nobody) ledger.pid = crossing.subject.pid;
  if (key.owner != nobody) ledger.owner_pid = key.owner.pid;
  ledger.rss_before = crossing.rss;
  begin_ladder(turn, key, std::move(ladder), &ledger);
}

/// What the first rung at a hard line does at once to the engine itself; nothing where it is another kind.
std::optional<RungKind> ends_at_once(const EngineRule& rule) {
  if (rule.on_hard->empty()) return std::nullopt;
  const RungKind first = rule.on_hard->front().kind;
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
    ask_to_end(turn, *engine, rule->stop);
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
  if (crossing.rule.empty()) turn.world.services.at(crossing.service).expected_end = true;
  kill_now(turn, *process);
}

/// A service's own line, and the rung at work ends nobody: SIGKILL is an act of its own then. It becomes the next rung,
/// so that it is charged, the death is no crash, and the next run is what the ladder waits for.
void kill_as_next_rung(Turn& turn, const Place& place, const Crossing& crossing) {
  const Process* app = find_process(turn.world, app_process(turn.world, place.service));
  if (app == nullptr || !app->alive() || app->killed || withheld(turn.world, true)) return;
  Ladder& ladder = *place.slot->ladder;
  if (ladder.hook != 0) turn.emit(CancelHook{ladder.hook});
  rung_failed(turn, place, Outcome::failed,
              "past the slack of its hard limit: " + over_text(crossing.rss, *crossing.policy->hard));
  ladder.subject = crossing.subject;  // nobody: the app process of now, not the one that an earlier rung ended
  Rung kill;
  kill.kind = RungKind::kill;
  ladder.rungs.insert(ladder.rungs.begin() + static_cast<std::ptrdiff_t>(ladder.next), kill);
  // With the budget spent a restart with backoff takes that rung's place, and the bound holds all the same.
  if (!budget_left(turn, place.service)) end_past_slack(turn, crossing);
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
      if (key.rule.empty() && !ends_run(ladder)) return kill_as_next_rung(turn, place, crossing);
      end_past_slack(turn, crossing);
    }
    return;
  }
  const Process* engine = find_process(turn.world, crossing.subject);
  if (engine->asked) {
    if (past_slack) end_past_slack(turn, crossing);
    return;
  }
  Process* subject = find_process(turn.world, ladder.subject);
  const bool subject_gone = subject == nullptr || !subject->alive();
  const bool successor =
      subject_gone && ladder.phase == Ladder::Phase::verifying && engine->first_seen >= ladder.rung_began;
  if (!successor) {
    // Where its own first rung asks somebody, a gentler ladder makes room: else one engine over its soft line could
    // keep another over its hard one waiting for ever. It does so, too, where the budget leaves nothing but a restart.
    const bool ends = ends_at_once(*rule_of(turn.world, crossing.service, crossing.rule)).has_value() &&
                      budget_left(turn, crossing.service);
    const bool makes_room = ladder.cause != Cause::hard && !withheld(turn.world, true) && !ends;
    if (!makes_room) return end_beside(turn, crossing, key);
    preempt(turn, place, "another engine of its slot crossed the hard limit");
    return begin_memory_ladder(turn, crossing, key, Cause::hard);
  }
  // The next rung acts on what is over the line now, not on the engine that is gone.
  const std::string why = "its successor " + std::to_string(engine->id.pid) + " crossed the hard limit";
  rung_failed(turn, place, Outcome::failed, why);
  if (!slot.ladder) return;
  // A lost one is not this ladder's any more; its app has time for it again.
  const bool was_lost = subject != nullptr && subject->engine && subject->engine->state == EngineState::lost;
  if (was_lost) subject->engine->heal_deadline = turn.now.steady + plan_of(turn.world, key.service)->heal;
  slot.ladder->subject = crossing.subject;
  slot.ladder->cause = Cause::hard;
  if (Intervention* ledger = find_intervention(turn.world, slot.ladder->intervention)) {
    ledger->cause = Cause::hard;
    ledger->why += "; " + why + ": " + over_text(crossing.rss, *crossing.policy->hard);
  }
}

}  // namespace

void soft_crossed(Turn& turn, const Crossing& crossing) {
  const SlotKey key = key_of(turn.world, crossing);
  if (is_over(turn.world, key)) return;
  const ServiceLife& life = turn.world.services.at(crossing.service);
  const Slot& slot = slot_at(turn.world, key);
  if (slot.ladder || turn.now.steady < slot.cool_until || turn.now.steady < life.cool_until ||
      busy(turn.world, crossing.service))
    return;
  begin_memory_ladder(turn, crossing, key, Cause::soft);
}

void hard_crossed(Turn& turn, const Crossing& crossing) {
  const ServiceLife& life = turn.world.services.at(crossing.service);
  const bool past_slack = crossing.rss >= slack_line(*crossing.policy);
  const Process* subject = find_process(turn.world, crossing.subject);
  if (subject != nullptr && subject->killed) return;
  // Whoever fills the container does not need to be ready for it.
  if (crossing.of_container ? !has_run(life) : !is_up(life)) {
    if (past_slack && life.state == ServiceState::stopping) end_past_slack(turn, crossing);
    return;
  }
  const SlotKey key = key_of(turn.world, crossing);
  if (is_over(turn.world, key)) return;
  Slot& slot = slot_at(turn.world, key);
  if (slot.ladder) return hard_crossed_beside(turn, crossing, key);
  if (subject != nullptr && subject->asked) {
    if (past_slack) end_past_slack(turn, crossing);
    return;
  }
  if (slot.exhausted && slot.hard_exhausted && turn.now.steady < slot.cool_until) return;
  if (crossing.of_container && turn.now.steady < std::max(slot.cool_until, life.cool_until)) return;
  if (withheld(turn.world, true) && turn.now.steady < slot.hard_said_until) return;
  begin_memory_ladder(turn, crossing, key, Cause::hard);
}

}  // namespace plimsoll::core

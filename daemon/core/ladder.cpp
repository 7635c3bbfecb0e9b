#include "daemon/core/ladder.hpp"

#include <algorithm>

#include "daemon/core/budget.hpp"
#include "daemon/core/climbing.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/ladder_end.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration answer_within{30'000};  ///< `expect.within` after a hook's answer, unless one is written

}  // namespace

void begin_lost_ladder(Turn& turn, Process& engine) {
  const SlotKey key = slot_of(turn.world, engine);
  if (rungs_for(turn.world, engine.service, engine.engine->rule, Cause::lost).empty()) {
    engine.engine->heal_deadline = never;  // nothing is to be done; it stays lost until its app heals
    return;
  }
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
  begin_ladder(turn, key, std::move(ladder), &ledger);
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
  begin_ladder(turn, key, std::move(ladder), nullptr);
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
    if (take(Place{key.service, key.rule, &slot})) return turn.touch(key.service);
  }
  for (auto& [name, life] : turn.world.services) {
    if (take(Place{name, {}, &life.own})) return turn.touch(name);
  }
}

bool ladder_expects_end(const World& world, const Process& engine) {
  const auto slots = slots_of(world, engine.service);
  return std::any_of(slots.begin(), slots.end(), [&](const auto& item) {
    const auto& ladder = item.second.ladder;
    return ladder && ladder->subject == engine.id && ladder->phase != Ladder::Phase::due &&
           ladder->phase != Ladder::Phase::waiting;
  });
}

bool busy(const World& world, const std::string& service) {
  const ServiceLife& life = world.services.at(service);
  if (life.round || life.own.ladder) return true;
  const auto slots = slots_of(world, service);
  return std::any_of(slots.begin(), slots.end(),
                     [](const auto& item) { return item.second.ladder && item.second.ladder->cause != Cause::hard; });
}

std::string at_work(const World& world, const std::string& service) {
  std::string text;
  int more = 0;
  const auto say = [&](const std::string& rule, const Slot& slot) {
    if (!slot.ladder || slot.ladder->next == 0) return;
    const Ladder& ladder = *slot.ladder;
    if (!text.empty()) {
      ++more;
      return;
    }
    text = to_text(ladder.rungs[ladder.next - 1]) + " for " +
           (rule.empty() ? "the service" : "engine " + std::to_string(ladder.subject.pid)) +
           (ladder.cause ? " (" + std::string{to_text(*ladder.cause)} + ")" : std::string{}) + ", at work for " +
           short_duration(world.now.steady - ladder.rung_began);
  };
  if (const auto life = world.services.find(service); life != world.services.end()) say({}, life->second.own);
  for (const auto& [key, slot] : slots_of(world, service)) say(key.rule, slot);
  return more == 0 ? text : text + ", and " + std::to_string(more) + " more";
}

namespace {

/// With the budget spent a restart is all that is left at a hard line, and it is possible from now on.
void forget_outlived(Turn& turn, const std::string& service, Slot& slot) {
  if (slot.exhausted && slot.outlived && outlived_sigkill(turn.world, service, turn.now.steady) == nullptr)
    slot.exhausted = slot.hard_exhausted = slot.outlived = false;
}

void settle_slots(Turn& turn, const std::string& service) {
  auto it = turn.world.slots.lower_bound(SlotKey{service, {}, nobody});
  while (it != turn.world.slots.end() && it->first.service == service) {
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
    forget_outlived(turn, key.service, slot);
    const bool over = !slot.ladder && turn.now.steady >= slot.cool_until && !slot.exhausted;
    it = (owner_gone && !slot.ladder) || over ? turn.world.slots.erase(it) : std::next(it);
  }
}

}  // namespace

void settle_ladders(Turn& turn) {
  for (const std::string& name : turn.touched) {
    settle_slots(turn, name);
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end()) continue;
    ServiceLife& life = found->second;
    if (life.own.ladder) settle_ladder(turn, Place{name, {}, &life.own});
    if (life.own.exhausted && turn.now.steady >= life.own.cool_until) life.own.exhausted = false;
    forget_outlived(turn, name, life.own);
  }
}

Steady ladders_deadline(const World& world, const std::string& service) {
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
  for (const auto& [key, slot] : slots_of(world, service)) take(slot);
  const auto found = world.services.find(service);
  if (found != world.services.end()) take(found->second.own);
  return first;
}

void preempt_ladders(Turn& turn, const std::string& service) {
  for (auto& [key, slot] : slots_of(turn.world, service)) {
    if (slot.ladder && !ends_run(*slot.ladder)) preempt(turn, Place{key.service, key.rule, &slot}, "the run is ending");
  }
  Slot& own = turn.world.services.at(service).own;
  if (own.ladder && !ends_run(*own.ladder)) preempt(turn, Place{service, {}, &own}, "the run is ending");
}

void forget_slots(World& world, const std::string& service) {
  const auto slots = slots_of(world, service);
  world.slots.erase(slots.begin(), slots.end());
}

void preempt_without_rule(Turn& turn) {
  for (auto& [key, slot] : turn.world.slots) {
    if (rule_of(turn.world, key.service, key.rule) != nullptr) continue;
    if (slot.ladder) preempt(turn, Place{key.service, key.rule, &slot}, "its rule left the plan");
    slot.exhausted = slot.hard_exhausted = false;
  }
}

}  // namespace plimsoll::core

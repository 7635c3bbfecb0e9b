#include "daemon/core/liveness.hpp"

#include <algorithm>

#include "daemon/core/asking.hpp"
#include "daemon/core/climbing.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration stopped_is_hung{30'000};

/// The ladder is not at work, or waits to see whether it helped.
bool lets_ask(const Rare<Ladder>& ladder) {
  return !ladder || ladder->phase == Ladder::Phase::verifying || ladder->phase == Ladder::Phase::waiting;
}

bool serves(const ServiceLife& life) {
  return life.state == ServiceState::ready && life.main != nobody && life.plan->kind == ServiceKind::service;
}

const Slot* find_slot(const World& world, const Process& engine) {
  const auto found = world.slots.find(slot_of(world, engine));
  return found == world.slots.end() ? nullptr : &found->second;
}

/// Whether this engine is asked at all, now or later.
const Liveness* asked_of(const World& world, const Process& process) {
  if (!process.alive() || !process.engine || !process.engine->listed) return nullptr;
  const EngineState state = process.engine->state;
  const auto life = world.services.find(process.service);
  if ((state != EngineState::live && state != EngineState::hung) || life == world.services.end() ||
      !serves(life->second))
    return nullptr;
  const EngineRule* rule = rule_of(world, process.service, process.engine->rule);
  return rule != nullptr && rule->live ? &*rule->live : nullptr;
}

bool may_be_hung(const Process& process) {
  return process.alive() && process.engine && process.engine->listed &&
         (process.engine->state == EngineState::live || process.engine->state == EngineState::hung);
}

AskProbe question(const Liveness& live, const std::string& service, ProcessId target) {
  AskProbe asked;
  asked.service = service;
  asked.how = live.how;
  asked.target = target;
  asked.timeout = live.timeout;
  return asked;
}

// --- Services

bool sends_keep_alives(const Liveness& live) {
  return std::holds_alternative<NotifyProbe>(live.how);
}

/// From one keep-alive to the next: what the app has said, else the plan.
Duration keep_alive_time(const ServiceLife& life) {
  return life.notices->alive_by.value_or(life.plan->live->timeout);
}

bool rests(const World& world, const ServiceLife& life) {
  return world.now.steady < life.notices->rests_until;
}

void begin_service_ladder(Turn& turn, const std::string& name, ServiceLife& life) {
  if (life.own.ladder || turn.now.steady < life.own.cool_until || turn.now.steady < life.cool_until ||
      busy(turn.world, name))
    return;
  Ladder ladder;
  ladder.cause = Cause::hung;
  ladder.subject = app_process(turn.world, name);
  ladder.rungs = life.plan->on_hung;
  Intervention& ledger = open_intervention(turn, name, Cause::hung, name + " is hung: " + life.liveness->last);
  ledger.pid = ladder.subject.pid;
  begin_ladder(turn, {name, {}, nobody}, std::move(ladder), &ledger);
}

void judge_service(Turn& turn, const std::string& name, ServiceLife& life) {
  const Liveness& live = *life.plan->live;
  if (!life.hung && life.liveness->failed >= live.failures) {
    life.hung = true;
    turn.changed = true;
    Entry said = entry(EventKind::service_state, name,
                       "hung: " + (sends_keep_alives(live) ? life.liveness->last
                                                           : std::to_string(live.failures) +
                                                                 " questions in a row failed, " + life.liveness->last));
    said.level = Level::warning;
    record(turn, said);
  } else if (life.hung && life.liveness->passed >= live.successes) {
    life.hung = false;
    turn.changed = true;
    record(turn, entry(EventKind::service_state, name, "well again"));
  }
}

/// What a keep-alive that is not sent comes to: `next` is the moment by which it has to be there.
void wait_for_keep_alive(Turn& turn, ServiceLife& life) {
  const Duration within = keep_alive_time(life);
  const bool at_rest = !lets_ask(life.own.ladder) || life.round;
  if (life.liveness->next == never || at_rest) life.liveness.edit().next = turn.now.steady + within;
  if (turn.now.steady < life.liveness->next) return;
  life.liveness.edit().passed = 0;
  life.liveness.edit().failed = life.plan->live->failures;
  life.liveness.edit().last = "no keep-alive (WATCHDOG=1) for " + to_text(within);
  life.liveness.edit().next = turn.now.steady + within;
  turn.changed = true;
}

void settle_service(Turn& turn, const std::string& name, ServiceLife& life) {
  if (!life.plan->live || !serves(life)) {
    stop_asking(turn, life.liveness);
    life.hung = false;
    return;
  }
  if (rests(turn.world, life)) return;
  const Liveness& live = *life.plan->live;
  answer_is_overdue(turn, life.liveness);
  if (sends_keep_alives(live)) wait_for_keep_alive(turn, life);
  judge_service(turn, name, life);
  if (life.hung) begin_service_ladder(turn, name, life);
  if (sends_keep_alives(live)) return;
  if (life.liveness->id == 0 && life.liveness->next == never) {
    life.liveness.edit().next = std::max(life.ready_at, life.notices->rests_until) + live.interval;
  }
  if (!lets_ask(life.own.ladder) || life.round) return;
  ask_when_due(turn, life.liveness, question(live, name, app_process(turn.world, name)), live.interval);
}

// --- Engines

void begin_engine_ladder(Turn& turn, Process& engine, const std::string& why) {
  const SlotKey key = slot_of(turn.world, engine);
  // Its slot ended with its owner: what follows is the orphan's end, not a remedy.
  const Process* owner = find_process(turn.world, key.owner);
  if (key.owner != nobody && (owner == nullptr || !owner->alive())) return;
  const ServiceLife& life = turn.world.services.at(engine.service);
  const Slot* slot = find_slot(turn.world, engine);
  const bool cooling = slot != nullptr && (slot->ladder || turn.now.steady < slot->cool_until);
  if (cooling || turn.now.steady < life.cool_until || busy(turn.world, engine.service)) return;
  Ladder ladder;
  ladder.cause = Cause::hung;
  ladder.subject = engine.id;
  ladder.rungs = rungs_for(turn.world, engine.service, engine.engine->rule, Cause::hung);
  Intervention& ledger = open_intervention(turn, engine.service, Cause::hung, why);
  ledger.rule = engine.engine->rule;
  ledger.pid = engine.id.pid;
  if (key.owner != nobody) ledger.owner_pid = key.owner.pid;
  if (engine.memory.rss.count != 0) ledger.rss_before = engine.memory.rss;
  begin_ladder(turn, key, std::move(ladder), &ledger);
}

bool is_stopped(const Turn& turn, const Engine& engine) {
  return engine.stopped_since && turn.now.steady - *engine.stopped_since >= stopped_is_hung;
}

std::string why_hung(const Turn& turn, const Process& process) {
  const std::string who = "engine " + std::to_string(process.id.pid) + " is hung: ";
  const Engine& engine = *process.engine;
  return who + (is_stopped(turn, engine)
                    ? "it has been stopped for " + short_duration(turn.now.steady - *engine.stopped_since)
                    : engine.liveness->last);
}

void judge_engine(Turn& turn, Process& process, const Liveness* live) {
  Engine& engine = *process.engine;
  const bool fails = live != nullptr && engine.liveness->failed >= live->failures;
  const bool stopped = is_stopped(turn, engine);
  if (engine.state == EngineState::live && (fails || stopped)) {
    engine.state = EngineState::hung;
    turn.changed = true;
    Entry said = entry(EventKind::engine_hung, process, why_hung(turn, process));
    said.level = Level::warning;
    record(turn, said);
    return;
  }
  const bool passes = live == nullptr || engine.liveness->passed >= live->successes;
  if (engine.state == EngineState::hung && !fails && !stopped && passes) {
    engine.state = EngineState::live;
    turn.changed = true;
    record(turn, entry(EventKind::engine_hung, process, "engine " + std::to_string(process.id.pid) + " is well again"));
  }
}

void settle_engine(Turn& turn, Process& process) {
  Engine& engine = *process.engine;
  const auto life = turn.world.services.find(process.service);
  if (life == turn.world.services.end() || !serves(life->second)) return stop_asking(turn, engine.liveness);
  const Liveness* live = asked_of(turn.world, process);
  if (live != nullptr) answer_is_overdue(turn, engine.liveness);
  judge_engine(turn, process, live);
  if (engine.state == EngineState::hung) begin_engine_ladder(turn, process, why_hung(turn, process));
  if (live == nullptr) return;
  if (engine.liveness->id == 0 && engine.liveness->next == never)
    engine.liveness.edit().next = turn.now.steady + live->interval;
  const Slot* slot = find_slot(turn.world, process);
  if (slot != nullptr && !lets_ask(slot->ladder)) return;
  ask_when_due(turn, engine.liveness, question(*live, process.service, process.id), live->interval);
}

/// When a hung one's ladder may begin, where only a cool-down is in its way: the end of another ladder is no deadline.
Steady turn_deadline(const World& world, bool hung, const ServiceLife& life, const Slot* slot) {
  if (!hung || (slot != nullptr && slot->ladder)) return never;
  const Steady cool = std::max(life.cool_until, slot != nullptr ? slot->cool_until : Steady::min());
  return cool > world.now.steady ? cool : never;
}

}  // namespace

void take_liveness_answer(Turn& turn, const ProbeAnswered& answer) {
  for (auto& [name, life] : turn.world.services) {
    if (!take_answer(turn, life.liveness, answer)) continue;
    say_unasked(turn, life.liveness, answer, entry(EventKind::service_state, name, "it"));
    return turn.touch(name);
  }
  for (auto& [id, process] : turn.world.processes) {
    if (!process.engine || !take_answer(turn, process.engine->liveness, answer)) continue;
    say_unasked(turn, process.engine->liveness, answer,
                entry(EventKind::engine_hung, process, "engine " + std::to_string(id.pid)));
    return turn.touch(process.service);
  }
}

void take_keep_alive(Turn& turn, const std::string& service, ServiceLife& life, bool hung) {
  const auto& live = life.plan->live;
  if (!live || !sends_keep_alives(*live) || !serves(life) || rests(turn.world, life)) return;
  turn.touch(service);
  turn.changed = true;
  life.liveness.edit().passed = hung ? 0 : life.liveness->passed + 1;
  life.liveness.edit().failed = hung ? live->failures : 0;
  if (hung) life.liveness.edit().last = "it says so itself (WATCHDOG=trigger)";
  life.liveness.edit().next = turn.now.steady + keep_alive_time(life);
}

void rest_liveness(Turn& turn, ServiceLife& life) {
  stop_asking(turn, life.liveness);
  life.hung = false;
}

void settle_liveness(Turn& turn) {
  for (const std::string& name : turn.touched) {
    const auto found = turn.world.services.find(name);
    if (found != turn.world.services.end()) settle_service(turn, name, found->second);
  }
  for (const std::string& name : turn.touched) {
    for_each_of(turn.world, name, [&](Process& process) {
      if (may_be_hung(process)) settle_engine(turn, process);
    });
  }
}

namespace {

Steady engine_deadline(const World& world, const ServiceLife& life, const Process& process) {
  const Engine& engine = *process.engine;
  const Slot* slot = find_slot(world, process);
  Steady first = turn_deadline(world, engine.state == EngineState::hung, life, slot);
  const bool asks = engine.liveness->id != 0 || slot == nullptr || lets_ask(slot->ladder);
  if (asked_of(world, process) != nullptr && asks) first = std::min(first, asking_deadline(engine.liveness));
  const bool to_be_judged = engine.stopped_since && engine.state == EngineState::live;
  return to_be_judged ? std::min(first, *engine.stopped_since + stopped_is_hung) : first;
}

}  // namespace

Steady liveness_deadline(const World& world, const std::string& service) {
  const auto found = world.services.find(service);
  if (found == world.services.end() || !serves(found->second)) return never;
  const ServiceLife& life = found->second;
  Steady first = never;
  if (life.plan->live && rests(world, life)) {
    first = life.notices->rests_until;
  } else if (life.plan->live) {
    const bool asks = life.liveness->id != 0 || (lets_ask(life.own.ladder) && !life.round);
    first = turn_deadline(world, life.hung, life, &life.own);
    if (asks) first = std::min(first, asking_deadline(life.liveness));
  }
  for_each_of(world, service, [&](const Process& process) {
    if (may_be_hung(process)) first = std::min(first, engine_deadline(world, life, process));
  });
  return first;
}

bool is_well_again(const World& world, const std::string& service, const Process* engine) {
  if (engine != nullptr && engine->engine) return engine->engine->state == EngineState::live;
  return !world.services.at(service).hung;
}

}  // namespace plimsoll::core

#include "daemon/core/engines.hpp"

#include <algorithm>
#include <array>
#include <csignal>

#include "daemon/core/asking.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/orphans.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration reap_time{1'000};  ///< a dead engine that its app put away is reaped within this

const EngineRule* rule_for(const World& world, const Process& process) {
  const Service* service = plan_of(world, process.service);
  if (service == nullptr) return nullptr;
  const auto found = std::find_if(service->engines.begin(), service->engines.end(),
                                  [&](const EngineRule& rule) { return matches(rule, process.program); });
  return found == service->engines.end() ? nullptr : &*found;
}

/// docs/verdicts.md, Words: never the app process, one with its parent's script, what an engine forked (unless that was
/// a launcher), or a look at the binary's version.
bool may_be_engine(const World& world, const Process& process) {
  if (process.program->version_only || process.id == app_process(world, process.service)) return false;
  const ServiceLife& life = world.services.at(process.service);
  if (process.id == life.main) return false;
  const Process* parent = find_process(world, process.parent);
  // Before its exec a child still runs its parent's program; a worker of a pool does for ever.
  if (parent != nullptr && !process.program->script.empty() && process.program->script == parent->program->script)
    return false;
  return !below_engine(world, process);
}

std::string owner_text(const World& world, const Process& engine) {
  const Owner owner = owner_of(world, engine);
  return owner.service() ? "the service" : "worker " + std::to_string(owner.worker.pid);
}

/// Where it is kept since when an owner has been without an engine it once had.
std::optional<Steady>* missing_since(World& world, const Process& engine) {
  const Owner owner = owner_of(world, engine);
  if (owner.service()) {
    const auto life = world.services.find(engine.service);
    return life == world.services.end() ? nullptr : &life->second.engine_missing_since;
  }
  Process* worker = find_process(world, owner.worker);
  return worker == nullptr ? nullptr : &worker->engine_missing_since;
}

void note_missing(Turn& turn, const Process& engine) {
  const EngineRule* rule = rule_of(turn.world, engine.service, engine.engine->rule);
  if (!engine.engine->listed || rule == nullptr || !rule->expect.successor) return;
  if (!engines_in(turn.world, slot_of(turn.world, engine)).empty()) return;
  if (auto* since = missing_since(turn.world, engine)) *since = engine.death->at;
}

// --- Death
// -------------------------------------------------------------------------------------------------------------

bool put_away(const Exit& exit) {
  if (exit.kind == ExitKind::signaled) return exit.signal == SIGINT || exit.signal == SIGTERM;
  return exit.kind == ExitKind::exited && (exit.code == 0 || exit.code == 130 || exit.code == 143);
}

std::string age_text(const Process& process) {
  return short_duration(process.death->at - process.born);
}

void say_gone(Turn& turn, Process& engine, EventKind kind, std::string why) {
  engine.engine->judged = true;
  note_missing(turn, engine);
  Entry said = entry(kind, engine, std::move(why));
  said.exit = engine.death->exit;
  if (engine.memory.peak.count != 0) said.peak = engine.memory.peak;
  if (engine.memory.rss.count != 0) said.rss = engine.memory.rss;
  record(turn, said);
  turn.changed = true;
}

std::string how(const Process& engine) {
  return engine.death->exit ? to_sentence(*engine.death->exit) : "ended, and nobody could read how (status: unknown)";
}

void lost(Turn& turn, Process& engine, const Service& service, const EngineRule& rule) {
  engine.engine->state = EngineState::lost;
  std::string why =
      "engine " + std::to_string(engine.id.pid) + " of " + owner_text(turn.world, engine) + " is lost: " + how(engine);
  if (!engine.death->reaped) why += ", a zombie since " + short_duration(turn.now.steady - engine.death->at);
  if (engine.engine->replaced) {
    engine.engine->state = EngineState::gone;
    why += "; another stands for it already";
  } else if (rule.expect.successor) {
    engine.engine->heal_deadline = engine.death->at + service.heal;
    why += "; its app has " + to_text(service.heal) + " to replace it";
  } else {
    engine.engine->state = EngineState::gone;
    why += "; its app connects again when it needs to";
  }
  say_gone(turn, engine, EventKind::engine_lost, why);
}

/// The verdict about a dead engine, as soon as it can be given: rules 7 and 8.
void judge_death(Turn& turn, Process& engine) {
  const Service* service = plan_of(turn.world, engine.service);
  const EngineRule* rule = rule_of(turn.world, engine.service, engine.engine->rule);
  const Owner owner = owner_of(turn.world, engine);
  const Process* worker = find_process(turn.world, owner.worker);
  const bool owner_lives = owner.service() || (worker != nullptr && worker->alive());
  const bool expected = engine.asked || engine.killed || ladder_expects_end(turn.world, engine);
  const bool over = service == nullptr || rule == nullptr || run_is_ending(turn.world, engine.service) || !owner_lives;
  if (expected || over) {
    engine.engine->state = EngineState::gone;
    return say_gone(turn, engine, EventKind::engine_gone,
                    "engine " + std::to_string(engine.id.pid) + " is gone: " + how(engine));
  }
  const bool in_time = engine.death->reaped && engine.death->reaped_at - engine.death->at <= reap_time;
  const bool waited = turn.now.steady - engine.death->at >= reap_time;
  if (!in_time && !waited) return;
  if (!engine.engine->listed || engine.death->at - engine.born < rule->settle) {
    engine.engine->state = EngineState::gone;
    return say_gone(
        turn, engine, EventKind::engine_gone,
        "engine " + std::to_string(engine.id.pid) + " failed to start: " + how(engine) + " after " + age_text(engine));
  }
  if (in_time && (!engine.death->exit || put_away(*engine.death->exit))) {
    engine.engine->state = EngineState::gone;
    return say_gone(turn, engine, EventKind::engine_disconnected,
                    "engine " + std::to_string(engine.id.pid) + " was put away by its app: " + how(engine));
  }
  lost(turn, engine, *service, *rule);
}

/// Its own intervention ended it: an orphan, or one over its hard line beside the ladder at work in its slot, whose app
/// owes a successor that no ladder waits for.
void ended_by_us(Turn& turn, Process& engine) {
  Engine& state = *engine.engine;
  state.state = EngineState::gone;
  Intervention* ledger = find_intervention(turn.world, state.intervention);
  const bool orphan = ledger == nullptr || ledger->cause == Cause::orphan;
  if (ledger != nullptr) {
    if (!ledger->rungs.empty() && !ledger->rungs.back().outcome) {
      ledger->rungs.back().outcome = Outcome::worked;
      ledger->rungs.back().took = std::chrono::duration_cast<Duration>(turn.now.steady - ledger->rungs.back().began);
    }
    ledger->rss_after = Bytes{0};
    close_intervention(turn, state.intervention, ledger->rungs.empty() ? LadderEnd::subsided : LadderEnd::worked);
  }
  std::string why = (orphan ? "orphan " : "engine ") + std::to_string(engine.id.pid) + " is gone: " + how(engine);
  const EngineRule* rule = rule_of(turn.world, engine.service, state.rule);
  if (!orphan && rule != nullptr && rule->expect.successor && !run_is_ending(turn.world, engine.service)) {
    const Duration heal = plan_of(turn.world, engine.service)->heal;
    state.state = EngineState::lost;
    state.heal_deadline = engine.death->at + heal;
    why += "; its app has " + to_text(heal) + " to replace it";
  }
  say_gone(turn, engine, EventKind::engine_gone, why);
}

/// An engine of the slot that is not older than `settle` yet.
const Process* newcomer_in(const World& world, const SlotKey& key) {
  return first_alive(world, key.service, [&](const Process& process) {
    return process.engine && !process.engine->listed && process.engine->rule == key.rule &&
           owner_of(world, process).worker == key.owner;
  });
}

/// A ladder is at work on it already: what becomes of it is that one's business.
bool is_laddered(const World& world, const Process& engine) {
  const auto slot = world.slots.find(slot_of(world, engine));
  return slot != world.slots.end() && slot->second.ladder && slot->second.ladder->subject == engine.id;
}

/// The ladder at work in the slot waits for one: what has come since its rung began stands for the engine it is about.
bool is_awaited(const World& world, const SlotKey& key, const Process& candidate) {
  const auto slot = world.slots.find(key);
  if (slot == world.slots.end() || !slot->second.ladder) return false;
  const Ladder& ladder = *slot->second.ladder;
  if (ladder.phase == Ladder::Phase::due || ladder.phase == Ladder::Phase::waiting) return false;
  const Process* ended = find_process(world, ladder.subject);
  const bool owed = ended != nullptr && !ended->alive() && ended->engine && !ended->engine->replaced;
  return owed && candidate.first_seen >= ladder.rung_began;
}

/// A lost engine: healed by a successor, given up with its owner, or handed to the ladder.
void heal(Turn& turn, Process& engine) {
  const Owner owner = owner_of(turn.world, engine);
  const Process* worker = find_process(turn.world, owner.worker);
  const bool owner_gone = !owner.service() && (worker == nullptr || !worker->alive());
  const SlotKey key = slot_of(turn.world, engine);
  if (is_laddered(turn.world, engine)) return;
  const bool rule_gone = rule_of(turn.world, engine.service, engine.engine->rule) == nullptr;
  if (owner_gone || rule_gone || engine.engine->replaced || run_is_ending(turn.world, engine.service)) {
    engine.engine->state = EngineState::gone;
    engine.engine->heal_deadline = never;
    turn.changed = true;
    return;
  }
  Process* next = successor_of(turn.world, engine, std::nullopt);
  if (next != nullptr && !is_awaited(turn.world, key, *next)) {
    const Duration without = take_successor(*next, engine);
    engine.engine->state = EngineState::gone;
    engine.engine->heal_deadline = never;
    record(turn,
           entry(EventKind::engine_found, *next,
                 "engine " + std::to_string(next->id.pid) + " stands for the lost " + std::to_string(engine.id.pid) +
                     "; its app healed itself, " + seconds_text(without) + " without an engine"));
    turn.changed = true;
    return;
  }
  if (turn.now.steady < engine.engine->heal_deadline) return;
  // One that its app has started just now is not mistaken for none.
  if (const Process* young = newcomer_in(turn.world, key)) {
    engine.engine->heal_deadline = young->born + rule_of(turn.world, young->service, young->engine->rule)->settle;
    return;
  }
  begin_lost_ladder(turn, engine);
}

/// Rule 10 for a lost one: seen after its end; or shortly before, by an app that starts the new engine first.
bool stands_for_lost(const Process& ended, const Process& candidate) {
  if (!ended.death) return false;
  const bool after_end = candidate.first_seen >= ended.death->at;
  const bool before_end = candidate.first_seen >= ended.death->at - 5s && candidate.first_seen > ended.first_seen + 5s;
  return after_end || before_end;
}

bool settled(const World& world, const Process& process, Steady at) {
  const EngineRule* rule = rule_of(world, process.service, process.engine->rule);
  return rule != nullptr && at - process.born >= rule->settle;
}

}  // namespace

void list_engine(Turn& turn, Process& process) {
  process.engine->listed = true;
  if (auto* since = missing_since(turn.world, process)) since->reset();
  Entry found = entry(EventKind::engine_found, process,
                      "engine " + std::to_string(process.id.pid) + " (" + process.program->comm + ") of " +
                          owner_text(turn.world, process));
  record(turn, found);
  turn.changed = true;
}

void consider_as_engine(Turn& turn, Process& process) {
  if (process.service.empty()) return;
  const EngineRule* rule = rule_for(turn.world, process);
  const bool engine = rule != nullptr && may_be_engine(turn.world, process);
  if (!engine) {
    if (process.engine && !process.engine->listed) process.engine.reset();
    return;
  }
  if (process.engine && process.engine->rule == rule->name) return;
  process.engine = Engine{};
  process.engine->rule = rule->name;
  if (process.state == 'T') process.engine->stopped_since = turn.now.steady;
  read_at(turn.world, process, turn.now.steady);
  turn.touch(process.service);
  turn.changed = true;
}

void engine_ended(Turn& turn, Process& engine) {
  Engine& state = *engine.engine;
  state.phase = Engine::Phase::none;
  state.deadline = never;
  stop_asking(turn, state.liveness);
  if (state.intervention != 0) return ended_by_us(turn, engine);
  judge_death(turn, engine);
}

Process* successor_of(World& world, const Process& ended, std::optional<Steady> since) {
  if (!ended.engine) return nullptr;
  const SlotKey key = slot_of(world, ended);
  const bool was_lost = ended.engine->state == EngineState::lost;
  Process* best = nullptr;
  for_each_of(world, key.service, [&](Process& process) {
    if (!process.alive() || !process.engine || !process.engine->listed || process.engine->stands ||
        process.id == ended.id)
      return;
    if (process.engine->rule != key.rule || owner_of(world, process).worker != key.owner) return;
    const bool after_remedy = since && process.first_seen >= *since;
    if (!after_remedy && !(was_lost && stands_for_lost(ended, process))) return;
    if (best == nullptr || process.first_seen < best->first_seen) best = &process;
  });
  return best;
}

Duration take_successor(Process& successor, Process& ended) {
  successor.engine->stands = true;
  if (ended.engine) ended.engine->replaced = true;
  if (!ended.death || successor.first_seen <= ended.death->at) return Duration{0};
  return std::chrono::duration_cast<Duration>(successor.first_seen - ended.death->at);
}

bool run_is_ending(const World& world, const std::string& service) {
  const auto life = world.services.find(service);
  return life == world.services.end() || life->second.state == ServiceState::stopping ||
         life->second.state == ServiceState::stuck || life->second.main == nobody;
}

void settle_engines(Turn& turn) {
  const auto settle = [&turn](Process& process) {
    if (!process.engine) return;
    if (process.alive()) {
      // Its shell has no other child any more, or was made the main process.
      if (!process.engine->listed && process.id == app_process(turn.world, process.service))
        return process.engine.reset();
      if (!process.engine->listed && settled(turn.world, process, turn.now.steady)) list_engine(turn, process);
      look_for_orphan(turn, process);
      move_orphan(turn, process);
    } else if (!process.engine->judged) {
      judge_death(turn, process);
    } else if (process.engine->state == EngineState::lost) {
      heal(turn, process);
    }
  };
  for (const std::string& service : turn.touched) for_each_of(turn.world, service, settle);
}

Steady engines_deadline(const World& world, const std::string& service) {
  Steady first = never;
  for_each_of(world, service, [&](const Process& process) {
    if (!process.engine) return;
    const Engine& engine = *process.engine;
    if (process.alive()) {
      const EngineRule* rule = rule_of(world, process.service, engine.rule);
      if (rule != nullptr && (!engine.listed || world.now.steady - process.born < rule->settle)) {
        first = std::min(first, process.born + rule->settle);
      }
      if (engine.phase != Engine::Phase::none) first = std::min(first, engine.deadline);
    } else if (!engine.judged) {
      first = std::min(first, process.death->at + reap_time);
    } else if (engine.state == EngineState::lost && !is_laddered(world, process)) {
      first = std::min(first, engine.heal_deadline);
    }
  });
  return first;
}

}  // namespace plimsoll::core

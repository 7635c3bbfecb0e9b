#include "daemon/core/orphans.hpp"

#include <algorithm>

#include "daemon/core/engines.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration unknown_port_after{15'000};  ///< rule 5: where no evidence can be had, everybody gets time

// -------------------------------------------------------------------------------------------------------------

/// The engine, or the uppermost living wrapper around it: whose parent is another one when the owner has ended.
const Process& below_owner(const World& world, const Process& engine) {
  const Process* at = &engine;
  for (const Process* above = find_process(world, at->parent);
       above != nullptr && above->program->wrapper && above->alive();) {
    at = above;
    above = find_process(world, at->parent);
  }
  return *at;
}

/// Rule 4: how long after the verdict an orphan is asked to end.
Duration orphan_after(const World& world, const EngineRule& rule, const Process& engine, const Process& owner) {
  if (rule.orphan.after) return *rule.orphan.after;
  const Process* adopter = find_process(world, below_owner(world, engine).current_parent);
  if (adopter != nullptr && adopter->alive() && adopter->service == engine.service) return 15s;
  const bool clean_or_unknown =
      !owner.death->exit || (owner.death->exit->kind == ExitKind::exited && owner.death->exit->code == 0);
  return clean_or_unknown ? 300ms : 0ms;
}

/// A verdict that rests on adoption, or on a young owner's unreadable end, waits until the engine is `settle` old.
bool must_settle_first(const EngineRule& rule, const Process& engine, const Process& owner) {
  const bool young_unreadable = !owner.death->exit && owner.death->at - owner.born < rule.settle;
  return engine.provenance == Provenance::adopted || young_unreadable;
}

void declare_orphan(Turn& turn, Process& engine, const EngineRule& rule, const Process& owner) {
  Engine& state = *engine.engine;
  const Duration after = orphan_after(turn.world, rule, engine, owner);
  state.state = EngineState::orphan;
  state.phase = Engine::Phase::waiting;
  state.deadline = state.orphan_since = turn.now.steady;
  state.due = turn.now.steady + after;
  if (!state.listed) list_engine(turn, engine);
  const std::string ended = owner.death->exit ? to_sentence(*owner.death->exit) : "ended, nobody could read how";
  const std::string why = "engine " + std::to_string(engine.id.pid) + " is an orphan: its worker " +
                          std::to_string(owner.id.pid) + " " + ended + ", it is asked to end " +
                          (after == 0ms ? "at once" : "in " + to_text(after));
  Entry said = entry(EventKind::engine_orphaned, engine, why);
  said.level = Level::warning;
  if (engine.memory.rss.count != 0) said.rss = engine.memory.rss;
  record(turn, said);
  Intervention& opened = open_intervention(turn, engine.service, Cause::orphan, why);
  opened.rule = state.rule;
  opened.pid = engine.id.pid;
  opened.owner_pid = owner.id.pid;
  if (engine.memory.rss.count != 0) opened.rss_before = engine.memory.rss;
  state.intervention = opened.id;
  turn.changed = true;
}

void ask_for_evidence(Turn& turn, Process& engine) {
  LookAtEvidence look{engine.id, {}};
  for (const ProcessId& id : live_members(turn.world, engine.service)) {
    const Process& member = *find_process(turn.world, id);
    const bool of_the_dead = descends_from(turn.world, member, owner_of(turn.world, engine).worker);
    if (id != engine.id && !member.engine && !of_the_dead && !below_engine(turn.world, member))
      look.members.push_back(id);
  }
  turn.emit(look);
}

void record_orphan_rung(Turn& turn, Process& engine, const std::string& rung, bool would) {
  const std::string verb = rung == "kill" ? "SIGKILL to" : "asked";
  std::string why =
      would ? "would end orphan " + std::to_string(engine.id.pid)
            : verb + " orphan " + std::to_string(engine.id.pid) + (rung == "kill" ? ", its grace is over" : " to end");
  Entry said = entry(EventKind::rung, engine, why);
  said.rung = rung;
  said.would = would;
  record(turn, said);
  if (Intervention* ledger = find_intervention(turn.world, engine.engine->intervention)) {
    ledger->would = would;
    const auto outcome = would ? std::optional{Outcome::skipped} : std::nullopt;
    ledger->rungs.push_back({rung, outcome, turn.now.wall, turn.now.steady, {}, why});
  }
}

/// No orphan after all: it is the service's from now on.
void revoke(Turn& turn, Process& engine, const std::string& why) {
  Engine& state = *engine.engine;
  state.state = EngineState::live;
  state.by_service = true;
  state.phase = Engine::Phase::none;
  state.deadline = state.due = never;
  // What it was asked as an orphan is no reason to leave it out when the service stops, or to expect its end.
  if (!engine.killed) engine.asked.reset();
  record(turn, entry(EventKind::engine_orphaned, engine,
                     "engine " + std::to_string(engine.id.pid) + " " + why +
                         ": left alone, owned by the service from now on"));
  close_intervention(turn, state.intervention, LadderEnd::subsided);
  state.intervention = 0;
  turn.changed = true;
}

void ask_orphan(Turn& turn, Process& engine, const EngineRule& rule) {
  record_orphan_rung(turn, engine, "end", false);
  engine.engine->state = EngineState::ending;
  engine.engine->phase = Engine::Phase::asked;
  engine.engine->deadline = turn.now.steady + rule.orphan.grace;
  ask_to_end(turn, engine, rule.stop.signal, never);
}

bool was_asked(const Engine& engine) {
  return engine.phase == Engine::Phase::asked || engine.phase == Engine::Phase::looking_again;
}

/// Said once; while it is withheld the orphan stays one, and a release finds it still due.
void withhold_end(Turn& turn, Process& engine) {
  Engine& state = *engine.engine;
  const Intervention* ledger = find_intervention(turn.world, state.intervention);
  if (ledger != nullptr && ledger->rungs.empty()) record_orphan_rung(turn, engine, "end", true);
  state.phase = Engine::Phase::waiting;
  state.deadline = state.due = turn.now.steady + 1s;
}

void kill_orphan(Turn& turn, Process& engine) {
  // What outlives SIGKILL is asked for again in case it was not delivered, and said once.
  if (!engine.killed) record_orphan_rung(turn, engine, "kill", false);
  engine.engine->phase = Engine::Phase::asked;
  engine.engine->deadline = turn.now.steady + 10s;
  kill_now(turn, engine);
}

}  // namespace

void move_orphan(Turn& turn, Process& engine) {
  Engine& state = *engine.engine;
  const EngineRule* rule = rule_of(turn.world, engine.service, state.rule);
  if (rule == nullptr || state.phase == Engine::Phase::none || turn.now.steady < state.deadline) return;
  switch (state.phase) {
    case Engine::Phase::none: return;
    case Engine::Phase::waiting:
      // How its parent ended may have become known only now: a launcher's engine is no orphan.
      if (owner_of(turn.world, engine).service()) return revoke(turn, engine, "was started on purpose by a launcher");
      if (turn.now.steady < state.due) {
        state.deadline = std::min(state.due, turn.now.steady + 1s);
        return ask_for_evidence(turn, engine);
      }
      state.phase = Engine::Phase::looking;
      break;
    case Engine::Phase::asked: state.phase = Engine::Phase::looking_again; break;
    case Engine::Phase::looking:
    case Engine::Phase::looking_again: break;
  }
  // The answer moves it on; if none came (the edge was out of something), it is asked for again.
  state.deadline = turn.now.steady + 5s;
  ask_for_evidence(turn, engine);
}

void look_for_orphan(Turn& turn, Process& process) {
  Engine& state = *process.engine;
  const bool lives = state.state == EngineState::live || state.state == EngineState::hung;
  if (!lives || run_is_ending(turn.world, process.service)) return;
  const Owner owner = owner_of(turn.world, process);
  if (owner.service()) return;
  const Process* worker = find_process(turn.world, owner.worker);
  const EngineRule* rule = rule_of(turn.world, process.service, state.rule);
  if (worker == nullptr || worker->alive() || rule == nullptr) return;
  // Where it was re-parented to decides how long its app has: that is known from the look after the death.
  if (turn.world.last_look <= worker->death->at) return;
  if (must_settle_first(*rule, process, *worker) && turn.now.steady - process.born < rule->settle) return;
  declare_orphan(turn, process, *rule, *worker);
}

void take_evidence(Turn& turn, const EvidenceLookedAt& found) {
  Process* engine = find_process(turn.world, found.engine);
  if (engine == nullptr || !engine->alive() || !engine->engine) return;
  Engine& state = *engine->engine;
  const EngineRule* rule = rule_of(turn.world, engine->service, state.rule);
  if (rule == nullptr || state.phase == Engine::Phase::none || state.phase == Engine::Phase::asked) return;
  if (found.connected) {
    const std::string who =
        found.connected->pid == 0 ? "a process of the service" : "process " + std::to_string(found.connected->pid);
    return revoke(turn, *engine, "is used by " + who + " (" + found.source + ")");
  }
  if (state.phase == Engine::Phase::waiting) return;
  // How its parent ended may have been read only while the answer was awaited.
  if (state.phase == Engine::Phase::looking && owner_of(turn.world, *engine).service())
    return revoke(turn, *engine, "was started on purpose by a launcher");
  if (state.phase == Engine::Phase::looking_again) return kill_orphan(turn, *engine);
  if (!found.port_known && turn.now.steady - state.orphan_since < unknown_port_after) {
    state.phase = Engine::Phase::waiting;
    state.due = state.orphan_since + unknown_port_after;
    state.deadline = std::min(state.due, turn.now.steady + 1s);
    record(turn,
           entry(EventKind::engine_orphaned, *engine,
                 "whether engine " + std::to_string(engine->id.pid) + " is still used cannot be seen (" + found.source +
                     "): it is asked to end " + short_duration(unknown_port_after) + " after the verdict"));
    return;
  }
  if (withheld(turn.world, false)) return withhold_end(turn, *engine);
  ask_orphan(turn, *engine, *rule);
}

void drop_orphan(Turn& turn, Process& engine) {
  const Engine& state = *engine.engine;
  if (state.phase == Engine::Phase::none) return;
  if (was_asked(state)) engine.kill_at = state.deadline;
  close_intervention(turn, state.intervention, LadderEnd::preempted);
}

void end_orphan_over_limit(Turn& turn, Process& engine) {
  const EngineRule* rule = rule_of(turn.world, engine.service, engine.engine->rule);
  if (rule != nullptr && !was_asked(*engine.engine) && !withheld(turn.world, true)) ask_orphan(turn, engine, *rule);
}

}  // namespace plimsoll::core

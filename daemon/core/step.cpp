#include "daemon/core/step.hpp"

#include <algorithm>

#include "daemon/core/commands.hpp"
#include "daemon/core/container.hpp"
#include "daemon/core/cycles.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/forwarding.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/launching.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/liveness.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/notices.hpp"
#include "daemon/core/orphans.hpp"
#include "daemon/core/readiness.hpp"
#include "daemon/core/reload.hpp"
#include "daemon/core/resting.hpp"
#include "daemon/core/stopping.hpp"

namespace plimsoll::core {
namespace {

void take(Turn& turn, const DaemonStarted&) {
  for (auto& [name, life] : turn.world.services) life.wanted = true;
  turn.touch_all();
  turn.changed = true;
}

void take(Turn& turn, const SpawnSucceeded& spawned) {
  turn.touch(spawned.service);
  take_spawn(turn, spawned);
}
void take(Turn& turn, const SpawnFailed& failed) {
  turn.touch(failed.service);
  take_spawn_failure(turn, failed);
}

void take(Turn& turn, const Looked& looked) {
  // A death may have waited for a look at everybody: for who was re-parented where. For a lesser one only a stop waits.
  if (looked.everybody) {
    for (const ProcessId& id : turn.world.processes.dead()) turn.touch(find_process(turn.world, id)->service);
  }
  take_in(turn, looked);
  if (looked.everybody || looked.our_own) confirm_empty(turn, looked.complete);
  if (looked.everybody) forget_the_dead(turn);
}

void take(Turn& turn, const ProcessEnded& ended) {
  Process* process = find_process(turn.world, ended.id);
  if (process == nullptr || !process->alive()) return;
  process->death = Death{turn.now.steady, ended.exit, ended.reaped, ended.reaped ? turn.now.steady : never};
  turn.world.processes.died(*process);
  turn.touch(process->service);
  process->kill_at = never;
  process->memory.next = never;
  turn.changed = true;
  // Its children have a new parent now: who they are is seen at once, while few have died (rule 3).
  const bool alone = live_members(turn.world, process->service).empty();
  turn.emit(Look{!alone});
  const auto life = turn.world.services.find(process->service);
  if (life != turn.world.services.end() && life->second.main == process->id) main_ended(turn, *process);
  if (process->engine) engine_ended(turn, *process);
}

void take(Turn& turn, const ProcessReaped& reaped) {
  Process* process = find_process(turn.world, reaped.id);
  if (process == nullptr || process->alive() || process->death->reaped) return;
  turn.touch(process->service);
  process->death->reaped = true;
  process->death->reaped_at = turn.now.steady;
  if (!process->death->exit) process->death->exit = reaped.exit;
}

void take(Turn& turn, const ExitRead& read) {
  Process* process = find_process(turn.world, read.id);
  if (process == nullptr || process->alive() || process->death->exit) return;
  turn.touch(process->service);
  process->death->exit = read.exit;
}

void take(Turn& turn, const MemorySampled& sampled) {
  take_samples(turn, sampled);
}

void take(Turn& turn, const ContainerRead& read) {
  take_container(turn, read);
}

void take(Turn& turn, const PageFaultsCounted& counted) {
  take_page_faults(turn, counted);
}

void take(Turn& turn, const HookAnswered& answered) {
  take_hook_answer(turn, answered);
  take_drain_answer(turn, answered);
  take_command_hook(turn, answered);
}

void take(Turn& turn, const ProbeAnswered& answered) {
  take_readiness_answer(turn, answered);
  take_liveness_answer(turn, answered);
}
void take(Turn& turn, const ReadySaid& said) {
  take_ready_said(turn, said);
}
void take(Turn& turn, const Notified& said) {
  turn.touch(said.service);
  take_notice(turn, said);
}

void take(Turn& turn, const EvidenceLookedAt& found) {
  if (const Process* engine = find_process(turn.world, found.engine)) turn.touch(engine->service);
  take_evidence(turn, found);
}
void take(Turn& turn, const LeftoversLookedFor& looked) {
  turn.touch(looked.service);
  take_leftovers(turn, looked);
}

void take(Turn& turn, const StuckDescribed& described) {
  const auto life = turn.world.services.find(described.service);
  if (life == turn.world.services.end()) return;
  turn.touch(described.service);
  life->second.note = described.text;
  Entry said = entry(EventKind::service_state, described.service, described.text);
  said.level = Level::error;
  record(turn, said);
}

void take(Turn& turn, const CommandGiven& command) {
  // An operator's word reaches what the service requires, and who requires it, all the way.
  turn.touch_all();
  take_command(turn, command);
}
void take(Turn& turn, const PlanReplaced& replaced) {
  take_plan(turn, replaced);
}

void take(Turn& turn, const StopRequested& request) {
  if (turn.world.stopping) return hasten_stop(turn, request);
  record(turn, entry(EventKind::daemon, std::string{}, "stopping everything: " + request.why));
  turn.world.stop_requests = 1;
  turn.world.stop_requested = turn.now.steady;
  stop_everything(turn);
}

void take(Turn& turn, const SignalToForward& signal) {
  forward(turn, signal);
}

void take(Turn&, const DeadlineReached&) {}

/// Everything whose time has come moves on, until nothing moves any more. The bound is a guard against a defect: two
/// parts that undo each other would be seen as a daemon that spins, and not hang it.
void settle(Turn& turn) {
  if (turn.world.holding && turn.now.steady >= turn.world.holding->until) {
    turn.world.holding.reset();
    turn.touch_all();
    record(turn, entry(EventKind::operator_, std::string{}, "the hold is over"));
  }
  for (int round = 0; round < 64; ++round) {
    turn.changed = false;
    settle_services(turn);
    settle_graces(turn);
    settle_engines(turn);
    settle_liveness(turn);
    settle_ladders(turn);
    settle_cycles(turn);
    if (!turn.changed) break;
  }
  settle_memory(turn);
  settle_container(turn);
  settle_commands(turn);
}

/// Those whose time has come. When the wall clock was set, everybody's: what cron means has moved.
void touch_due(Turn& turn, Now before) {
  const auto drift = (turn.now.wall - before.wall) - (turn.now.steady - before.steady);
  if (drift > std::chrono::milliseconds{100} || drift < std::chrono::milliseconds{-100}) turn.touch_all();
  for (const auto& [due, name] : turn.world.agenda) {
    if (due > turn.now.steady) return;
    turn.touch(name);
  }
}

Steady deadline_of(const World& world, const std::string& name, const ServiceLife& life) {
  return std::min({service_deadline(world, life), graces_deadline(world, name), engines_deadline(world, name),
                   liveness_deadline(world, name), ladders_deadline(world, name), cycles_deadline(world, life),
                   tree_deadline(world, name)});
}

/// Only what was touched can have another deadline than before.
void keep_agenda(Turn& turn) {
  World& world = turn.world;
  for (const std::string& name : turn.touched) {
    const auto found = world.services.find(name);
    if (found == world.services.end()) continue;
    ServiceLife& life = found->second;
    const Steady due = deadline_of(world, name, life);
    if (due == life.due) continue;
    if (life.due != never) world.agenda.erase({life.due, name});
    if (due != never) world.agenda.insert({due, name});
    life.due = due;
  }
}

}  // namespace

World make_world(std::shared_ptr<const Plan> plan, Machine machine, Now now) {
  World world;
  world.plan = std::move(plan);
  world.machine = machine;
  world.started = now.steady;
  world.last_look = world.look_before = now.steady;
  world.now = now;
  for (const Service& service : world.plan->services) {
    world.services[service.name].plan = std::shared_ptr<const Service>{world.plan, &service};
  }
  index_dependents(world);
  return world;
}

Effects step(World& world, const Event& event, Now now) {
  Turn turn{world, now};
  touch_due(turn, world.now);
  world.now = now;
  std::visit([&](const auto& what) { take(turn, what); }, event);
  settle(turn);
  keep_agenda(turn);
  return std::move(turn.effects);
}

Effects settle_everything(World& world, Now now) {
  Turn turn{world, now};
  world.now = now;
  turn.touch_all();
  settle(turn);
  keep_agenda(turn);
  return std::move(turn.effects);
}

Steady next_deadline(const World& world) {
  const Steady hold = world.holding ? world.holding->until : never;
  const Steady service = world.agenda.empty() ? never : world.agenda.begin()->first;
  return std::min({service, readings_deadline(world), page_faults_deadline(world), commands_deadline(world),
                   world.container.next, hold});
}

}  // namespace plimsoll::core

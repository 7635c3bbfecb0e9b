#include "daemon/core/step.hpp"

#include <algorithm>

#include "daemon/core/commands.hpp"
#include "daemon/core/cycles.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/forwarding.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/launching.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/liveness.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/orphans.hpp"
#include "daemon/core/readiness.hpp"
#include "daemon/core/reload.hpp"
#include "daemon/core/stopping.hpp"

namespace plimsoll::core {
namespace {

void take(Turn& turn, const DaemonStarted&) {
  for (auto& [name, life] : turn.world.services) life.wanted = true;
  turn.changed = true;
}

void take(Turn& turn, const SpawnSucceeded& spawned) {
  take_spawn(turn, spawned);
}
void take(Turn& turn, const SpawnFailed& failed) {
  take_spawn_failure(turn, failed);
}

void take(Turn& turn, const Looked& looked) {
  take_in(turn, looked);
  watch_new(turn);
  if (!looked.everybody) return;
  confirm_empty(turn, looked.complete);
  forget_the_dead(turn);
}

void take(Turn& turn, const ProcessEnded& ended) {
  Process* process = find_process(turn.world, ended.id);
  if (process == nullptr || !process->alive()) return;
  process->death = Death{turn.now.steady, ended.exit, ended.reaped, ended.reaped ? turn.now.steady : never};
  process->kill_at = never;
  process->memory.next = never;
  turn.changed = true;
  // Its children have a new parent now: who they are is seen at once, while few have died (rule 3).
  turn.emit(Look{});
  const auto life = turn.world.services.find(process->service);
  if (life != turn.world.services.end() && life->second.main == process->id) main_ended(turn, *process);
  if (process->engine) engine_ended(turn, *process);
}

void take(Turn& turn, const ProcessReaped& reaped) {
  Process* process = find_process(turn.world, reaped.id);
  if (process == nullptr || process->alive() || process->death->reaped) return;
  process->death->reaped = true;
  process->death->reaped_at = turn.now.steady;
  if (!process->death->exit) process->death->exit = reaped.exit;
}

void take(Turn& turn, const ExitRead& read) {
  Process* process = find_process(turn.world, read.id);
  if (process != nullptr && !process->alive() && !process->death->exit) process->death->exit = read.exit;
}

void take(Turn& turn, const MemorySampled& sampled) {
  take_samples(turn, sampled);
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

void take(Turn& turn, const EvidenceLookedAt& found) {
  take_evidence(turn, found);
}
void take(Turn& turn, const LeftoversLookedFor& looked) {
  take_leftovers(turn, looked);
}

void take(Turn& turn, const StuckDescribed& described) {
  const auto life = turn.world.services.find(described.service);
  if (life == turn.world.services.end()) return;
  life->second.note = described.text;
  Entry said = entry(EventKind::service_state, described.service, described.text);
  said.level = Level::error;
  record(turn, said);
}

void take(Turn& turn, const CommandGiven& command) {
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
  settle_commands(turn);
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
  return world;
}

Effects step(World& world, const Event& event, Now now) {
  Turn turn{world, now};
  world.now = now;
  std::visit([&](const auto& what) { take(turn, what); }, event);
  settle(turn);
  return std::move(turn.effects);
}

Steady next_deadline(const World& world) {
  const Steady hold = world.holding ? world.holding->until : never;
  return std::min({services_deadline(world), graces_deadline(world), engines_deadline(world), liveness_deadline(world),
                   ladders_deadline(world), cycles_deadline(world), memory_deadline(world), commands_deadline(world),
                   hold});
}

}  // namespace plimsoll::core

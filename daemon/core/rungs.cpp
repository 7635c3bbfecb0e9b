#include "daemon/core/rungs.hpp"

#include <csignal>

#include "daemon/core/engines.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/liveness.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

bool halted(const Process& process) {
  return process.state == 'T' || process.state == 't';
}

Tried skip(std::string why) {
  return {true, std::move(why)};
}

std::string pid_text(ProcessId id) {
  return std::to_string(id.pid);
}

Tried call_hook(Turn& turn, const Place& place, Ladder& ladder, const Rung& rung, const std::string& name) {
  const ServiceLife& life = turn.world.services.at(place.service);
  const auto found = life.plan->hooks.find(name);
  if (found == life.plan->hooks.end()) return skip("there is no hook '" + name + "' any more");
  const Hook& hook = found->second;
  const bool to_owner = hook.to == HookTarget::owner && !place.rule.empty();
  if (to_owner && ladder.owner == nobody) return skip("the engine is the service's, there is no worker to ask");
  const ProcessId target = to_owner ? ladder.owner : app_process(turn.world, place.service);
  const Process* process = find_process(turn.world, target);
  if (process == nullptr || !process->alive()) return skip("process " + pid_text(target) + " is gone");
  if (halted(*process)) return skip("process " + pid_text(target) + " is stopped, it cannot answer");

  CallHook call;
  call.id = turn.world.next_hook++;
  call.service = place.service;
  call.hook = hook;
  call.target = target;
  call.timeout = rung.timeout.value_or(hook.timeout);
  call.placeholders = {{"engine_pid", pid_text(ladder.subject)},
                       {"owner_pid", pid_text(target)},
                       {"service", place.service},
                       {"rule", place.rule},
                       {"run", std::to_string(life.run)}};
  ladder.hook = call.id;
  ladder.phase = Ladder::Phase::hook;
  // The edge keeps the time of a hook; this is for an edge that does not answer at all.
  ladder.deadline = turn.now.steady + call.timeout + 2s;
  Entry said = entry(EventKind::hook, place.service, "asks process " + pid_text(target) + " by hook '" + name + "'");
  said.rule = place.rule;
  said.pid = target.pid;
  said.rung = to_text(rung);
  record(turn, said);
  turn.emit(std::move(call));
  return {};
}

Tried end_subject(Turn& turn, const Place& place, Ladder& ladder, bool at_once) {
  ServiceLife& life = turn.world.services.at(place.service);
  const ProcessId target = ladder.subject == nobody ? app_process(turn.world, place.service) : ladder.subject;
  Process* process = find_process(turn.world, target);
  if (process == nullptr || !process->alive()) return skip("process " + pid_text(target) + " is dead already");
  // Its owner was ended by a rung before this one. Whether it is used is looked at there, and its grace is under way.
  const bool orphan = process->engine && process->engine->phase != Engine::Phase::none;
  if (orphan && !at_once) return skip("engine " + pid_text(target) + " is an orphan now, and is ended as one");
  if (place.rule.empty()) life.expected_end = true;
  if (process->engine) process->engine->state = EngineState::ending;
  ladder.subject = target;
  ladder.phase = Ladder::Phase::ending;
  ladder.deadline = never;
  if (at_once) {
    kill_now(turn, *process);
    return {};
  }
  const EngineRule* rule = rule_of(turn.world, place.service, place.rule);
  const StopPolicy& stop = rule != nullptr ? rule->stop : life.plan->stop;
  ask_to_end(turn, *process, stop);
  return {};
}

Tried end_worker(Turn& turn, const Place& place, Ladder& ladder) {
  if (ladder.owner == nobody) return skip("the engine is the service's, it has no worker");
  if (ladder.owner == app_process(turn.world, place.service) ||
      ladder.owner == turn.world.services.at(place.service).main) {
    return skip("its worker is the app process itself");
  }
  Process* owner = find_process(turn.world, ladder.owner);
  if (owner == nullptr || !owner->alive()) return skip("its worker is dead already");
  const StopPolicy& stop = turn.world.services.at(place.service).plan->stop;
  ladder.owner_parent = owner->parent;
  ladder.ended_owner = true;
  ladder.phase = Ladder::Phase::ending;
  ladder.deadline = never;
  ask_to_end(turn, *owner, stop);
  return {};
}

Tried restart_service(Turn& turn, const Place& place, Ladder& ladder) {
  ServiceLife& life = turn.world.services.at(place.service);
  if (!life.wanted && ladder.cause != Cause::hard)
    return skip(place.service + " is to stop, when nothing that requires it runs any more");
  if (const Process* stuck = outlived_sigkill(turn.world, place.service, turn.now.steady)) {
    return skip("process " + pid_text(stuck->id) +
                " has outlived its SIGKILL, a restart would stop the others for nothing");
  }
  ladder.run = life.run;
  ladder.phase = Ladder::Phase::verifying;
  ladder.deadline = turn.now.steady + stop_time(*life.plan) + ladder.expect.within.value_or(ready_time(*life.plan));
  restart_run(turn, place.service, StopCause::rung, Afterwards::start);
  return {};
}

Expect expect_of(const World& world, const Place& place, const Rung& rung) {
  if (rung.expect) return *rung.expect;
  if (const EngineRule* rule = rule_of(world, place.service, place.rule)) return rule->expect;
  Expect expect;
  expect.below = plan_of(world, place.service)->memory.soft;
  return expect;
}

RungKind resolved(const EngineRule* rule, const Rung& rung) {
  if (rung.kind != RungKind::reconnect || rule == nullptr || !rule->reconnect) return rung.kind;
  switch (rule->reconnect->how) {
    case Reconnect::How::hook: return RungKind::reconnect;
    case Reconnect::How::end: return RungKind::end;
    case Reconnect::How::worker: return RungKind::worker;
  }
  return rung.kind;
}

// --- Verification
// ----------------------------------------------------------------------------------------------------------

bool next_run_ready(const World& world, const Place& place, const Ladder& ladder) {
  const ServiceLife& life = world.services.at(place.service);
  return life.run > ladder.run && life.state == ServiceState::ready;
}

void note_success(Turn& turn, const Ladder& ladder, const Process& ended, Process* successor) {
  Intervention* ledger = find_intervention(turn.world, ladder.intervention);
  const std::optional<Duration> without =
      successor != nullptr ? std::optional{take_successor(*successor, *find_process(turn.world, ended.id))}
                           : std::nullopt;
  if (ledger == nullptr) return;
  ledger->without_engine = without;
  ledger->rss_after = Bytes{0};
  if (successor != nullptr) {
    ledger->successor_pid = successor->id.pid;
    ledger->rss_after = successor->memory.rss;
  }
}

bool engine_replaced(Turn& turn, Ladder& ladder) {
  Process* ended = find_process(turn.world, ladder.subject);
  if (ended == nullptr || ended->alive()) return false;
  if (!ladder.expect.successor) {
    note_success(turn, ladder, *ended, nullptr);
    return true;
  }
  Process* successor = successor_of(turn.world, *ended, ladder.rung_began);
  if (successor == nullptr || !successor->memory.sampled) return false;
  if (ladder.expect.below && successor->memory.rss >= *ladder.expect.below) return false;
  note_success(turn, ladder, *ended, successor);
  return true;
}

/// The owner dead, a new child of its recorded parent there, with an engine of that rule.
bool worker_replaced(Turn& turn, const Place& place, const Ladder& ladder) {
  const Process* owner = find_process(turn.world, ladder.owner);
  const Process* ended = find_process(turn.world, ladder.subject);
  if (owner == nullptr || owner->alive() || ended == nullptr) return false;
  for (const ProcessId& id : turn.world.processes.of(place.service)) {
    Process& process = *find_process(turn.world, id);
    if (!process.alive()) continue;
    if (!ladder.expect.successor) {
      if (process.parent != ladder.owner_parent || process.first_seen < ladder.rung_began) continue;
      note_success(turn, ladder, *ended, nullptr);
      return true;
    }
    if (!process.engine || !process.engine->listed || process.engine->rule != place.rule || process.engine->stands)
      continue;
    const Process* worker = find_process(turn.world, owner_of(turn.world, process).worker);
    if (worker == nullptr || worker->parent != ladder.owner_parent || worker->first_seen < ladder.rung_began) continue;
    note_success(turn, ladder, *ended, &process);
    return true;
  }
  return false;
}

bool below_again(Turn& turn, const Place& place, const Ladder& ladder) {
  if (ladder.of_container) return !turn.world.services.at(place.service).container.over_hard;
  if (!ladder.expect.below) return true;
  const Process* subject = find_process(turn.world, ladder.subject);
  const ServiceLife& life = turn.world.services.at(place.service);
  const bool tree = place.rule.empty() && life.plan->memory.of == MemoryScope::tree;
  if (!tree && (subject == nullptr || !subject->alive())) return false;
  const MemoryWatch& watch = tree ? life.tree : subject->memory;
  const bool read_since = watch.sampled && *watch.sampled > ladder.rung_began;
  if (!read_since || watch.rss >= *ladder.expect.below) return false;
  if (Intervention* ledger = find_intervention(turn.world, ladder.intervention)) ledger->rss_after = watch.rss;
  return true;
}

}  // namespace

Tried do_rung(Turn& turn, const Place& place, Ladder& ladder, const Rung& rung) {
  const EngineRule* rule = rule_of(turn.world, place.service, place.rule);
  ladder.expect = expect_of(turn.world, place, rung);
  ladder.doing = resolved(rule, rung);
  ladder.rung_began = turn.now.steady;
  ladder.run = turn.world.services.at(place.service).run;
  switch (ladder.doing) {
    case RungKind::log: return skip("said, as asked");
    case RungKind::wait:
      ladder.phase = Ladder::Phase::waiting;
      ladder.deadline = turn.now.steady + rung.duration;
      return {};
    case RungKind::hook: return call_hook(turn, place, ladder, rung, rung.hook);
    case RungKind::reconnect:
      if (rule == nullptr || !rule->reconnect) return skip("the rule has no `reconnect`");
      return call_hook(turn, place, ladder, rung, rule->reconnect->hook);
    case RungKind::end: return end_subject(turn, place, ladder, false);
    case RungKind::kill: return end_subject(turn, place, ladder, true);
    case RungKind::worker: return end_worker(turn, place, ladder);
    case RungKind::restart: return restart_service(turn, place, ladder);
  }
  return {};
}

ProcessId ending_of(const Ladder& ladder) {
  return ladder.doing == RungKind::worker ? ladder.owner : ladder.subject;
}

bool has_worked(Turn& turn, const Place& place, Ladder& ladder) {
  switch (ladder.doing) {
    case RungKind::log:
    case RungKind::wait: return false;
    case RungKind::hook:
      if (ladder.cause != Cause::hung) return below_again(turn, place, ladder);
      return is_well_again(turn.world, place.service,
                           place.rule.empty() ? nullptr : find_process(turn.world, ladder.subject));
    case RungKind::end:
    case RungKind::kill:
      return place.rule.empty() ? next_run_ready(turn.world, place, ladder) : engine_replaced(turn, ladder);
    case RungKind::reconnect: return engine_replaced(turn, ladder);
    case RungKind::worker: return worker_replaced(turn, place, ladder);
    case RungKind::restart: return next_run_ready(turn.world, place, ladder);
  }
  return false;
}

std::string still_missing(const World& world, const Place& place, const Ladder& ladder) {
  const Process* subject = find_process(world, ladder.subject);
  switch (ladder.doing) {
    case RungKind::log:
    case RungKind::wait: return {};
    case RungKind::hook:
      if (ladder.cause == Cause::hung) return "it still does not answer";
      return "its memory is not below " + to_human(ladder.expect.below.value_or(Bytes{}));
    case RungKind::restart: return "the next run of " + place.service + " is not ready";
    case RungKind::worker: return "no new worker with an engine has come";
    case RungKind::end:
    case RungKind::kill:
    case RungKind::reconnect:
      if (place.rule.empty()) return "the next run of " + place.service + " is not ready";
      if (subject != nullptr && subject->alive()) return "engine " + pid_text(ladder.subject) + " still lives";
      return ladder.expect.below ? "no successor below " + to_human(*ladder.expect.below) + " has come"
                                 : "no successor has come";
  }
  return {};
}

}  // namespace plimsoll::core

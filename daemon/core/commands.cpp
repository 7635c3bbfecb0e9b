#include "daemon/core/commands.hpp"

#include <algorithm>
#include <set>

#include "daemon/core/ladder.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/refusal.hpp"
#include "daemon/core/rounds.hpp"
#include "daemon/core/sentences.hpp"
#include "daemon/core/stopping.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

void answer(Turn& turn, CommandId id, int status, std::string message) {
  turn.emit(Answer{id, status, std::move(message)});
}

std::string known_services(const World& world) {
  std::string text;
  for (const auto& [name, life] : world.services) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "there is none" : "there is " + text;
}

void await(Turn& turn, const CommandGiven& command, RunNumber run, Duration at_most, HookId hook = 0) {
  if (!command.wait) return answer(turn, command.id, 202, "asked for");
  turn.world.waiting.push_back({command.id, command.act, command.service, run, hook, turn.now.steady + at_most});
}

/// An operator's word ends what the daemon held against the service.
void want(Turn& turn, const std::string& service, bool force) {
  ServiceLife& life = turn.world.services.at(service);
  for (const std::string& required : life.plan->required) {
    if (turn.world.services.contains(required)) want(turn, required, false);
  }
  life.wanted = true;
  life.force = life.force || force;
  if (is_up(life) || life.state == ServiceState::starting) return;
  life.failures = 0;
  life.restarts = 0;
  life.restarts_at.clear();
  life.refusal = {};
  life.cause = StopCause::none;
  if (life.state == ServiceState::stopping || life.state == ServiceState::stuck) {
    life.afterwards = Afterwards::start;
    if (force && life.state == ServiceState::stuck) abandon_stuck(turn, service);
  } else {
    set_state(turn, service, ServiceState::starting, "starting, as asked");
  }
}

void unwant(Turn& turn, const std::string& service) {
  for (auto& [name, life] : turn.world.services) {
    const auto& required = life.plan->required;
    if (life.wanted && std::find(required.begin(), required.end(), service) != required.end()) unwant(turn, name);
  }
  ServiceLife& life = turn.world.services.at(service);
  life.wanted = false;
  if (life.state == ServiceState::failed) set_state(turn, service, ServiceState::stopped, "stopped, as asked");
  if (life.state == ServiceState::stopping) life.afterwards = Afterwards::stay_stopped;
  turn.changed = true;
}

std::string ready_text(const std::string& name, const ServiceLife& life) {
  if (life.main == nobody) return name + " is done: run " + std::to_string(life.run);
  return name + " is ready: run " + std::to_string(life.run) + ", pid " + std::to_string(life.main.pid);
}

/// What a start may take that has to wait for an old run's end and for what it requires.
Duration start_time(const Service& plan) {
  return stop_time(plan) + (plan.ready ? plan.ready->timeout : 0s) + 60s;
}

void start(Turn& turn, const CommandGiven& command, ServiceLife& life) {
  // It may be waiting to stop: the last word counts.
  if (is_up(life) && life.wanted) return answer(turn, command.id, 200, command.service + " is ready already");
  if (life.state == ServiceState::stuck && !command.force) {
    return answer(turn, command.id, 409,
                  command.service + " is stuck, " + life.note + " (start --force leaves that behind)");
  }
  want(turn, command.service, command.force);
  await(turn, command, life.run, start_time(*life.plan));
}

void stop(Turn& turn, const CommandGiven& command, ServiceLife& life) {
  if (life.state == ServiceState::stopped && !life.wanted)
    return answer(turn, command.id, 200, command.service + " is stopped already");
  unwant(turn, command.service);
  Duration at_most = 5s;
  for (const auto& [name, other] : turn.world.services) at_most += other.wanted ? 0s : stop_time(*other.plan) + 5s;
  await(turn, command, life.run, at_most);
}

void restart(Turn& turn, const CommandGiven& command, ServiceLife& life) {
  if (!has_run(life)) return start(turn, command, life);
  await(turn, command, life.run, start_time(*life.plan));
  life.restarts = 0;
  // It may be waiting to stop: the last word counts.
  want(turn, command.service, false);
  restart_run(turn, command.service, StopCause::operator_, Afterwards::start);
}

void reconnect(Turn& turn, const CommandGiven& command, ServiceLife& life) {
  if (!is_up(life)) return answer(turn, command.id, 409, command.service + " is not ready");
  std::vector<ProcessId> engines;
  for (const auto& [id, process] : turn.world.processes) {
    if (!process.alive() || process.service != command.service || !process.engine || !process.engine->listed) continue;
    if (!command.rule.empty() && process.engine->rule != command.rule) continue;
    if (command.pid && id.pid != *command.pid) continue;
    const EngineRule* rule = rule_of(turn.world, command.service, process.engine->rule);
    if (process.engine->state == EngineState::live && rule != nullptr && rule->reconnect) engines.push_back(id);
  }
  if (engines.empty())
    return answer(turn, command.id, 409, "no live engine of " + command.service + " fits and has a `reconnect`");
  if (life.round)
    return answer(turn, command.id, 409, "a round is at work in " + command.service + " already, try again after it");
  begin_operator_round(turn, command.service, std::move(engines), command.wait ? command.id : 0);
  if (!command.wait) answer(turn, command.id, 202, "asked for");
}

/// Whom a hook to `owner` would be addressed to: the workers of living engines, or of lost ones.
std::set<ProcessId> owners(const World& world, const CommandGiven& command, bool lost, ProcessId& engine) {
  std::set<ProcessId> found;
  for (const auto& [id, process] : world.processes) {
    if (process.service != command.service || !process.engine || !process.engine->listed) continue;
    if (lost ? process.engine->state != EngineState::lost : !process.alive()) continue;
    if (command.pid && id.pid != *command.pid) continue;
    if (!command.rule.empty() && process.engine->rule != command.rule) continue;
    const Owner owner = owner_of(world, process);
    const Process* worker = find_process(world, owner.worker);
    if (worker == nullptr || !worker->alive()) continue;
    found.insert(owner.worker);
    engine = id;
  }
  return found;
}

void call_hook(Turn& turn, const CommandGiven& command, ServiceLife& life) {
  const auto hook = life.plan->hooks.find(command.hook);
  if (hook == life.plan->hooks.end()) {
    std::string known;
    for (const auto& [name, one] : life.plan->hooks) known += (known.empty() ? "" : ", ") + name;
    return answer(turn, command.id, 404,
                  command.service + " has no hook '" + command.hook + "'; " +
                      (known.empty() ? "it has none" : "it has " + known));
  }
  if (!is_up(life)) return answer(turn, command.id, 409, command.service + " is not ready");
  ProcessId engine = nobody;
  ProcessId target = app_process(turn.world, command.service);
  if (hook->second.to == HookTarget::owner) {
    std::set<ProcessId> found = owners(turn.world, command, false, engine);
    // Who has none any more may be asked for a new one.
    if (found.empty()) found = owners(turn.world, command, true, engine);
    if (found.empty())
      return answer(turn, command.id, 409, "no engine with a worker fits, the hook has nobody to go to");
    if (found.size() > 1)
      return answer(turn, command.id, 400,
                    std::to_string(found.size()) + " workers have an engine: say which engine with its pid");
    target = *found.begin();
  }
  // A task that is done is ready, and nobody is there who could hear.
  if (const Process* process = find_process(turn.world, target); process == nullptr || !process->alive())
    return answer(turn, command.id, 409, command.service + " has no process that the hook could go to");
  CallHook call{turn.world.next_hook++,
                command.service,
                hook->second,
                target,
                {{"engine_pid", std::to_string(engine.pid)},
                 {"owner_pid", std::to_string(target.pid)},
                 {"service", command.service},
                 {"rule", command.rule},
                 {"run", std::to_string(life.run)}},
                hook->second.timeout};
  await(turn, command, life.run, call.timeout + 2s, call.id);
  turn.emit(std::move(call));
}

void hold(Turn& turn, const CommandGiven& command) {
  Holding holding;
  holding.except_hard = command.except_hard;
  if (command.for_) {
    holding.until = turn.now.steady + *command.for_;
    holding.until_wall = turn.now.wall + *command.for_;
  }
  turn.world.holding = holding;
  answer(turn, command.id, 200,
         "interventions are held" + (command.for_ ? " for " + to_text(*command.for_) : std::string{" until released"}) +
             (command.except_hard ? ", but for hard limits" : ""));
}

const char* act_text(CommandAct act) {
  switch (act) {
    case CommandAct::start: return "start";
    case CommandAct::stop: return "stop";
    case CommandAct::restart: return "restart";
    case CommandAct::reconnect: return "reconnect";
    case CommandAct::hook: return "hook";
    case CommandAct::hold: return "hold";
    case CommandAct::release: return "release";
  }
  return "";
}

/// "app is starting: waits for migrate (starting)"
std::string state_text(const World& world, const std::string& service) {
  const auto found = world.services.find(service);
  if (found == world.services.end()) return service + " is out of the plan";
  const ServiceLife& life = found->second;
  return service + " is " + to_text(life.state) + (life.note.empty() ? "" : ": " + life.note);
}

/// Why a service has no run, in the words of whatever is known best.
std::string why_down(const ServiceLife& life) {
  if (std::string refused = refusal_text(life.refusal); !refused.empty()) return refused;
  return life.last_exit ? to_sentence(*life.last_exit) : "no exit status";
}

/// What it requires has failed meanwhile: that can take for ever.
std::optional<std::string> held_up_by(const World& world, const ServiceLife& life) {
  if (life.state != ServiceState::starting || life.spawning || life.main != nobody) return std::nullopt;
  for (const std::string& required : life.plan->required) {
    const auto found = world.services.find(required);
    if (found == world.services.end()) continue;
    const ServiceState state = found->second.state;
    if (state != ServiceState::failed && state != ServiceState::backoff) continue;
    return "it waits for " + required + ", which is in " + to_text(state) + ": " + why_down(found->second);
  }
  return std::nullopt;
}

/// The outcome of an awaited command, if it is known.
std::optional<Answer> outcome(const World& world, const Waiting& waiting) {
  const auto found = world.services.find(waiting.service);
  if (found == world.services.end())
    return Answer{waiting.id, 200, waiting.service + " is stopped, and out of the plan"};
  const ServiceLife& life = found->second;
  const std::string& name = waiting.service;
  if (life.state == ServiceState::stuck)
    return Answer{waiting.id, 500, name + " is stuck" + (life.note.empty() ? "" : ": " + life.note)};
  switch (waiting.act) {
    case CommandAct::stop:
      if (life.wanted) return Answer{waiting.id, 409, "another command wants " + name + " to run"};
      if (life.state == ServiceState::stopped) return Answer{waiting.id, 200, name + " is stopped"};
      return std::nullopt;
    case CommandAct::start:
    case CommandAct::restart: {
      if (!life.wanted && life.state == ServiceState::stopped)
        return Answer{waiting.id, 409, "another command stopped " + name};
      const bool next_run = waiting.act == CommandAct::start || life.run > waiting.run;
      if (life.state == ServiceState::late && next_run)
        return Answer{waiting.id, 500, name + " is late: it was not ready in time, and is left alone"};
      if (is_up(life) && next_run) return Answer{waiting.id, 200, ready_text(name, life)};
      if (life.state == ServiceState::starting && !life.spawning && !life.force && !life.leftovers.empty() &&
          life.plan->leftovers == LeftoverPolicy::hold) {
        return Answer{waiting.id, 409, name + " does not start: " + life.note + " (start --force goes on)"};
      }
      if (life.state == ServiceState::failed || life.state == ServiceState::backoff) {
        return Answer{waiting.id, 500, name + " does not start: " + why_down(life)};
      }
      if (const auto why = held_up_by(world, life))
        return Answer{waiting.id, 500, name + " does not start yet: " + *why};
      return std::nullopt;
    }
    case CommandAct::reconnect:
    case CommandAct::hook:
    case CommandAct::hold:
    case CommandAct::release: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void take_command(Turn& turn, const CommandGiven& command) {
  const std::string what = std::string{act_text(command.act)} + (command.hook.empty() ? "" : " " + command.hook);
  record(turn, entry(EventKind::operator_, command.service,
                     what + ", asked for by " + command.by + (command.force ? ", forced" : "")));
  if (command.act == CommandAct::hold) return hold(turn, command);
  if (command.act == CommandAct::release) {
    turn.world.holding.reset();
    return answer(turn, command.id, 200, "interventions are no longer held");
  }
  const auto found = turn.world.services.find(command.service);
  if (found == turn.world.services.end()) {
    return answer(turn, command.id, 404, "no service '" + command.service + "'; " + known_services(turn.world));
  }
  if (turn.world.stopping && command.act != CommandAct::stop)
    return answer(turn, command.id, 409, "the daemon is stopping");
  switch (command.act) {
    case CommandAct::start: return start(turn, command, found->second);
    case CommandAct::stop: return stop(turn, command, found->second);
    case CommandAct::restart: return restart(turn, command, found->second);
    case CommandAct::reconnect: return reconnect(turn, command, found->second);
    case CommandAct::hook: return call_hook(turn, command, found->second);
    case CommandAct::hold:
    case CommandAct::release: return;
  }
}

void take_command_hook(Turn& turn, const HookAnswered& answered) {
  auto& waiting = turn.world.waiting;
  const auto found = std::find_if(waiting.begin(), waiting.end(),
                                  [&](const Waiting& one) { return one.hook != 0 && one.hook == answered.hook; });
  if (found == waiting.end()) return;
  const bool done = answered.result == HookResult::done;
  std::string why = answered.detail;
  if (answered.wrong_answers > 0)
    why += " after " + std::to_string(answered.wrong_answers) + " answers by the wrong process";
  answer(turn, found->id, done ? 200 : 500, (done ? "done: " : "the hook failed: ") + why);
  waiting.erase(found);
}

void settle_commands(Turn& turn) {
  auto& waiting = turn.world.waiting;
  for (auto it = waiting.begin(); it != waiting.end();) {
    std::optional<Answer> known = outcome(turn.world, *it);
    if (!known && turn.now.steady >= it->deadline)
      known = Answer{it->id, 500, "no outcome in time, it goes on: " + state_text(turn.world, it->service)};
    if (!known) {
      ++it;
      continue;
    }
    turn.emit(std::move(*known));
    it = waiting.erase(it);
  }
}

Steady commands_deadline(const World& world) {
  Steady first = never;
  for (const Waiting& one : world.waiting) first = std::min(first, one.deadline);
  return first;
}

}  // namespace plimsoll::core

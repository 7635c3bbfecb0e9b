#include "daemon/core/stopping.hpp"

#include <algorithm>

#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

/// The main process is the app whoever forked it: a run may have handed that on to one below an engine.
bool of_engine(const World& world, const Process& process) {
  if (process.id == world.services.at(process.service).main) return false;
  return process.engine.has_value() || below_engine(world, process);
}

std::string name_processes(const World& world, const std::vector<ProcessId>& ids) {
  std::string text;
  for (std::size_t i = 0; i < ids.size() && i < 8; ++i) {
    text += (text.empty() ? "" : ", ") + std::to_string(ids[i].pid) + " (" +
            find_process(world, ids[i])->program->comm + ")";
  }
  return ids.size() > 8 ? text + " and " + std::to_string(ids.size() - 8) + " more" : text;
}

/// What is sent to one that is asked now.
int signal_of_step(const ServiceLife& life) {
  const StopPolicy& stop = life.plan->stop;
  const std::size_t step = std::min(life.stop_step, stop.further.size());
  return step == 0 ? stop.signal : stop.further[step - 1].signal;
}

/// The next generation: app processes whose recorded parent is dead. Their own children wait for them.
void ask_generation(Turn& turn, ServiceLife& life, const std::vector<ProcessId>& members) {
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    const Process* parent = find_process(turn.world, process.parent);
    const bool parent_lives = parent != nullptr && parent->alive();
    if (!process.asked && !parent_lives && !of_engine(turn.world, process))
      ask_to_end(turn, process, signal_of_step(life), never);
  }
}

/// Engines are asked when no app process lives that could use them, by their own rule's stop and all its steps. The end
/// of the service's own steps is SIGKILL for them, too.
void ask_engines(Turn& turn, ServiceLife& life, const std::vector<ProcessId>& members) {
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    if (process.asked) continue;
    const EngineRule* rule = process.engine ? rule_of(turn.world, process.service, process.engine->rule) : nullptr;
    const StopPolicy& stop = rule != nullptr ? rule->stop : life.plan->stop;
    ask_to_end(turn, process, stop);
  }
}

void ask_gently(Turn& turn, ServiceLife& life, const std::vector<ProcessId>& members) {
  Process* main = find_process(turn.world, life.main);
  if (main != nullptr && main->alive()) {
    if (!std::exchange(life.main_asked, true)) ask_to_end(turn, *main, signal_of_step(life), never);
    return;
  }
  const bool apps = std::any_of(members.begin(), members.end(), [&](const ProcessId& id) {
    return !of_engine(turn.world, *find_process(turn.world, id));
  });
  if (apps) {
    ask_generation(turn, life, members);
  } else {
    ask_engines(turn, life, members);
  }
}

/// The next step of `stop.steps`: its signal to everybody of the app who was asked before.
bool next_step(Turn& turn, const std::string& service, ServiceLife& life, const std::vector<ProcessId>& members) {
  const auto& further = life.plan->stop.further;
  const bool last_moment = turn.world.stopping && turn.now.steady >= turn.world.stop_deadline;
  if (last_moment || life.stop_step >= further.size()) return false;
  const StopStep& step = further[life.stop_step++];
  life.deadline = turn.now.steady + step.grace;
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    // Whom a rung has asked by itself has steps and a grace of its own, and may stand below one that lives.
    const bool asked_here = process.asked && !process.killed && process.kill_at == never;
    if (asked_here && !of_engine(turn.world, process)) ask_to_end(turn, process, step.signal, never);
  }
  turn.changed = true;
  record(turn, entry(EventKind::service_state, service,
                     "asks again, by step " + std::to_string(life.stop_step + 1) +
                         " of its stop: " + name_processes(turn.world, members)));
  return true;
}

void begin_killing(Turn& turn, const std::string& service, ServiceLife& life, const std::vector<ProcessId>& members) {
  life.killing = true;
  life.deadline = turn.now.steady + 10s;
  Entry said =
      entry(EventKind::service_state, service, "the grace is over, SIGKILL to " + name_processes(turn.world, members));
  said.level = Level::warning;
  record(turn, said);
}

void become_stuck(Turn& turn, const std::string& service, ServiceLife& life, const std::vector<ProcessId>& members) {
  if (life.state == ServiceState::stuck) return;
  set_state(turn, service, ServiceState::stuck,
            "stuck: outlived SIGKILL by 10 s: " + name_processes(turn.world, members));
  turn.emit(DescribeStuck{service, members});
}

void name_what_was_left(Turn& turn, const std::string& service, const std::vector<ProcessId>& members) {
  record(turn, entry(EventKind::service_state, service,
                     "the main process left " + name_processes(turn.world, members) +
                         "; they are ended (run it in the foreground)"));
}

void end_drain(Turn& turn, const std::string& service, ServiceLife& life, const std::string& how) {
  life.draining = 0;
  life.deadline = turn.now.steady + life.plan->stop.grace;
  turn.changed = true;
  record(turn, entry(EventKind::hook, service, "drain: " + how + "; now it is asked to end"));
}

/// Whether the drain is still waited for, or was until now: then everything is looked at again. It ends with its
/// answer, its deadline, the main process or the last moment.
bool drains(Turn& turn, const std::string& service, ServiceLife& life, bool main_dead, Steady until) {
  if (life.draining == 0) return false;
  if (!main_dead && turn.now.steady < until) return true;
  turn.emit(CancelHook{life.draining});
  end_drain(turn, service, life, main_dead ? "its main process has ended" : "no answer in time");
  return true;
}

void finish_stop(Turn& turn, const std::string& service, ServiceLife& life) {
  const Afterwards afterwards = life.afterwards;
  if (life.draining != 0) turn.emit(CancelHook{std::exchange(life.draining, 0)});
  life.main = nobody;
  life.awaiting_look = false;
  life.killing = false;
  life.tree = {};
  life.notices = {};
  life.container = {};
  turn.emit(FlushOutput{service});
  after_the_end(turn, service, afterwards);
}

}  // namespace

void begin_stop(Turn& turn, const std::string& service, ServiceLife& life) {
  life.deadline = turn.now.steady + life.plan->stop.grace;
  const auto hook = life.plan->hooks.find(life.plan->stop.drain);
  const Process* app = find_process(turn.world, app_process(turn.world, service));
  const Process* main = find_process(turn.world, life.main);
  const bool hears =
      main != nullptr && main->alive() && app != nullptr && app->alive() && app->state != 'T' && app->state != 't';
  if (hook == life.plan->hooks.end() || !hears) return;
  CallHook call;
  call.id = life.draining = turn.world.next_hook++;
  call.service = service;
  call.hook = hook->second;
  call.target = app->id;
  call.timeout = hook->second.timeout;
  call.placeholders = {
      {"owner_pid", std::to_string(app->id.pid)}, {"service", service}, {"run", std::to_string(life.run)}};
  life.deadline = turn.now.steady + call.timeout + 2s;  // the edge keeps the time; this is for one that does not answer
  record(turn, entry(EventKind::hook, service, "drains by hook '" + hook->first + "'"));
  turn.emit(std::move(call));
}

void take_drain_answer(Turn& turn, const HookAnswered& answer) {
  for (auto& [name, life] : turn.world.services) {
    if (life.draining != answer.hook || answer.hook == 0) continue;
    turn.touch(name);
    return end_drain(turn, name, life, answer.detail);
  }
}

void settle_stop(Turn& turn, const std::string& service, ServiceLife& life) {
  const std::vector<ProcessId> members = live_members(turn.world, service);
  if (members.empty()) {
    turn.world.looked_for.insert(service);
    if (std::exchange(life.awaiting_look, true) && turn.now.steady < life.look_again) return;
    life.look_again = never;
    turn.emit(Look{false});
    return;
  }
  life.awaiting_look = false;
  const bool main_dead =
      find_process(turn.world, life.main) == nullptr || !find_process(turn.world, life.main)->alive();
  if (life.cause == StopCause::main_ended && main_dead && !std::exchange(life.main_asked, true))
    name_what_was_left(turn, service, members);
  const Steady end_of_grace = turn.world.stopping ? std::min(life.deadline, turn.world.stop_deadline) : life.deadline;
  if (drains(turn, service, life, main_dead, end_of_grace)) return;
  if (!life.killing && life.state != ServiceState::stuck && turn.now.steady >= end_of_grace &&
      !next_step(turn, service, life, members))
    begin_killing(turn, service, life, members);
  if (!life.killing && life.state != ServiceState::stuck) return ask_gently(turn, life, members);
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    if (!process.killed) kill_now(turn, process);
  }
  if (turn.now.steady >= life.deadline) become_stuck(turn, service, life, members);
}

void confirm_empty(Turn& turn, bool complete) {
  for (const std::string& name : std::exchange(turn.world.looked_for, {})) {
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end() || !found->second.awaiting_look) continue;
    ServiceLife& life = found->second;
    turn.touch(name);
    if (!live_members(turn.world, name).empty()) {
      life.awaiting_look = false;
      turn.changed = true;
    } else if (!complete) {
      // Something of ours was on its way while the census was taken, or cannot be watched: no reason to spin.
      life.look_again = turn.now.steady + 50ms;
      turn.world.looked_for.insert(name);
    } else {
      finish_stop(turn, name, life);
    }
  }
}

void abandon_stuck(Turn& turn, const std::string& service) {
  ServiceLife& life = turn.world.services.at(service);
  const std::vector<ProcessId> members = live_members(turn.world, service);
  Entry said = entry(EventKind::operator_, service,
                     "forced: " + name_processes(turn.world, members) + " are left behind, nobody's from now on");
  said.level = Level::warning;
  record(turn, said);
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    process.service.clear();
    turn.world.processes.moved(process, service);
    process.engine.reset();
    process.memory.next = never;
  }
  life.afterwards = Afterwards::start;
  finish_stop(turn, service, life);
}

void settle_graces(Turn& turn) {
  const auto settle = [&turn](Process& process) {
    if (!process.alive() || turn.now.steady < process.kill_at) return;
    const std::string pid = std::to_string(process.id.pid);
    if (!process.further.empty()) {
      const StopStep step = process.further.front();
      process.further.erase(process.further.begin());
      ask_to_end(turn, process, step.signal, turn.now.steady + step.grace);
      record(turn, entry(EventKind::rung, process, "asked " + pid + " again, by the next step of its stop"));
    } else {
      record(turn, entry(EventKind::rung, process, "SIGKILL to " + pid + ", its grace is over"));
      kill_now(turn, process);
    }
  };
  for (const std::string& service : turn.touched) for_each_of(turn.world, service, settle);
}

Steady graces_deadline(const World& world, const std::string& service) {
  Steady first = never;
  for_each_of(world, service, [&](const Process& process) {
    if (process.alive()) first = std::min(first, process.kill_at);
  });
  return first;
}

}  // namespace plimsoll::core

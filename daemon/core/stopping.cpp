#include "daemon/core/stopping.hpp"

#include <algorithm>

#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

bool of_engine(const World& world, const Process& process) {
  return process.engine.has_value() || below_engine(world, process);
}

std::string name_processes(const World& world, const std::vector<ProcessId>& ids) {
  std::string text;
  for (std::size_t i = 0; i < ids.size() && i < 8; ++i) {
    text += (text.empty() ? "" : ", ") + std::to_string(ids[i].pid) + " (" + find_process(world, ids[i])->program.comm +
            ")";
  }
  return ids.size() > 8 ? text + " and " + std::to_string(ids.size() - 8) + " more" : text;
}

/// The next generation: app processes whose recorded parent is dead. Their own children wait for them.
void ask_generation(Turn& turn, ServiceLife& life, const std::vector<ProcessId>& members) {
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    const Process* parent = find_process(turn.world, process.parent);
    const bool parent_lives = parent != nullptr && parent->alive();
    if (!process.asked && !parent_lives && !of_engine(turn.world, process))
      ask_to_end(turn, process, life.plan->stop.signal, never);
  }
}

/// Engines are asked when no app process lives that could use them, by their own rule's stop.
void ask_engines(Turn& turn, ServiceLife& life, const std::vector<ProcessId>& members) {
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    if (process.asked) continue;
    const EngineRule* rule = process.engine ? rule_of(turn.world, process.service, process.engine->rule) : nullptr;
    const StopPolicy& stop = rule != nullptr ? rule->stop : life.plan->stop;
    ask_to_end(turn, process, stop.signal, std::min(life.deadline, turn.now.steady + stop.grace));
  }
}

void ask_gently(Turn& turn, ServiceLife& life, const std::vector<ProcessId>& members) {
  Process* main = find_process(turn.world, life.main);
  if (main != nullptr && main->alive()) {
    if (!std::exchange(life.main_asked, true)) ask_to_end(turn, *main, life.plan->stop.signal, never);
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

void finish_stop(Turn& turn, const std::string& service, ServiceLife& life) {
  const Afterwards afterwards = life.afterwards;
  life.main = nobody;
  life.awaiting_look = false;
  life.killing = false;
  life.tree = {};
  turn.emit(FlushOutput{service});
  after_the_end(turn, service, afterwards);
}

}  // namespace

void settle_stop(Turn& turn, const std::string& service, ServiceLife& life) {
  const std::vector<ProcessId> members = live_members(turn.world, service);
  if (members.empty()) {
    if (std::exchange(life.awaiting_look, true) && turn.now.steady < life.look_again) return;
    life.look_again = never;
    turn.emit(Look{});
    return;
  }
  life.awaiting_look = false;
  const bool main_dead =
      find_process(turn.world, life.main) == nullptr || !find_process(turn.world, life.main)->alive();
  if (life.cause == StopCause::main_ended && main_dead && !std::exchange(life.main_asked, true))
    name_what_was_left(turn, service, members);
  const Steady end_of_grace = turn.world.stopping ? std::min(life.deadline, turn.world.stop_deadline) : life.deadline;
  if (!life.killing && life.state != ServiceState::stuck && turn.now.steady >= end_of_grace)
    begin_killing(turn, service, life, members);
  if (!life.killing && life.state != ServiceState::stuck) return ask_gently(turn, life, members);
  for (const ProcessId& id : members) {
    Process& process = *find_process(turn.world, id);
    if (!process.killed) kill_now(turn, process);
  }
  if (turn.now.steady >= life.deadline) become_stuck(turn, service, life, members);
}

void confirm_empty(Turn& turn, bool complete) {
  std::vector<std::string> waiting;
  for (auto& [name, life] : turn.world.services) {
    if (life.awaiting_look) waiting.push_back(name);
  }
  for (const std::string& name : waiting) {
    ServiceLife& life = turn.world.services.at(name);
    if (!live_members(turn.world, name).empty()) {
      life.awaiting_look = false;
      turn.changed = true;
    } else if (!complete) {
      // Something of ours was on its way while the census was taken, or cannot be watched: no reason to spin.
      life.look_again = turn.now.steady + 50ms;
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
    process.engine.reset();
    process.memory.next = never;
  }
  life.afterwards = Afterwards::start;
  finish_stop(turn, service, life);
}

void settle_graces(Turn& turn) {
  for (auto& [id, process] : turn.world.processes) {
    if (process.alive() && turn.now.steady >= process.kill_at) {
      record(turn, entry(EventKind::rung, process, "SIGKILL to " + std::to_string(id.pid) + ", its grace is over"));
      kill_now(turn, process);
    }
  }
}

Steady graces_deadline(const World& world) {
  Steady first = never;
  for (const auto& [id, process] : world.processes) {
    if (process.alive()) first = std::min(first, process.kill_at);
  }
  return first;
}

}  // namespace plimsoll::core

#include "daemon/core/turn.hpp"

#include <algorithm>
#include <csignal>

namespace plimsoll::core {

void Turn::touch_around(const std::string& service) {
  touch(service);
  const auto life = world.services.find(service);
  if (life != world.services.end()) {
    const Service& plan = *life->second.plan;
    touched.insert(plan.required.begin(), plan.required.end());
    touched.insert(plan.after.begin(), plan.after.end());
    if (!plan.engine_of.empty()) touch(plan.engine_of);
  }
  const auto& dependents = dependents_of(world, service);
  touched.insert(dependents.begin(), dependents.end());
}

const Service* plan_of(const World& world, const std::string& service) {
  const auto found = world.services.find(service);
  return found == world.services.end() ? nullptr : found->second.plan.get();
}

const EngineRule* rule_of(const World& world, const std::string& service, const std::string& rule) {
  const Service* plan = rule.empty() ? nullptr : plan_of(world, service);
  if (plan == nullptr) return nullptr;
  const auto found =
      std::find_if(plan->engines.begin(), plan->engines.end(), [&](const EngineRule& one) { return one.name == rule; });
  return found == plan->engines.end() ? nullptr : &*found;
}

Process* find_process(World& world, ProcessId id) {
  const auto found = world.processes.find(id);
  return found == world.processes.end() ? nullptr : &found->second;
}

const Process* find_process(const World& world, ProcessId id) {
  const auto found = world.processes.find(id);
  return found == world.processes.end() ? nullptr : &found->second;
}

const Process* find_pid(const World& world, int pid) {
  for (auto it = world.processes.lower_bound({pid, 0}); it != world.processes.end() && it->first.pid == pid; ++it) {
    if (it->second.alive()) return &it->second;
  }
  return nullptr;
}

void read_at(World& world, Process& process, Steady at) {
  if (std::exchange(process.memory.next, at) == at || at == never) return;
  world.readings[at].push_back(process.id);
}

std::vector<ProcessId> live_members(const World& world, const std::string& service) {
  std::vector<ProcessId> members;
  for_each_of(world, service, [&](const Process& process) {
    if (process.alive()) members.push_back(process.id);
  });
  return members;
}

void index_dependents(World& world) {
  world.dependents.clear();
  world.container.watchers.clear();
  for (const auto& [name, life] : world.services) {
    if (life.plan->container) world.container.watchers.push_back(name);
    std::set<std::string> named(life.plan->required.begin(), life.plan->required.end());
    named.insert(life.plan->after.begin(), life.plan->after.end());
    if (!life.plan->engine_of.empty()) named.insert(life.plan->engine_of);
    for (const std::string& one : named) world.dependents[one].push_back(name);
  }
}

const std::vector<std::string>& dependents_of(const World& world, const std::string& service) {
  static const std::vector<std::string> none;
  const auto found = world.dependents.find(service);
  return found == world.dependents.end() ? none : found->second;
}

bool is_up(const ServiceLife& life) {
  return life.state == ServiceState::ready || life.state == ServiceState::late;
}

bool has_run(const ServiceLife& life) {
  return is_up(life) || (life.state == ServiceState::starting && life.main != nobody);
}

const Process* outlived_sigkill(const World& world, const std::string& service, Steady now) {
  return first_alive(world, service, [&](const Process& process) {
    return process.killed && now - *process.killed >= std::chrono::seconds{10};
  });
}

bool withheld(const World& world, bool hard) {
  if (world.plan->daemon.mode == Mode::observe) return true;
  return world.holding && !(hard && world.holding->except_hard);
}

void record(Turn& turn, Entry said) {
  turn.emit(Record{std::move(said)});
}

Entry entry(EventKind kind, const std::string& service, std::string why) {
  Entry said;
  said.kind = kind;
  said.service = service;
  said.why = std::move(why);
  return said;
}

Entry entry(EventKind kind, const Process& process, std::string why) {
  Entry said = entry(kind, process.service, std::move(why));
  said.pid = process.id.pid;
  if (process.engine) said.rule = process.engine->rule;
  return said;
}

Intervention& open_intervention(Turn& turn, const std::string& service, Cause cause, std::string why) {
  constexpr std::size_t kept = 256;
  auto& ledger = turn.world.ledger;
  if (ledger.size() >= kept) ledger.pop_front();
  Intervention opened;
  opened.id = turn.world.next_intervention++;
  opened.at = turn.now.wall;
  opened.began = turn.now.steady;
  opened.service = service;
  opened.cause = cause;
  opened.why = std::move(why);
  return ledger.emplace_back(std::move(opened));
}

Intervention* find_intervention(World& world, InterventionId id) {
  const auto found =
      std::find_if(world.ledger.rbegin(), world.ledger.rend(), [&](const Intervention& one) { return one.id == id; });
  return found == world.ledger.rend() ? nullptr : &*found;
}

void close_intervention(Turn& turn, InterventionId id, LadderEnd end) {
  Intervention* found = find_intervention(turn.world, id);
  if (found == nullptr) return;
  found->end = end;
  found->ended = turn.now.steady;
}

void ask_to_end(Turn& turn, Process& process, int signal, Steady kill_at) {
  turn.emit(SendSignal{process.id, signal});
  turn.emit(SendSignal{process.id, SIGCONT});
  process.asked = turn.now.steady;
  process.kill_at = kill_at;
  turn.changed = true;
}

void ask_to_end(Turn& turn, Process& process, const StopPolicy& stop) {
  ask_to_end(turn, process, stop.signal, turn.now.steady + stop.grace);
  process.further = stop.further;
}

void kill_now(Turn& turn, Process& process) {
  turn.emit(SendSignal{process.id, SIGKILL});
  process.killed = turn.now.steady;
  process.kill_at = never;
  turn.changed = true;
}

}  // namespace plimsoll::core

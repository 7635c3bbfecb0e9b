#include "tests/sim/kernel.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace plimsoll::sim {
namespace {

constexpr int first_pid = 100;

}  // namespace

Exit exited(int code) {
  return {ExitKind::exited, code, 0, {}};
}
Exit by_signal(int signal) {
  return {ExitKind::signaled, 0, signal, {}};
}

int Kernel::free_pid() {
  // A number is free when no process that still has an entry bears it, as pid or as session.
  const auto taken = [this](int pid) {
    return std::any_of(processes_.begin(), processes_.end(), [pid](const auto& item) {
      return !item.second.reaped && (item.first.pid == pid || item.second.session == pid);
    });
  };
  for (int tried = 0;; ++tried) {
    next_pid_ = next_pid_ >= last_pid_ ? first_pid : next_pid_ + 1;
    if (!taken(next_pid_)) return next_pid_;
    if (tried > last_pid_) last_pid_ *= 2;  // zombies that nobody reaps bear them all
  }
}

SimProcess& Kernel::create(Steady now) {
  const int pid = free_pid();
  const auto ticks = static_cast<std::uint64_t>(now.time_since_epoch() / std::chrono::milliseconds{10});
  std::uint64_t& start = last_start_[pid];
  start = std::max(start + 1, ticks);
  SimProcess made;
  made.id = {pid, start};
  made.born = now;
  SimProcess& kept = processes_.insert_or_assign(made.id, std::move(made)).first->second;
  living_.push_back(&kept);
  return kept;
}

SimProcess& Kernel::fork(ProcessId parent, Steady now) {
  SimProcess& made = create(now);
  const SimProcess& forker = processes_.at(parent);
  made.forker = made.parent = parent;
  made.service = forker.service;
  made.run = forker.run;
  made.session = forker.session;
  made.command = forker.command;
  made.wrapper = forker.wrapper;
  made.rule = forker.rule;  // until its exec
  made.outside = forker.outside;
  if (on_fork) on_fork(made);
  return made;
}

SimProcess& Kernel::stranger(Steady now) {
  SimProcess& made = create(now);
  made.session = made.id.pid;
  exec(made, {"/usr/bin/old"}, {});
  return made;
}

SimProcess& Kernel::spawn(const std::string& service, RunNumber run, const std::vector<std::string>& argv, Steady now) {
  SimProcess& made = create(now);
  made.service = service;
  made.run = run;
  made.session = made.id.pid;
  made.own_child = true;
  exec(made, argv, {});
  return made;
}

void Kernel::exec(SimProcess& process, std::vector<std::string> argv, std::string rule) {
  const std::string& first = argv.front();
  process.command = {first.substr(first.rfind('/') + 1).substr(0, 15), first, "/srv/app", argv};
  process.wrapper = process.command.comm == "sh" || process.command.comm == "npm";
  process.rule = std::move(rule);
  process.execed = true;
}

SimProcess* Kernel::find(ProcessId id) {
  const auto found = processes_.find(id);
  return found == processes_.end() ? nullptr : &found->second;
}
const SimProcess* Kernel::find(ProcessId id) const {
  const auto found = processes_.find(id);
  return found == processes_.end() ? nullptr : &found->second;
}

ProcessId Kernel::adopter_of(const SimProcess& dead) const {
  for (const SimProcess* at = find(dead.parent); at != nullptr; at = find(at->parent)) {
    if (at->subreaper && at->alive()) return at->id;
  }
  return nobody;
}

void Kernel::end(ProcessId id, const Exit& exit, Steady now) {
  SimProcess* process = find(id);
  if (process == nullptr || !process->alive()) return;
  process->died = now;
  process->exit = exit;
  process->state = 'Z';
  std::erase(living_, process);
  if (on_death) on_death(*process);
  const ProcessId adopter = adopter_of(*process);
  std::vector<ProcessId> zombies;
  for (auto& [child_id, child] : processes_) {
    if (child.parent != id || child.reaped) continue;
    child.parent = adopter;
    const SimProcess* by = find(adopter);
    if (!child.alive() && (by == nullptr || by->reaps)) zombies.push_back(child_id);
  }
  if (process->parent == nobody) zombies.push_back(id);
  for (const ProcessId& zombie : zombies) reap(zombie);
}

void Kernel::reap(ProcessId id) {
  SimProcess* process = find(id);
  if (process == nullptr || process->alive() || process->reaped) return;
  process->reaped = true;
  if (on_reaped) on_reaped(*process);
}

void Kernel::deliver(ProcessId id, int signal, Steady now) {
  SimProcess* process = find(id);
  if (process == nullptr || !process->alive()) return;
  if (signal == SIGKILL) {
    process->kill_waits = process->unkillable;
    if (!process->unkillable) end(id, by_signal(SIGKILL), now);
    return;
  }
  if (signal == SIGCONT) {
    process->halted = false;
    if (process->state == 'T') process->state = 'S';
    if (process->waiting_signal == 0) return;
    signal = std::exchange(process->waiting_signal, 0);
  }
  if (process->halted) {
    process->waiting_signal = signal;
    return;
  }
  if (process->unkillable) return;
  switch (process->on_stop) {
    case OnStop::dies: return end(id, by_signal(signal), now);
    case OnStop::leaves_with_zero: return end(id, exited(0), now);
    case OnStop::leaves_with_failure: return end(id, exited(3), now);
    case OnStop::takes_its_time: return end_later(id);
    case OnStop::ignores: return;
  }
}

void Kernel::set_unkillable(ProcessId id, bool on, Steady now) {
  SimProcess* process = find(id);
  if (process == nullptr || !process->alive()) return;
  process->unkillable = on;
  process->state = on ? 'D' : 'S';
  if (!on && process->kill_waits) end(id, by_signal(SIGKILL), now);
}

void Kernel::halt(ProcessId id) {
  SimProcess* process = find(id);
  if (process == nullptr || !process->alive() || process->unkillable) return;
  process->halted = true;
  process->state = 'T';
}

void Kernel::look(Steady now, const std::function<bool(const SimProcess&)>& hidden, core::Looked& looked) {
  std::vector<ProcessId> wave{nobody};
  while (!wave.empty()) {
    std::vector<ProcessId> next;
    for (SimProcess* process : living_) {
      if (process->outside || std::find(wave.begin(), wave.end(), process->parent) == wave.end()) continue;
      if (!process->told && !process->own_child && hidden(*process)) {
        looked.complete = false;
        continue;
      }
      next.push_back(process->id);
      sight(*process, now, looked);
    }
    wave = std::move(next);
  }
}

bool Kernel::all_our_own_known() const {
  return std::all_of(living_.begin(), living_.end(), [](const SimProcess* process) {
    return process->outside || process->parent != nobody || process->told || process->own_child;
  });
}

void Kernel::sight_unseen(SimProcess& process, Steady now, bool exit_known, core::Looked& looked) {
  process.told = true;
  core::Sighting seen;
  seen.id = process.id;
  seen.forker = process.forker;
  seen.unseen = true;
  seen.state = 'X';
  seen.session = process.session;
  if (!process.execed) seen.command = process.command;
  if (exit_known) seen.exit = process.exit;
  seen.age = std::chrono::duration_cast<Duration>(now - process.born);
  looked.fresh.push_back(std::move(seen));
}

void Kernel::sight(SimProcess& process, Steady now, core::Looked& looked, std::optional<ProcessId> forker) const {
  const bool changed = !process.told || process.told_parent != process.parent ||
                       process.told_session != process.session || process.told_state != process.state ||
                       process.told_argv != process.command.argv;
  if (!changed) return;
  const bool fresh = !process.told && !process.own_child;
  process.told = true;
  process.told_parent = process.parent;
  process.told_session = process.session;
  process.told_state = process.state;
  process.told_argv = process.command.argv;
  core::Sighting seen;
  seen.id = process.id;
  seen.parent = process.parent;
  seen.ourselves = process.parent == nobody;
  seen.session = process.session;
  seen.state = process.state;
  seen.command = process.command;
  seen.forker = forker;
  seen.age = std::chrono::duration_cast<Duration>(now - process.born);
  if (tag_readable && !forker) {
    seen.run_service = process.service;
    seen.run = process.run;
  }
  (fresh ? looked.fresh : looked.changed).push_back(std::move(seen));
}

const SimProcess* Kernel::forked_through_wrappers(const SimProcess& process) const {
  const SimProcess* at = find(process.forker);
  while (at != nullptr && at->wrapper) at = find(at->forker);
  return at;
}

}  // namespace plimsoll::sim

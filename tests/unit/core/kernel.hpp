// A small kernel for tests of the core: processes with parents, sessions and programs, that fork, move, end and are
// reaped as Linux does it. It decides nothing; it only keeps what a census would see, and tells differences as
// daemon/run's census does.
#pragma once

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/core/event.hpp"

namespace plimsoll::core {

inline Exit exited(int code) {
  return {ExitKind::exited, code, 0, {}};
}
inline Exit by_signal(int signal) {
  return {ExitKind::signaled, 0, signal, {}};
}

struct FakeProcess {
  ProcessId id;
  ProcessId parent;  ///< `nobody`: the daemon
  int session = 0;
  char state = 'S';
  CommandLine command;
  Steady born{};
  Bytes rss{50u << 20};
  bool own_child = false;
  bool subreaper = false;
  bool reaps = true;        ///< its dead children
  bool bystander = false;   ///< of no tree of ours: a signal to it breaks law 1
  bool unkillable = false;  ///< state D: signals wait
  bool kill_waits = false;
  bool dead = false;  ///< a zombie until it is reaped
  std::optional<Exit> exit;
  std::function<void(int)> on_signal;  ///< in place of the default action; SIGKILL never comes here

  bool told = false;
  ProcessId told_parent;
  int told_session = 0;
  char told_state = 0;
  std::vector<std::string> told_argv;
};

class FakeKernel {
 public:
  bool exit_info = true;  ///< how a process ended that is not our child can be read
  bool run_tag = true;    ///< PLIMSOLL_RUN can be read
  bool complete = true;   ///< what the next looks say of our own children
  std::function<void(Event)> tell;

  FakeProcess& create(ProcessId parent, std::vector<std::string> argv, Steady now) {
    FakeProcess made;
    made.id = {next_pid_++, ++next_start_};
    made.parent = parent;
    made.born = now;
    if (const FakeProcess* forked_by = find(parent)) {
      made.session = forked_by->session;
      made.subreaper = false;
      run_of_[made.id] = run_of_[parent];
    } else {
      made.session = made.id.pid;
    }
    set_program(made, std::move(argv));
    return processes_.insert_or_assign(made.id, std::move(made)).first->second;
  }

  /// Gives a pid out again, as the kernel does when it has gone round.
  void next_pid(int pid) { next_pid_ = pid; }
  void tag(ProcessId id, std::string service, RunNumber run) { run_of_[id] = {std::move(service), run}; }

  static void set_program(FakeProcess& process, std::vector<std::string> argv) {
    const std::string& first = argv.front();
    process.command = {first.substr(first.rfind('/') + 1).substr(0, 15),
                       first.front() == '/' ? first : "/usr/bin/" + first, "/srv/app", argv};
  }

  FakeProcess* find(ProcessId id) {
    const auto found = processes_.find(id);
    return found == processes_.end() ? nullptr : &found->second;
  }
  bool alive(ProcessId id) {
    const FakeProcess* process = find(id);
    return process != nullptr && !process->dead;
  }
  std::map<ProcessId, FakeProcess>& all() { return processes_; }

  void end(ProcessId id, Exit exit) {
    FakeProcess* process = find(id);
    if (process == nullptr || process->dead) return;
    process->dead = true;
    process->exit = exit;
    process->state = 'Z';
    for (auto& [child_id, child] : processes_) {
      if (child.parent == id) child.parent = nearest_subreaper(*process);
    }
    const bool ours = process->parent == nobody;
    if (process->told || process->own_child) {
      tell(ProcessEnded{id, ours || exit_info ? std::optional{exit} : std::nullopt, ours});
    }
    const FakeProcess* parent = find(process->parent);
    if (ours) {
      processes_.erase(id);
    } else if (parent != nullptr && parent->reaps) {
      reap(id);
    }
    reap_left_behind();
  }

  void reap(ProcessId id) {
    FakeProcess* process = find(id);
    if (process == nullptr || !process->dead) return;
    const bool told = process->told;
    processes_.erase(id);
    if (told) tell(ProcessReaped{id, std::nullopt});
  }

  /// A signal's default action, or the process's own.
  void deliver(ProcessId id, int signal) {
    FakeProcess* process = find(id);
    if (process == nullptr || process->dead || signal == SIGCONT) return;
    if (signal == SIGKILL) {
      process->kill_waits = process->unkillable;
      if (!process->unkillable) end(id, by_signal(SIGKILL));
    } else if (process->on_signal) {
      const auto act = process->on_signal;  // it may end the process that holds it
      act(signal);
    } else if (!process->unkillable) {
      end(id, by_signal(signal));
    }
  }

  /// Into state D and out of it: a SIGKILL that waited takes effect.
  void set_unkillable(ProcessId id, bool on) {
    FakeProcess* process = find(id);
    process->unkillable = on;
    process->state = on ? 'D' : 'S';
    if (!on && process->kill_waits) end(id, by_signal(SIGKILL));
  }

  /// A census: what is new below us, and what has changed, parents first.
  Looked look(Steady now) {
    Looked looked;
    looked.complete = complete;
    std::vector<ProcessId> wave{nobody};
    while (!wave.empty()) {
      std::vector<ProcessId> next;
      for (auto& [id, process] : processes_) {
        if (process.bystander || std::find(wave.begin(), wave.end(), process.parent) == wave.end()) continue;
        if (process.dead) continue;
        next.push_back(id);
        sight(process, now, looked);
      }
      wave = std::move(next);
    }
    return looked;
  }

  /// What the process connector leads to: a first sight of that one process, with who forked it.
  Looked told_of(ProcessId child, ProcessId forker, Steady now) {
    Looked looked;
    looked.everybody = false;
    sight(*find(child), now, looked);
    for (Sighting& seen : looked.fresh) seen.forker = forker;
    return looked;
  }

  /// Our own children only: everybody, if there is an unknown one among them.
  Looked look_at_our_own(Steady now) {
    for (const auto& [id, process] : processes_) {
      const bool unknown = !process.told && !process.own_child;
      if (process.parent == nobody && !process.bystander && !process.dead && unknown) return look(now);
    }
    Looked looked;
    looked.complete = complete;
    looked.everybody = false;
    looked.our_own = true;
    return looked;
  }

 private:
  ProcessId nearest_subreaper(const FakeProcess& from) {
    for (const FakeProcess* at = find(from.parent); at != nullptr; at = find(at->parent)) {
      if (at->subreaper && !at->dead) return at->id;
    }
    return nobody;
  }

  void reap_left_behind() {
    std::vector<ProcessId> ours;
    for (const auto& [id, process] : processes_) {
      if (process.dead && process.parent == nobody) ours.push_back(id);
    }
    for (const ProcessId& id : ours) reap(id);
  }

  void sight(FakeProcess& process, Steady now, Looked& looked) {
    const bool fresh = !process.told && !process.own_child;
    const bool changed = !process.told || process.told_parent != process.parent ||
                         process.told_session != process.session || process.told_state != process.state ||
                         process.told_argv != process.command.argv;
    if (!changed) return;
    process.told = true;
    process.told_parent = process.parent;
    process.told_session = process.session;
    process.told_state = process.state;
    process.told_argv = process.command.argv;
    Sighting seen;
    seen.id = process.id;
    seen.parent = process.parent;
    seen.ourselves = process.parent == nobody;
    seen.session = process.session;
    seen.state = process.state;
    seen.command = process.command;
    seen.age = std::chrono::duration_cast<Duration>(now - process.born);
    if (run_tag) std::tie(seen.run_service, seen.run) = run_of_[process.id];
    (fresh ? looked.fresh : looked.changed).push_back(std::move(seen));
  }

  std::map<ProcessId, FakeProcess> processes_;
  std::map<ProcessId, std::pair<std::string, RunNumber>> run_of_;
  int next_pid_ = 100;
  std::uint64_t next_start_ = 1'000;
};

}  // namespace plimsoll::core

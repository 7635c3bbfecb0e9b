// A simulated kernel: processes that fork, move, leave their session, exec, end, are re-parented and reaped as on
// Linux, with pids that come round again. It is also the truth that the laws are held against: who forked whom is
// written down by the fork itself, so a process is known to be of a service's tree whatever any census showed of it.
//
// Nothing here decides; what the core may know of it is in look() and in the deaths that life.cpp passes on.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/event.hpp"

namespace plimsoll::sim {

using core::Exit;
using core::ExitKind;
using core::nobody;
using core::ProcessId;
using core::RunNumber;
using core::Steady;

Exit exited(int code);
Exit by_signal(int signal);

/// What a process makes of a stop signal.
enum class OnStop { dies, leaves_with_zero, leaves_with_failure, ignores, takes_its_time };

struct SimProcess {
  ProcessId id;
  ProcessId forker;     ///< the truth: who forked it; `nobody` for what the daemon spawned and for strangers
  ProcessId parent;     ///< as the kernel says now; `nobody`: the daemon
  std::string service;  ///< the truth: of whose tree it is; empty: a stranger
  RunNumber run = 0;
  std::string rule;         ///< it runs the program of that engine rule since its exec
  std::string leftover_of;  ///< of an earlier daemon's run of that service
  int session = 0;
  char state = 'S';
  core::CommandLine command;
  bool wrapper = false;
  Steady born{};
  Bytes rss{50u << 20};
  Steady rss_since{};  ///< and could have been read since then
  OnStop on_stop = OnStop::dies;
  bool own_child = false;
  bool execed = false;  ///< since its fork
  bool subreaper = false;
  bool reaps = true;  ///< its dead children, after `reap_delay`
  Duration reap_delay{0};
  bool outside = false;  ///< never below us: no census shows it
  bool unkillable = false;
  bool kill_waits = false;
  bool halted = false;     ///< SIGSTOP
  int waiting_signal = 0;  ///< came while it was halted

  std::optional<Steady> died;
  Exit exit;
  bool reaped = false;

  // What a census has told of it.
  bool told = false;
  ProcessId told_parent;
  int told_session = 0;
  char told_state = 0;
  std::vector<std::string> told_argv;

  [[nodiscard]] bool alive() const { return !died; }
  /// It can do something: neither stopped nor in state D.
  [[nodiscard]] bool runs() const { return alive() && !halted && !unkillable; }
};

class Kernel {
 public:
  /// Called at each death, before the dead one's children have moved, and when a zombie's parent may reap it.
  std::function<void(SimProcess&)> on_death;
  std::function<void(SimProcess&)> on_reaped;
  /// Before the child has run for the first time.
  std::function<void(const SimProcess&)> on_fork;
  /// A process that takes its time to end: ends after that.
  std::function<void(ProcessId)> end_later;
  bool exit_readable = true;  ///< of those that are not our own children
  bool tag_readable = true;   ///< PLIMSOLL_RUN

  SimProcess& fork(ProcessId parent, Steady now);
  /// Neither forked by a process of ours nor by us.
  SimProcess& stranger(Steady now);
  SimProcess& spawn(const std::string& service, RunNumber run, const std::vector<std::string>& argv, Steady now);
  static void exec(SimProcess& process, std::vector<std::string> argv, std::string rule);

  SimProcess* find(ProcessId id);
  [[nodiscard]] const SimProcess* find(ProcessId id) const;
  [[nodiscard]] const std::vector<SimProcess*>& living() const { return living_; }
  [[nodiscard]] const std::map<ProcessId, SimProcess>& all() const { return processes_; }

  void end(ProcessId id, const Exit& exit, Steady now);
  void reap(ProcessId id);
  void deliver(ProcessId id, int signal, Steady now);
  void set_unkillable(ProcessId id, bool on, Steady now);
  void halt(ProcessId id);

  /// What is new below us and what has changed, parents first, into `looked`. `hidden` of the new ones are not seen
  /// this time.
  void look(Steady now, const std::function<bool(const SimProcess&)>& hidden, core::Looked& looked);
  /// One process, if there is anything to tell of it. `forker`: the kernel has named it.
  void sight(SimProcess& process, Steady now, core::Looked& looked, std::optional<ProcessId> forker = {}) const;
  /// One that was gone when it was first looked at.
  static void sight_unseen(SimProcess& process, Steady now, bool exit_known, core::Looked& looked);
  /// Whether each of our own children has been told, or was spawned by us.
  [[nodiscard]] bool all_our_own_known() const;

  /// The nearest living process above it that forked it through wrappers only and is none; `nobody` where there is
  /// none.
  [[nodiscard]] const SimProcess* forked_through_wrappers(const SimProcess& process) const;

 private:
  SimProcess& create(Steady now);
  int free_pid();
  ProcessId adopter_of(const SimProcess& dead) const;

  std::map<ProcessId, SimProcess> processes_;
  std::vector<SimProcess*> living_;
  int next_pid_ = 100;
  int last_pid_ = 260;  ///< so few that a pid comes round within one history
  std::map<int, std::uint64_t> last_start_;
};

}  // namespace plimsoll::sim

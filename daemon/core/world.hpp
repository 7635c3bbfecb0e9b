// Everything the daemon knows, as plain values: no pointers into it, no callbacks, no clock. A copy of a World is a
// checkpoint. Deadlines are members of what they belong to, so none can outlive its reason; next_deadline() (step.hpp)
// is the earliest of them.
//
// Processes are kept by ProcessId, the dead ones too while something still refers to them: a verdict about an engine
// rests on who forked whom, recorded while it was true. An engine is a process that a rule matched; who owns it is read
// off the lineage each time (lineage.hpp), never stored, so that it cannot drift from it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/plan/plan.hpp"
#include "daemon/core/event.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/core/processes.hpp"
#include "daemon/core/program.hpp"
#include "daemon/core/recent_map.hpp"
#include "daemon/core/record.hpp"
#include "daemon/core/seldom.hpp"

namespace plimsoll::core {

enum class ServiceState { stopped, starting, ready, late, stopping, backoff, failed, stuck };
enum class EngineState { live, hung, orphan, ending, lost, gone };
const char* to_text(ServiceState state);
const char* to_text(EngineState state);

/// What is known of one process's (or one tree's) memory, and when it is read next.
struct MemoryWatch {
  Bytes rss;
  Bytes peak;
  std::optional<Steady> sampled;     ///< when `rss` was read; nothing: never
  double worst_growth = 0;           ///< bytes per second, the worst between two samples
  Steady next = never;               ///< when it is read again
  bool rests = false;                ///< `next` is later than the policy's interval (resting.hpp)
  bool fast = false;                 ///< `next` is sooner than the policy's interval: the peak is read too
  std::optional<Steady> soft_since;  ///< every sample since then was at or above the soft line
  bool soft_said = false;            ///< limit_crossed was recorded for this stay above the line
  bool hard_said = false;
  bool asked = false;        ///< a read is under way
  bool exact_asked = false;  ///< and it is the exact one: its answer is judged, exact or not
};

/// Starts that failed one after the other for one reason (refusal.hpp).
struct Refusal {
  std::string why;  ///< "exec: Text file busy"
  int tries = 0;    ///< 0: the last start succeeded
  Steady since{};
  Seldom said;
  bool quiet = false;  ///< it was said: the states that come and go with the tries are not
};

/// Where a service stands against the lines of the container that we are in; by the last reading.
struct ContainerStay {
  Bytes tree;                        ///< what its processes hold
  std::optional<Steady> soft_since;  ///< every reading since then was at or above the soft line, most of it its own
  bool over_hard = false;
  bool soft_said = false;
  bool hard_said = false;
  bool asked = false;  ///< a reading of its tree is under way
};

/// The container that we are in: what limits all of us together.
struct Container {
  Bytes limit;  ///< 0: none
  Bytes used;
  Steady next = never;                ///< when it is read next; never: nobody has lines for it
  std::vector<std::string> watchers;  ///< services that have
};

/// A question that is asked again and again; at most one is under way.
struct Asking {
  ProbeId id = 0;            ///< under way; 0: none
  Steady next = never;       ///< when it is asked next
  Steady answer_by = never;  ///< the edge keeps the time; this is for one that does not answer at all
  int failed = 0;            ///< in a row
  int passed = 0;            ///< in a row
  std::string last;          ///< what the last failure said
  bool unasked = false;      ///< the last question could not be put: nothing was learnt
  Seldom unasked_said;
};

/// How a process came to be recorded.
enum class Provenance { spawned, child, forked, adopted };

struct Death {
  Steady at{};
  std::optional<Exit> exit;  ///< nothing: nobody could read it
  bool reaped = false;
  Steady reaped_at = never;
};

/// The part of a process that makes it an engine.
struct Engine {
  std::string rule;
  EngineState state = EngineState::live;
  bool listed = false;      ///< older than `settle`: it counts
  bool by_service = false;  ///< counter-evidence gave it to the service
  bool stands = false;      ///< it is the successor of one ended engine already

  /// The end of an orphan, step by step; `deadline` belongs to the phase.
  enum class Phase { none, waiting, looking, asked, looking_again } phase = Phase::none;
  Steady deadline = never;
  Steady orphan_since{};
  Steady due = never;  ///< when an orphan is asked to end; evidence is looked at until then
  InterventionId intervention = 0;

  Shared<Asking> liveness;
  std::optional<Steady> stopped_since;  ///< in state T; a stopped one answers nobody

  bool judged = false;           ///< dead, and its verdict was said
  bool replaced = false;         ///< another stands for it: nobody owes anything for its end
  Steady heal_deadline = never;  ///< lost: until then it is the app's to replace it
};

struct Process {
  ProcessId id;
  ProcessId parent;          ///< who forked it, as recorded; after an adoption the owner it was given to, or nobody
  ProcessId current_parent;  ///< who the kernel says, `nobody` for the daemon itself and for strangers
  std::string service;       ///< empty: adopted, and nobody's
  RunNumber run = 0;
  int session = 0;
  char state = 'R';
  Shared<Program> program;
  Steady first_seen{};
  Steady born{};
  Provenance provenance = Provenance::child;
  bool adopts = false;  ///< a recorded process was seen to move below it
  bool unseen = false;  ///< dead before anybody could look at it: recorded for what it forked
  Rare<Death> death;

  std::optional<Steady> asked;    ///< we sent it a stop signal
  std::optional<Steady> killed;   ///< we sent it SIGKILL
  Steady kill_at = never;         ///< its grace is over then
  std::vector<StopStep> further;  ///< steps of its stop that come before SIGKILL

  Rare<Engine> engine;
  std::optional<Steady> engine_missing_since;  ///< of a worker that had one: its last engine is gone
  MemoryWatch memory;

  [[nodiscard]] bool alive() const { return !death; }
};

/// Where engines of one rule under one owner stand; `owner` is `nobody` for the service itself.
struct SlotKey {
  std::string service;
  std::string rule;
  ProcessId owner;
  friend auto operator<=>(const SlotKey&, const SlotKey&) = default;
};

/// A ladder at work: one intervention, the rung it is on, and what that rung waits for.
struct Ladder {
  enum class Phase { due, hook, ending, verifying, waiting };
  InterventionId intervention = 0;
  std::optional<Cause> cause;  ///< nothing: an operator's reconnect, no intervention
  ProcessId subject;           ///< the engine (or app process) that crossed or was lost; `nobody` for a tree's line
  std::vector<Rung> rungs;
  std::size_t next = 0;  ///< the rung that is tried next; the one at work is next - 1
  Phase phase = Phase::due;
  Steady deadline = never;
  Steady rung_began{};
  HookId hook = 0;
  RungKind doing = RungKind::log;  ///< what the rung at work comes to: `reconnect` is resolved to a hook, end or worker
  Expect expect;
  ProcessId owner;  ///< of the subject when the ladder began
  ProcessId owner_parent;
  RunNumber run = 0;          ///< of the service when the rung began
  bool ended_owner = false;   ///< a rung of its own ended the owner: the ladder outlives its slot until judged
  bool of_container = false;  ///< its cause is the container's hard line
  bool of_run = false;        ///< of the service's own line: its `end` and `kill` end the run
  bool acted = false;         ///< a rung of it has acted: what ended since may be our doing
};

struct Slot {
  Rare<Ladder> ladder;
  Steady cool_until = Steady::min();
  Steady hard_said_until = Steady::min();  ///< withheld: a stay over the hard line is said once, not at each sample
  bool exhausted = false;  ///< the last ladder ran out of rungs: not well until one works or the line is kept again
  bool hard_exhausted = false;  ///< it was a hard line's: that line rests until `cool_until` too (law 6)
  bool outlived = false;        ///< and only because something had outlived its SIGKILL: with its end the rest is over
};

/// Engines replaced one slot after the other: a cycle's turn, or what an operator asked for.
struct Round {
  std::optional<std::size_t> cycle;  ///< index in the plan; nothing: an operator's
  std::string schedule;              ///< of the cycle; a reload may have taken it out of the plan meanwhile
  CommandId command = 0;
  std::vector<ProcessId> left;  ///< engines still to be replaced
  std::optional<SlotKey> at;    ///< whose turn it is
  bool restart = false;         ///< waiting for the service's next run instead
  RunNumber run = 0;
  int done = 0;
  Steady began{};
  Steady deadline = never;  ///< of a restart, or of the successor that a turn's second engine still owes
  InterventionId intervention = 0;
  std::optional<Outcome> turn;  ///< how the turn of `at` came out
  std::string turn_why;
};

/// Instants of a cron that have all fired, from the first to the last. A clock that jumps begins another stretch.
struct WallSpan {
  WallSeconds first{};
  WallSeconds last{};
};

struct CycleClock {
  std::optional<Steady> next_steady;     ///< `every`: the grid, jitter included
  Steady grid{};                         ///< the grid's point without jitter
  std::optional<WallSeconds> next_wall;  ///< cron, jitter included
  std::optional<WallSeconds> planned;    ///< the same without jitter
  WallTime planned_at{};                 ///< by this reading; an earlier one later on means that the clock was set back
  std::vector<WallSpan> used;            ///< what has fired by the wall clock, the last stretch at the end
  bool due = false;                      ///< waiting for its window, the budget or another round
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::string last;
};

/// What a run has said of itself by sd_notify.
struct Notices {
  std::string status;
  Steady rests_until = Steady::min();  ///< it reloads, or leaves by itself: nobody asks how it is before then
  std::optional<Duration> alive_by;    ///< in place of the plan's time between two keep-alives
};

/// Why a run ends, which decides what follows it.
enum class StopCause { none, operator_, main_ended, timed_out, rung, cycle, reload, shutdown };
/// What follows when the tree is empty.
enum class Afterwards { stay_stopped, start, back_off, fail, forget, done };

struct ServiceLife {
  std::shared_ptr<const Service> plan;  ///< by which it lives now; a changed command holds from the next run on
  /// By which the run was launched: its `kind`, `ready` and `time_limit` hold until it ends. Null before the first.
  std::shared_ptr<const Service> launched;
  bool retiring = false;  ///< left the plan: forgotten when stopped
  ServiceState state = ServiceState::stopped;
  bool wanted = false;  ///< an operator or the plan wants it up
  Steady due = never;   ///< when something of it moves on next: its place in the agenda (turn.hpp)
  RunNumber run = 0;
  std::uint64_t restarts = 0;
  ProcessId main;  ///< `nobody` while there is none
  Steady since{};  ///< in this state
  Steady spawned_at{};
  Steady ready_at{};        ///< until it is ready: when it was spawned
  Steady deadline = never;  ///< of the state: end of backoff, of the grace, of the wait for SIGKILL to work

  Shared<Asking> readiness;
  Shared<Asking> liveness;
  bool hung = false;  ///< its own `live` failed
  Shared<Notices> notices;

  bool leftovers_clear = false;  ///< looked for, none left (or told to go on)
  bool looking_for_leftovers = false;
  bool spawning = false;
  std::vector<LeftoversLookedFor::One> leftovers;
  Steady leftovers_deadline = never;
  bool leftovers_killed = false;

  StopCause cause = StopCause::none;
  Afterwards afterwards = Afterwards::stay_stopped;
  bool killing = false;       ///< the grace is over: everything gets SIGKILL
  std::size_t stop_step = 0;  ///< of `stop.further`: how many have been taken
  HookId draining = 0;        ///< the drain hook that is under way; nobody is signalled before its answer
  bool main_asked = false;
  bool awaiting_look = false;  ///< no member lives: one more census decides whether the tree is empty
  Steady look_again = never;   ///< that census was not complete: another one is asked for then
  bool stop_pending = false;   ///< waits for what requires it to stop first
  bool force = false;          ///< an operator said --force

  bool expected_end = false;        ///< a rung of ours acted on the app process
  bool overdue = false;             ///< not ready, or not done, in time, and its end for that is withheld
  int failures = 0;                 ///< in the backoff's series
  std::vector<Steady> restarts_at;  ///< of restarts nobody asked for, for give_up
  Shared<Refusal> refusal;
  std::optional<Exit> last_exit;
  std::string note;
  std::optional<Steady> engine_missing_since;  ///< of an engine that the service owned

  std::vector<Steady> acts;  ///< spent from the budget
  bool budget_said = false;
  Steady cool_until = Steady::min();
  MemoryWatch tree;  ///< memory of = "tree"
  ContainerStay container;
  Slot own;  ///< the ladder of the service's own line, and its cool-down
  Rare<Round> round;
  std::vector<CycleClock> cycles;
};

/// A command whose outcome is awaited.
struct Waiting {
  CommandId id = 0;
  CommandAct act = CommandAct::start;
  std::string service;
  RunNumber run = 0;  ///< of the service when it was given
  HookId hook = 0;
  Steady deadline = never;
};

struct Holding {
  Steady until = never;
  WallTime until_wall{};
  bool except_hard = false;
};

/// The last count of the machine's page faults that was more than noise. From `since` to `until` nobody has grown.
struct PageFaults {
  std::optional<std::uint64_t> pages;
  Steady since{};
  Steady until{};
  Steady next = never;  ///< when they are counted again
};

/// Facts about this machine that decisions depend on; measured by the edge at start.
struct Machine {
  std::uint64_t seed = 0;  ///< of this host, for jitter: a fleet does not cycle all at once
  Bytes statm_bound;  ///< how far statm can be below the truth, for a process of a few threads; 0 where it is exact
  /// The daemon's own, which says of nobody whose it is. 0 is one, too: that of a leader outside of our pid namespace.
  /// Nothing: the only service may share it.
  std::optional<int> session;
};

struct World {
  std::shared_ptr<const Plan> plan;
  Machine machine;
  Steady started{};
  RecentMap<std::string, ServiceLife> services;
  Processes processes;
  Alike<Program> programs;  ///< of those that were seen last
  std::map<SlotKey, Slot> slots;
  /// Who is due when: each service at its `due`, whatever of it that comes from; and readings of memory, which a
  /// thousand quiet processes take at the same instant. A reading that was put off since stands here for nothing.
  std::set<std::pair<Steady, std::string>> agenda;
  std::map<Steady, std::vector<ProcessId>> readings;
  PageFaults page_faults;
  std::map<std::string, std::vector<std::string>> dependents;  ///< who names it, by the plans they live by
  Container container;
  std::set<std::string> looked_for;  ///< services of which the next census is to say whether they are empty
  std::optional<Holding> holding;
  bool stopping = false;  ///< the daemon ends when everything is stopped
  Steady stop_deadline = never;
  int stop_requests = 0;         ///< how often somebody asked for it
  Steady stop_requested{};       ///< when last
  std::optional<int> exit_code;  ///< of an essential service
  bool quit_said = false;
  Steady last_look{};               ///< when the last census began to read
  Steady look_before{};             ///< and the one before it
  Now now{};                        ///< of the last step
  std::deque<Intervention> ledger;  ///< the last 256
  std::vector<Waiting> waiting;
  HookId next_hook = 1;
  ProbeId next_probe = 1;
  InterventionId next_intervention = 1;
};

}  // namespace plimsoll::core

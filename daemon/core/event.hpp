// Everything that can happen, in the past tense. The edge makes these; step() answers each of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/plan/plan.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/core/program.hpp"
#include "daemon/core/record.hpp"

namespace plimsoll::core {

/// The daemon is up: what the plan wants is started.
struct DaemonStarted {};

struct SpawnSucceeded {
  std::string service;
  RunNumber run = 0;
  ProcessId main;
};
struct SpawnFailed {
  std::string service;
  RunNumber run = 0;
  int error = 0;        ///< errno
  std::string step;     ///< "exec", "working_directory" …
  std::string message;  ///< of the errno
};

/// What a look at one process showed.
struct Sighting {
  ProcessId id;
  ProcessId parent;  ///< as the kernel says now; `nobody` when that process is not recorded, `ourselves` below is set
                     ///< when it is us
  bool ourselves = false;  ///< its parent is the daemon
  int session = 0;
  char state = 'R';  ///< R S D Z T t
  CommandLine command;
  Duration age{};           ///< since its start; 10 ms grain
  std::string run_service;  ///< of its PLIMSOLL_RUN if that names this daemon's life; empty if unread or another's
  RunNumber run = 0;

  /// Who forked it, dead or alive by now, when the kernel told of the fork; recorded before, or earlier in the same
  /// list. Nothing: nobody told, and `parent` is all there is to go by.
  std::optional<ProcessId> forker{};
  /// It was gone when it was first looked at, and is told because something it forked is there. `state` is X; `command`
  /// is what its forker ran, or empty if it had called exec since.
  bool unseen = false;
  std::optional<Exit> exit{};  ///< of an unseen one, if the kernel told
};

/// A census was taken. Only differences are in it: what is new, and what changed its parent, session, state or program.
struct Looked {
  std::vector<Sighting> fresh;
  std::vector<Sighting> changed;
  /// When it began to read; nothing: now. Who dies while it reads may have died before or after it looked there.
  std::optional<Steady> began{};
  bool complete = true;  ///< our own children were all known: nothing of a tree hides below us
  /// False: only some were looked at, which says nothing about all the others.
  bool everybody = true;
  bool our_own = false;  ///< the list of our own children was read: enough to say who is empty
};

/// The process is dead: its pidfd is readable (all threads gone). Our own children are reaped by then.
struct ProcessEnded {
  ProcessId id;
  std::optional<Exit> exit;  ///< nothing: nobody could read it (yet)
  bool reaped = false;
};
/// A dead process that is not our child was reaped by its parent.
struct ProcessReaped {
  ProcessId id;
  std::optional<Exit> exit;
};
/// How a dead process ended became known only now.
struct ExitRead {
  ProcessId id;
  Exit exit;
};

struct Sample {
  ProcessId id;
  Bytes rss;                  ///< 0: it has no address space; verifies nothing
  std::optional<Bytes> peak;  ///< VmHWM, when it was asked for and could be read
  bool exact = false;         ///< by smaps_rollup
  Bytes bound;                ///< the truth is at most this much more; 0 when `exact` or where statm is
};
struct MemorySampled {
  std::vector<Sample> samples;
};

/// How full the container is that we are in.
struct ContainerRead {
  Bytes limit;  ///< 0: there is none
  Bytes used;   ///< without what the kernel can take back by itself
};

/// How much has come into the processes of this machine.
struct PageFaultsCounted {
  /// By page faults of whichever process since the machine's start, in small pages; nothing: that cannot be read.
  std::optional<std::uint64_t> pages;
};

enum class HookResult { done, failed, timed_out, skipped };
struct HookAnswered {
  HookId hook = 0;
  HookResult result = HookResult::failed;
  int wrong_answers = 0;  ///< "not mine" answers before this one
  std::string detail;     ///< "HTTP 404", "the process does not catch SIGUSR2"
};

struct ProbeAnswered {
  ProbeId probe = 0;
  bool passed = false;
  std::string detail;  ///< "HTTP 503", "connection refused"
  bool asked = true;   ///< false: the question could not be put (no descriptors, /proc unreadable): nothing was learnt
};
/// The app said by itself that this run is ready: on its descriptor, by a line of its output, by READY=1.
struct ReadySaid {
  std::string service;
  RunNumber run = 0;
  std::string how;
};

/// What a process of a run said by sd_notify(3). Who may speak for a service is decided by then: any process of its
/// tree.
struct Notified {
  std::string service;
  RunNumber run = 0;
  int sender = 0;  ///< pid
  bool ready = false;
  bool reloading = false;
  bool stopping = false;
  bool alive = false;                 ///< WATCHDOG=1
  bool hung = false;                  ///< WATCHDOG=trigger
  std::optional<Duration> alive_by;   ///< WATCHDOG_USEC: how long from one WATCHDOG=1 to the next, from now on
  std::optional<Duration> extend;     ///< EXTEND_TIMEOUT_USEC: so much time from now, for the start or the stop
  std::optional<std::string> status;  ///< a line for people
  std::optional<ProcessId> main;      ///< MAINPID
};

/// Whether a live process of the run, no descendant of the dead owner, holds a connection to the engine.
struct EvidenceLookedAt {
  ProcessId engine;
  std::optional<ProcessId> connected;  ///< that process; of the service in general if its pid is 0
  bool port_known = true;              ///< false: nothing could be read, `after` is at least 15 s
  std::string source;                  ///< "descriptors", "connections", "nothing readable"
};

struct LeftoversLookedFor {
  std::string service;
  struct One {
    ProcessId id;
    std::string comm;
    RunNumber run = 0;
    int daemon_pid = 0;
  };
  std::vector<One> found;
  bool readable = true;  ///< false: nobody knows; it is looked again
};

/// What could be learnt about processes that outlived SIGKILL: state, wchan, freezer, tracer.
struct StuckDescribed {
  std::string service;
  std::string text;
};

enum class CommandAct { start, stop, restart, reconnect, hook, hold, release };
struct CommandGiven {
  CommandId id = 0;
  CommandAct act = CommandAct::start;
  std::string service;
  std::string hook;
  std::string rule;
  std::optional<int> pid;
  std::optional<Duration> for_;
  bool except_hard = false;
  bool force = false;
  bool wait = true;
  std::string by;
};

/// A new plan was read and found good. Name and socket are the old ones.
struct PlanReplaced {
  std::shared_ptr<const Plan> plan;
  std::string by;
};

/// SIGTERM or SIGINT to the daemon: stop everything, then end. Asked for again, it hastens.
struct StopRequested {
  std::string why;
  int signal = 0;  ///< what a main process gets when it is asked for again; 0: its stop signal
};
/// `--` mode: a signal that came to the daemon and is its command's.
struct SignalToForward {
  int signal = 0;
  bool to_main = true;
  std::vector<ProcessId> others;  ///< of its process group
};

/// The deadline of the world, or any later instant: nothing else happened.
struct DeadlineReached {};

using Event = std::variant<DaemonStarted, SpawnSucceeded, SpawnFailed, Looked, ProcessEnded, ProcessReaped, ExitRead,
                           MemorySampled, ContainerRead, PageFaultsCounted, HookAnswered, ProbeAnswered, ReadySaid,
                           Notified, EvidenceLookedAt, LeftoversLookedFor, StuckDescribed, CommandGiven, PlanReplaced,
                           StopRequested, SignalToForward, DeadlineReached>;

}  // namespace plimsoll::core

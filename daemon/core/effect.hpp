// Everything the daemon can do, in the imperative. step() returns these, in order; daemon/run performs them, and only
// there is anything signalled, spawned or written. What an effect leads to comes back as an event.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "config/plan/plan.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/core/record.hpp"

namespace plimsoll::core {

/// → SpawnSucceeded or SpawnFailed
struct Spawn {
  std::string service;
  RunNumber run = 0;
};
/// Through the pidfd that was opened when the process was first seen; dropped if the process is no longer recorded.
struct SendSignal {
  ProcessId to;
  int signal = 0;
};
/// Take a census now. → Looked
struct Look {
  /// False: it is enough to read the list of our own children, as nobody is left who could have adopted what the dead
  /// left behind; an unknown one among them makes it a whole census.
  bool everybody = true;
};
/// → MemorySampled
struct ReadMemory {
  std::vector<ProcessId> of;
  bool peak = false;
  bool exact = false;
};
/// → HookAnswered, not later than `timeout` from now
struct CallHook {
  HookId id = 0;
  std::string service;
  Hook hook;
  ProcessId target;  ///< a signal goes to it
  std::map<std::string, std::string> placeholders;
  Duration timeout{};
};
/// → ProbeAnswered, not later than `timeout` from now
struct AskProbe {
  ProbeId id = 0;
  std::string service;
  Probe how;
  ProcessId target;  ///< the engine that is asked; the app process for a service's own
  Duration timeout{};
};
/// Nobody waits for that answer any more.
struct CancelProbe {
  ProbeId id = 0;
};
/// → ContainerRead
struct ReadContainer {};
/// → PageFaultsCounted
struct CountPageFaults {};
/// Nobody waits for that answer any more.
struct CancelHook {
  HookId id = 0;
};
/// → EvidenceLookedAt
struct LookAtEvidence {
  ProcessId engine;
  std::vector<ProcessId> members;  ///< live processes of the run that count
};
/// → LeftoversLookedFor
struct LookForLeftovers {
  std::string service;
};
/// SIGKILL or a stop signal to a leftover: opened, its environment read again, then signalled.
struct SignalLeftover {
  ProcessId to;
  int signal = 0;
  std::string service;
};
/// → StuckDescribed
struct DescribeStuck {
  std::string service;
  std::vector<ProcessId> processes;
};
/// The run is over: what it wrote last, without a line's end, is passed on.
struct FlushOutput {
  std::string service;
};
/// Into the log and the events.
struct Record {
  Entry entry;
};
/// The answer to a command: `status` as in HTTP.
struct Answer {
  CommandId command = 0;
  int status = 200;
  std::string message;
};
/// Nothing refers to the process any more: its descriptors may go.
struct Forget {
  ProcessId id;
};
/// Everything is stopped: end the daemon.
struct Quit {
  int code = 0;
};

using Effect = std::variant<Spawn, SendSignal, Look, ReadMemory, ReadContainer, CountPageFaults, CallHook, CancelHook,
                            AskProbe, CancelProbe, LookAtEvidence, LookForLeftovers, SignalLeftover, DescribeStuck,
                            FlushOutput, Record, Answer, Forget, Quit>;
using Effects = std::vector<Effect>;

}  // namespace plimsoll::core

// What the daemon says: events, one for each thing that happened, and the ledger, one entry for each intervention from
// its cause to its end. Both are made by the core, so that what is said is what was decided.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/plan/units.hpp"
#include "daemon/core/ids.hpp"

namespace plimsoll::core {

using plimsoll::to_text;  // of sizes and durations: the overloads below must not hide it

/// `unknown`: it has ended, and nobody could read how. For a restart policy that is a failure.
enum class ExitKind { exited, signaled, oom_killed, spawn_failed, unknown };

struct Exit {
  ExitKind kind = ExitKind::exited;
  int code = 0;    ///< exit code; errno when spawn_failed
  int signal = 0;  ///< when signaled or oom_killed
  WallTime at{};
};

enum class EventKind {
  daemon,
  config,
  operator_,
  service_state,
  engine_found,
  engine_gone,
  engine_disconnected,
  engine_lost,
  engine_orphaned,
  engine_hung,
  limit_crossed,
  rung,
  hook,
  cycle,
  budget,
  census
};

enum class Outcome { worked, failed, timed_out, skipped };
enum class LadderEnd { worked, subsided, healed, exhausted, preempted, no_budget };
enum class Cause { soft, hard, lost, hung, orphan, cycle, leftover };

/// How loud it is in the log; not part of the wire.
enum class Level { info, warning, error };

struct Entry {
  EventKind kind = EventKind::daemon;
  Level level = Level::info;
  std::string service;
  std::string rule;
  std::optional<int> pid;
  std::string why;  ///< a sentence with the numbers
  std::string rung;
  std::optional<Outcome> outcome;
  bool would = false;  ///< decided and withheld (observe, hold)
  std::optional<Bytes> limit;
  std::optional<Bytes> rss;
  std::optional<Bytes> peak;
  std::optional<Exit> exit;
};

struct RungTried {
  std::string rung;
  std::optional<Outcome> outcome;  ///< nothing while it is being tried
  WallTime at{};
  Steady began{};
  Duration took{};
  std::string why;
};

struct Intervention {
  InterventionId id = 0;
  WallTime at{};
  Steady began{};
  Steady ended = never;
  std::string service;
  std::string rule;
  std::optional<int> pid;
  std::optional<int> owner_pid;
  Cause cause = Cause::soft;
  std::string why;
  bool would = false;
  std::vector<RungTried> rungs;
  std::optional<LadderEnd> end;
  std::optional<Bytes> rss_before;
  std::optional<Bytes> peak;
  std::optional<Bytes> rss_after;
  std::optional<int> successor_pid;
  std::optional<Duration> without_engine;
};

const char* to_text(ExitKind kind);
const char* to_text(EventKind kind);
const char* to_text(Outcome outcome);
const char* to_text(LadderEnd end);
const char* to_text(Cause cause);
/// "exited with 3", "killed by SIGKILL, sent by nobody of us", "killed by the kernel for want of memory".
std::string to_sentence(const Exit& exit);

}  // namespace plimsoll::core

// What goes over the control socket, as plain structs. The daemon owns this contract; plimsollctl links it and nothing
// else of the daemon. The names of the fields are the names of the JSON keys. It is smaller than the state behind it
// on purpose: the state machine can change without a new schema. No argv, no environment and no secret is in any of
// it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plimsoll::wire {

inline constexpr int schema = 1;

struct Hold {
  std::optional<std::string> until;  ///< RFC 3339; nothing: until released
  bool except_hard = false;
};

/// The memory of the container that the daemon and its services are in.
struct Container {
  std::uint64_t limit_bytes = 0;
  std::uint64_t used_bytes = 0;  ///< without what the kernel can take back by itself
};

struct Daemon {
  std::string name;
  std::string version;
  std::int64_t pid = 0;
  double uptime_seconds = 0;
  std::string config;                          ///< path of the file; empty for `-- CMD`
  std::string mode;                            ///< "act" or "observe"
  std::map<std::string, std::string> sources;  ///< each source of evidence: "yes", "no", "off", or a bound in words
  std::optional<Hold> hold;
  bool well = false;
  std::vector<std::string> not_well;   ///< one sentence for each thing that is not well
  std::optional<Container> container;  ///< nothing: no limit
};

struct Exit {
  std::string kind;  ///< exited signaled oom_killed spawn_failed unknown
  std::optional<int> code;
  std::optional<int> signal;
  std::string at;  ///< RFC 3339, UTC, milliseconds
};

struct Engine {
  std::string rule;
  std::int64_t pid = 0;
  std::string owner;  ///< "worker" or "service"
  std::optional<std::int64_t> owner_pid;
  std::string state;  ///< live hung orphan ending lost gone
  std::uint64_t rss_bytes = 0;
  std::uint64_t peak_rss_bytes = 0;
  double age_seconds = 0;
  std::optional<std::uint64_t> soft_bytes;
  std::optional<std::uint64_t> hard_bytes;
  std::optional<std::uint64_t> overshoot_bytes;  ///< promised: how far past the hard line it can get
};

struct Process {
  std::int64_t pid = 0;
  std::int64_t parent = 0;  ///< as recorded when it was forked
  std::string name;         ///< comm
  std::string role;         ///< main wrapper app worker engine process
  std::string rule;         ///< of an engine: which; else empty
  std::string state;        ///< running zombie stopped uninterruptible traced
  std::uint64_t rss_bytes = 0;
  double age_seconds = 0;
};

struct Cycle {
  std::string act;   ///< the key `do`
  std::string when;  ///< as the file says: "every 6h", "cron 0 4 * * *"
  std::optional<std::string> next;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::string last;  ///< sentence about the last round; empty before the first
};

struct Service {
  std::string name;
  std::string state;  ///< stopped starting ready late stopping backoff failed stuck
  std::optional<std::int64_t> pid;
  std::uint64_t run = 0;
  std::uint64_t restarts = 0;  ///< runs that nobody asked for, since it was last started by an operator
  double uptime_seconds = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t tree_rss_bytes = 0;
  std::optional<Exit> last_exit;
  std::vector<Engine> engines;
  std::optional<std::uint64_t> soft_bytes;
  std::optional<std::uint64_t> hard_bytes;
  std::optional<std::uint64_t> overshoot_bytes;
  int budget_acts = 0;  ///< of the plan
  int budget_spent = 0;
  std::vector<Cycle> cycles;
  std::vector<std::string> not_well;  ///< those of Daemon::not_well that are about this service
  std::string
      note;  ///< one sentence when there is something to know: "starts again in 3.2 s", "pid 12 cannot be killed: …"
};

/// GET /v1/services
struct Status {
  Daemon daemon;
  std::vector<Service> services;
};

/// GET /v1/engines: every engine with the service whose tree it is in.
struct EngineOf {
  std::string service;
  Engine engine;
};

/// GET /v1/services/NAME: a service with its processes, parents before children.
struct ServiceDetail {
  Service service;
  std::vector<Process> processes;
};

struct Event {
  std::uint64_t id = 0;
  std::string boot;
  std::string at;
  std::string kind;
  std::string service;
  std::string rule;
  std::optional<std::int64_t> pid;
  std::string why;
  std::string rung;
  std::string outcome;
  bool would = false;
  std::optional<std::uint64_t> limit_bytes;
  std::optional<std::uint64_t> rss_bytes;
  std::optional<std::uint64_t> peak_bytes;
  std::optional<Exit> exit;
};

struct RungTried {
  std::string rung;
  std::string outcome;  ///< worked failed timed_out skipped; empty while it is being tried
  std::string at;
  double seconds = 0;
  std::string why;
};

/// One entry of the ledger: an intervention from its cause to its end.
struct Intervention {
  std::uint64_t id = 0;
  std::string at;
  std::string service;
  std::string rule;
  std::optional<std::int64_t> pid;
  std::optional<std::int64_t> owner_pid;
  std::string cause;  ///< soft hard lost hung orphan cycle leftover
  std::string why;    ///< the sentence with the numbers
  bool would = false;
  std::vector<RungTried> rungs;
  std::string end;  ///< worked subsided healed exhausted preempted no_budget; empty while it goes on
  std::optional<std::uint64_t> rss_before_bytes;
  std::optional<std::uint64_t> peak_bytes;
  std::optional<std::uint64_t> rss_after_bytes;
  std::optional<std::uint64_t> freed_bytes;
  std::optional<std::int64_t> successor_pid;
  std::optional<double> seconds_without_engine;
  double seconds = 0;  ///< from the cause to the end, or so far
};

/// POST /v1/services/NAME/actions, POST /v1/hold, /v1/release, /v1/reload.
struct Command {
  std::string act;                                ///< start stop restart reconnect hook hold release reload
  std::string service;                            ///< empty for hold, release, reload
  std::string hook;                               ///< act == "hook"
  std::string rule;                               ///< reconnect: this rule only; empty: all
  std::optional<std::int64_t> pid;                ///< reconnect, hook: of this engine only
  std::optional<std::uint64_t> for_milliseconds;  ///< hold
  bool except_hard = false;                       ///< hold
  bool force = false;                             ///< start: in spite of leftovers or a stuck tree
  bool dry_run = false;                           ///< reload: say what it would do, and do nothing
  bool wait = true;                               ///< answer at the outcome, not at the beginning
};

/// The answer to a command: `status` is the HTTP status.
struct Answer {
  int status = 200;
  std::string
      message;  ///< what was done, or why not and what there is: a sentence, of a reload a line for each service
};

}  // namespace plimsoll::wire

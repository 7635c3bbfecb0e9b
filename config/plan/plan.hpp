// The Plan: what the daemon is to do, typed, with every default applied and every reference checked. It is made
// by `config` from text and read by everything else; nothing in it is a string that still has to be understood.
// Field names are the keys of the file, so that a reader of one finds the other; docs/configuration.md has their
// meaning.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/plan/cron.hpp"
#include "config/plan/rare.hpp"
#include "config/plan/shared.hpp"
#include "config/plan/surroundings.hpp"
#include "config/plan/units.hpp"
#include "config/plan/zone.hpp"

namespace plimsoll {

struct StopStep {
  int signal = 15;
  Duration grace{};
  friend bool operator==(const StopStep&, const StopStep&) = default;
};

/// How a process is asked to end: `signal` and its `grace`, further steps one after the other, SIGKILL when the last
/// grace is over.
struct StopPolicy {
  int signal = 15;
  Duration grace{};
  std::vector<StopStep> further{};  ///< steps 2 and on of the key `steps`
  std::string drain{};              ///< a hook asked before the first signal; a service's only
  friend bool operator==(const StopPolicy&, const StopPolicy&) = default;
};

/// From the first signal to SIGKILL.
Duration whole_grace(const StopPolicy& stop);

enum class MemoryMetric { rss };
enum class MemoryScope { process, tree };

/// Room above the hard line in which a gentle rung may still end the process by itself.
using Slack = std::variant<Share, Bytes>;

struct MemoryPolicy {
  MemoryMetric metric = MemoryMetric::rss;
  MemoryScope of = MemoryScope::process;
  std::optional<Bytes> soft;
  Duration for_{30'000};  ///< the key `for`: how long the soft line must be crossed without a break
  std::optional<Bytes> hard;
  Slack slack = Share{0.10};
  Duration interval{1'000};     ///< the slowest sampling
  Bytes growth{1'000'000'000};  ///< assumed growth in bytes per second: what the promised overshoot is made of
  friend bool operator==(const MemoryPolicy&, const MemoryPolicy&) = default;
};

/// What a remedy must achieve before it counts as `worked`.
struct Expect {
  std::optional<Bytes> below;      ///< default: the soft line; none if there is none
  std::optional<Duration> within;  ///< default: by rung, see docs/configuration.md
  bool successor = true;           ///< false: the app connects lazily, no successor is waited for
  friend bool operator==(const Expect&, const Expect&) = default;
};

enum class RungKind { log, hook, reconnect, end, kill, worker, restart, wait };

struct Rung {
  RungKind kind = RungKind::log;
  std::string hook;                 ///< RungKind::hook only
  Duration duration{};              ///< RungKind::wait only
  std::optional<Expect> expect;     ///< in place of the rule's
  std::optional<Duration> timeout;  ///< in place of the hook's
  friend bool operator==(const Rung&, const Rung&) = default;
};
using Ladder = std::vector<Rung>;

/// A header's value: the text, or the name of an environment variable (the service's, then the daemon's), so that
/// a secret need not be written into the file.
struct HeaderValue {
  std::string text;
  bool from_environment = false;
  friend bool operator==(const HeaderValue&, const HeaderValue&) = default;
};

struct HttpHook {
  std::string method = "POST";
  std::string host;  ///< an IP literal or "localhost"; empty when `unix_path` is set
  std::string port;
  std::string unix_path;  ///< placeholders allowed
  std::string path;       ///< placeholders allowed; begins with '/'
  std::map<std::string, HeaderValue> headers;
  friend bool operator==(const HttpHook&, const HttpHook&) = default;
};
struct SignalHook {
  int signal = 0;
  friend bool operator==(const SignalHook&, const SignalHook&) = default;
};
struct ExecHook {
  std::vector<std::string> argv;  ///< placeholders allowed
  friend bool operator==(const ExecHook&, const ExecHook&) = default;
};

enum class HookTarget { owner, service };

struct Hook {
  std::string name;
  std::variant<HttpHook, SignalHook, ExecHook> how;
  HookTarget to = HookTarget::owner;
  Duration timeout{15'000};
  friend bool operator==(const Hook&, const Hook&) = default;
};

// --- Probes: how a service or an engine is asked whether it is ready, or still well. Each is one way of asking.

/// It says so itself, by sd_notify's READY=1; of life, by a WATCHDOG=1 within `timeout` of the one before.
struct NotifyProbe {
  friend bool operator==(const NotifyProbe&, const NotifyProbe&) = default;
};
/// A GET that is answered with 2xx. Of an engine: a path alone, on the port that it listens on (no host, no socket).
struct HttpProbe {
  HttpHook request;
  friend bool operator==(const HttpProbe&, const HttpProbe&) = default;
};
/// A connection that is accepted. Of an engine: to the port that it listens on (no host).
struct TcpProbe {
  std::string host;  ///< an IP literal or "localhost"
  std::string port;
  friend bool operator==(const TcpProbe&, const TcpProbe&) = default;
};
struct UnixProbe {
  std::string path;
  friend bool operator==(const UnixProbe&, const UnixProbe&) = default;
};
/// A command that exits with 0.
struct ExecProbe {
  std::vector<std::string> argv;  ///< of an engine: {engine_pid} and {port} are filled in
  friend bool operator==(const ExecProbe&, const ExecProbe&) = default;
};
/// A line's end, written to this descriptor of its own.
struct FdProbe {
  int fd = 3;
  friend bool operator==(const FdProbe&, const FdProbe&) = default;
};
/// A line of its output that matches.
struct LogProbe {
  std::string line;  ///< a glob over the whole line
  friend bool operator==(const LogProbe&, const LogProbe&) = default;
};
/// That much time since its start.
struct DelayProbe {
  Duration after{};
  friend bool operator==(const DelayProbe&, const DelayProbe&) = default;
};
using Probe = std::variant<NotifyProbe, HttpProbe, TcpProbe, UnixProbe, ExecProbe, FdProbe, LogProbe, DelayProbe>;

/// The daemon asks (and asks again), in contrast to what the app says by itself.
bool is_asked(const Probe& probe);

/// When a run counts as started: asked once per run.
struct Readiness {
  Probe how;
  Duration interval{500};           ///< between two questions
  Duration timeout{60'000};         ///< of all of it, from the spawn
  bool restart_on_timeout = false;  ///< else it is `late`, and left alone
  friend bool operator==(const Readiness&, const Readiness&) = default;
};

/// Whether what is ready is still well: asked again and again, and at rest while it stops, or while a rung is at work.
struct Liveness {
  Probe how;
  Duration interval{10'000};
  Duration timeout{5'000};  ///< of one question
  int failures = 3;         ///< in a row: hung
  int successes = 1;        ///< in a row: well again
  friend bool operator==(const Liveness&, const Liveness&) = default;
};

enum class OwnerKind { worker, service };

/// What "reconnect" means for an engine: a hook, ending it (its app heals itself), or replacing its worker.
struct Reconnect {
  enum class How { hook, end, worker } how = How::hook;
  std::string hook;
  friend bool operator==(const Reconnect&, const Reconnect&) = default;
};

struct OrphanPolicy {
  std::optional<Duration> after;  ///< default: by how its owner ended (docs/verdicts.md, 4)
  Duration grace{2'000};
  friend bool operator==(const OrphanPolicy&, const OrphanPolicy&) = default;
};

struct EngineRule {
  std::string name;
  std::string preset;              ///< empty: none
  std::vector<std::string> match;  ///< globs, see daemon/core/program.hpp
  OwnerKind owner = OwnerKind::worker;
  Duration settle{1'000};
  MemoryPolicy memory;
  StopPolicy stop{15, Duration{5'000}};
  std::optional<Reconnect> reconnect;
  Expect expect;
  Shared<Ladder> on_soft;
  Shared<Ladder> on_hard;
  Shared<Ladder> on_lost;
  Shared<Ladder> on_hung;
  Rare<Liveness> live;
  OrphanPolicy orphan;
  friend bool operator==(const EngineRule&, const EngineRule&) = default;
};

enum class CycleAct { reconnect, restart };

struct OnlyIf {
  std::string engine;  ///< a rule of the same service
  Bytes over;
  friend bool operator==(const OnlyIf&, const OnlyIf&) = default;
};

struct Cycle {
  CycleAct act = CycleAct::reconnect;     ///< the key `do`
  std::variant<Duration, Cron> when;      ///< the keys `every` and `cron`
  std::shared_ptr<const ZoneRules> zone;  ///< never null
  Share jitter;
  std::optional<Window> between;
  std::optional<OnlyIf> only_if;
  /// By value, the zone's rules included.
  friend bool operator==(const Cycle& a, const Cycle& b) {
    return a.act == b.act && a.when == b.when && *a.zone == *b.zone && a.jitter == b.jitter && a.between == b.between &&
           a.only_if == b.only_if;
  }
};

enum class RestartPolicy { always, on_failure, never };

struct Backoff {
  Duration first{1'000};
  double factor = 2.0;
  Duration max{60'000};
  Duration forgive{60'000};  ///< a run that lived this long starts the series anew
  Share jitter{};            ///< each wait is longer or shorter by up to this share of it
  friend bool operator==(const Backoff&, const Backoff&) = default;
};

struct GiveUp {
  int after = 0;
  Duration within{};
  friend bool operator==(const GiveUp&, const GiveUp&) = default;
};

struct Budget {
  int acts = 6;
  Duration per{3'600'000};
  friend bool operator==(const Budget&, const Budget&) = default;
};

/// Lines on the memory of the container that we are in, which count for a service while its tree holds most of what is
/// used there.
struct ContainerLines {
  Share soft{0.8};
  Duration for_{120'000};
  Share hard{0.92};
  Bytes free{std::uint64_t{64} << 20U};  ///< the hard line is no nearer to the limit than that
  friend bool operator==(const ContainerLines&, const ContainerLines&) = default;
};

enum class LeftoverPolicy { hold, end };

/// A task runs once and is then done: `ready` without a process.
enum class ServiceKind { service, task };

/// What most services do not say, or all say alike, is a Rare or a Shared: the daemon holds a thousand of these.
struct Service {
  std::string name;
  std::vector<std::string> command;
  std::string working_directory;                                          ///< empty: the daemon's
  Shared<std::map<std::string, std::optional<std::string>>> environment;  ///< nothing: unset it
  Shared<Surroundings> surroundings;  ///< user, limits and the like, which are keys of the service's own table
  ServiceKind kind = ServiceKind::service;
  std::vector<std::string> required;   ///< the key `requires` (a word of the language): names of services
  std::vector<std::string> after;      ///< started after these, where both are to be started; stopped before them
  std::string engine_of;               ///< the service whose engine this is; that one requires it. Empty: none
  bool restarts_with_app = false;      ///< of `engine_of`: its app's next run has a new one
  std::optional<Duration> time_limit;  ///< a task's
  Rare<Readiness> ready;               ///< nothing: the exec succeeded
  Shared<std::vector<int>> success{
      std::vector<int>{0}};  ///< exit codes that are no failure; 128 + n stands for the end by signal n
  RestartPolicy restart = RestartPolicy::on_failure;
  Backoff backoff;
  std::optional<GiveUp> give_up;
  bool essential = false;
  StopPolicy stop{15, Duration{30'000}};
  MemoryPolicy memory;
  Rare<ContainerLines> container;
  Shared<Ladder> on_soft;
  Shared<Ladder> on_hard;
  Shared<Ladder> on_hung;
  Rare<Liveness> live;
  Budget budget;
  Duration cool_down{300'000};
  Duration heal{90'000};
  LeftoverPolicy leftovers = LeftoverPolicy::hold;
  std::map<std::string, Hook> hooks;
  std::vector<EngineRule> engines;
  std::vector<Cycle> cycles;
  friend bool operator==(const Service&, const Service&) = default;
};

enum class Mode { act, observe };

struct Daemon {
  std::string name = "main";
  std::string socket;  ///< empty: by the rule of docs/configuration.md ($PLIMSOLL_SOCKET, /run/plimsoll, /tmp)
  std::vector<std::string> operators;
  std::vector<std::string> observers;
  Mode mode = Mode::act;
  Duration stop_within{80'000};
  std::optional<Duration> census;  ///< default: 250ms while there are engine rules, else 1s
  friend bool operator==(const Daemon&, const Daemon&) = default;
};

struct Plan {
  Daemon daemon;
  std::vector<Service> services;  ///< each after all that it requires
  /// `plimsolld -- CMD`: stdio inherited, signals forwarded, no session of its own, the command's exit code is ours.
  bool entrypoint = false;
  friend bool operator==(const Plan&, const Plan&) = default;
};

/// How long a start may take until it is ready; `heal` where nothing is asked.
Duration ready_time(const Service& service);
/// How long a stop may take until SIGKILL has had its time, the drain included.
Duration stop_time(const Service& service);

/// The service of that name, or null.
const Service* find_service(const Plan& plan, std::string_view name);

/// The rule's name as the file spells it: "reconnect", "hook:drain", "wait:30s".
std::string to_text(const Rung& rung);

}  // namespace plimsoll

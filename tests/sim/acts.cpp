// What each decision of a history does, with what there is when its turn comes.
#include <algorithm>
#include <csignal>

#include "tests/sim/life.hpp"
#include "tests/sim/plans.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

namespace {

Exit some_exit(std::uint32_t number) {
  switch (number % 8) {
    case 0: return exited(0);
    case 1: return exited(1);
    case 2: return exited(130);
    case 3: return by_signal(SIGTERM);
    case 4: return by_signal(SIGSEGV);
    case 5: return {ExitKind::oom_killed, 0, SIGKILL, {}};
    default: return by_signal(SIGKILL);
  }
}

}  // namespace

const std::string& Life::some_service(std::uint32_t number) const {
  return plan_->services[number % plan_->services.size()].name;
}

SimProcess* Life::some(Sort sort, std::uint32_t number) {
  std::vector<SimProcess*> found;
  for (SimProcess* process : kernel_.living()) {
    if (process->service.empty() || process->outside) continue;
    const bool fits = sort == Sort::any || (sort == Sort::engine && !process->rule.empty()) ||
                      (sort == Sort::main && process->own_child) ||
                      (sort == Sort::app && process->rule.empty() && !process->wrapper);
    if (fits) found.push_back(process);
  }
  return found.empty() ? nullptr : found[number % found.size()];
}

void Life::decide(const Decision& d) {
  const bool known = decide_time(d) || decide_fork(d) || decide_end(d) || decide_state(d) || decide_edge(d);
  if (!known && d.act == Act::stop_asked) stop_daemon();
  drain();
}

bool Life::decide_time(const Decision& d) {
  switch (d.act) {
    case Act::time_passes: {
      static constexpr std::array<std::uint64_t, 8> spans{3, 30, 150, 400, 1'200, 1'200, 4'000, 15'000};
      pass(millis(1 + d.b % spans[d.a % spans.size()]));
      return true;
    }
    case Act::long_pause:
      steady_ += std::chrono::seconds{1 + d.a % (d.b % 4 == 0 ? 4'000 : 20)};
      happens(DeadlineReached{});
      return true;
    case Act::wall_steps: {
      static constexpr std::array<std::int64_t, 6> steps{-86'400, -3'600, -5, 5, 7'200, 400'000};
      wall_moved_ = true;
      wall_shift_ += std::chrono::seconds{steps[d.a % steps.size()]};
      return true;
    }
    case Act::idle_tick: {
      const Steady deadline = next_deadline(world_);
      const Steady before = std::min({deadline, agenda_.empty() ? never : agenda_.begin()->first, next_census_});
      if (!ends_.empty() || wall_moved_ || before <= steady_ + 1us) return true;
      const auto room = std::min<Steady::duration>(before - steady_, 5s);
      steady_ += room * (d.a % 1'000) / 1'000;
      laws_.expect_nothing("an idle tick");
      happens(DeadlineReached{});
      return true;
    }
    default: return false;
  }
}

void Life::fork_twice(const Decision& d) {
  SimProcess* by = some(Sort::app, d.a);
  if (by == nullptr) return;
  SimProcess& middle = kernel_.fork(by->id, steady_);
  const ProcessId launcher = middle.id;
  if (d.b % 3 == 0) middle.session = launcher.pid;
  if (d.b / 4 % 2 == 0) drain(), look_wanted_ = true, drain();
  const ProcessId engine = fork_engine(launcher, mix(d.c, 1) | 1);
  if (SimProcess* process = kernel_.find(engine); process != nullptr && d.b / 8 % 4 == 0) process->session = engine.pid;
  if (d.b / 32 % 2 == 0) look_wanted_ = true;
  const Exit exit = d.b / 64 % 4 == 0 ? exited(1) : exited(0);
  const Duration delay = millis(d.b / 256 % 3 == 0 ? d.c % 1'500 : d.c % 4);
  later(delay, [this, launcher, exit] { kernel_.end(launcher, exit, steady_); });
}

/// Forks and exits, each child the parent of the next: a walk sees it only by luck.
void Life::hop(const Decision& d) {
  const SimProcess* by = some(Sort::any, d.a);
  if (by == nullptr) return;
  ProcessId at = by->id;
  for (std::uint32_t i = 0; i <= d.b % 5; ++i) {
    const ProcessId next = kernel_.fork(at, steady_).id;
    if (i == 0 && d.c % 2 == 0) kernel_.find(next)->session = next.pid;
    if (i > 0) kernel_.end(at, exited(0), steady_);
    at = next;
    steady_ += 100us;
  }
}

bool Life::decide_fork(const Decision& d) {
  SimProcess* by = some(Sort::app, d.a);
  switch (d.act) {
    case Act::forks_worker:
      if (by != nullptr) fork_worker(by->id, mix(d.b, d.c));
      return true;
    case Act::forks_engine:
      if (by != nullptr) fork_engine(by->id, mix(d.b, d.c));
      return true;
    case Act::forks_helper: {
      const SimProcess* parent = some(Sort::any, d.a);
      if (parent == nullptr || kernel_.living().size() > 60) return true;
      SimProcess& helper = kernel_.fork(parent->id, steady_);
      give_nature(helper, mix(d.b, d.c));
      // A look at the engine's version is no engine, whatever its name.
      const bool version = d.b % 4 == 0;
      Kernel::exec(helper,
                   version ? std::vector<std::string>{"/srv/query-engine-debian", "--version"}
                           : std::vector<std::string>{"/usr/bin/helper", "-x"},
                   {});
      return true;
    }
    case Act::forks_twice: fork_twice(d); return true;
    case Act::hops: hop(d); return true;
    case Act::new_session: {
      SimProcess* process = some(Sort::any, d.a);
      if (process != nullptr && !process->own_child) process->session = process->id.pid;
      return true;
    }
    case Act::stranger_comes: {
      // Beside us, or given to us as the nearest subreaper: in neither case of a service.
      SimProcess& stranger = kernel_.stranger(steady_);
      Kernel::exec(stranger, engine_program("prisma"), {});
      stranger.outside = d.a % 2 == 0;
      return true;
    }
    default: return false;
  }
}

bool Life::decide_end(const Decision& d) {
  SimProcess* process = nullptr;
  Exit exit = some_exit(d.b);
  switch (d.act) {
    case Act::somebody_ends: process = some(Sort::any, d.a); break;
    case Act::engine_ends: process = some(Sort::engine, d.a); break;
    case Act::main_ends: process = some(Sort::main, d.a); break;
    case Act::killed_from_outside:
      process = some(d.b % 2 == 0 ? Sort::app : Sort::engine, d.a);
      exit = by_signal(SIGKILL);
      break;
    default: return false;
  }
  if (process != nullptr && !process->unkillable) kernel_.end(process->id, exit, steady_);
  return true;
}

bool Life::decide_state(const Decision& d) {
  static constexpr std::array<std::uint64_t, 9> sizes{50, 150, 350, 450, 650, 820, 860, 1'200, 3'000};
  const auto size = [](std::uint32_t number) { return Bytes{sizes[number % sizes.size()] << 20}; };
  SimProcess* process = some(d.b % 5 == 0 ? Sort::app : Sort::engine, d.a);
  switch (d.act) {
    case Act::memory:
      if (process != nullptr) have(*process, size(d.c));
      return true;
    case Act::memory_grows:
      for (std::uint32_t i = 1; process != nullptr && i < 6; ++i) {
        const ProcessId id = process->id;
        const Bytes to{process->rss.count + i * (static_cast<std::uint64_t>(10 + d.c % 200) << 20)};
        later(millis(i * (100 + d.b % 900)), [this, id, to] { have(*kernel_.find(id), to); });
      }
      return true;
    case Act::crowd:
      for (SimProcess* one : kernel_.living()) {
        if (!one->rule.empty()) have(*one, size(3 + d.a % 4));
      }
      return true;
    case Act::halts:
      if (SimProcess* any = some(Sort::any, d.a)) {
        const ProcessId id = any->id;
        kernel_.halt(id);
        if (d.b % 4 != 0) later(millis(d.c % 8'000), [this, id] { kernel_.deliver(id, SIGCONT, steady_); });
      }
      return true;
    case Act::unkillable:
      if (SimProcess* any = some(d.b % 3 == 0 ? Sort::any : Sort::engine, d.a)) {
        const ProcessId id = any->id;
        kernel_.set_unkillable(id, true, steady_);
        later(millis(d.b / 4 % 5 == 0 ? 60'000 : d.c % 15'000),
              [this, id] { kernel_.set_unkillable(id, false, steady_); });
      }
      return true;
    case Act::nature:
      if (SimProcess* any = some(Sort::any, d.a)) give_nature(*any, mix(d.b, d.c));
      return true;
    case Act::connects:
      if (process != nullptr) {
        const SimProcess* other = some(Sort::any, d.c);
        connections_[process->id] = other->id;
        if (d.b % 3 == 0) connections_.erase(process->id);
      }
      return true;
    default: return false;
  }
}

void Life::operate(const Decision& d) {
  using enum CommandAct;
  static constexpr std::array<CommandAct, 12> acts{start,   stop,  restart, reconnect, hook,    hold,
                                                   release, start, release, restart,   release, reconnect};
  CommandGiven command;
  command.id = ++last_command_;
  command.act = acts[d.a % acts.size()];
  command.service = d.b % 40 == 0 ? "nobody" : some_service(d.b);
  command.hook = d.c % 10 == 0 ? "missing" : d.c % 2 == 0 ? "reconnect" : "drain";
  command.force = d.c % 5 == 0;
  command.wait = d.c % 7 != 0;
  command.except_hard = d.c % 3 == 0;
  if (d.c % 4 != 0) command.for_ = millis(1'000 + d.c % 20'000);
  command.by = "root";
  if (d.c % 6 == 0) {
    if (const SimProcess* engine = some(Sort::engine, d.c)) command.pid = engine->id.pid;
  }
  happens(command);
}

/// Its end has been told, and nothing is open about it.
bool Life::is_gone(ProcessId id) const {
  const auto found = world_.processes.find(id);
  if (found == world_.processes.end()) return true;
  const auto life = world_.services.find(found->second.service);
  const bool ready = life != world_.services.end() && life->second.state == ServiceState::ready;
  return ready && found->second.engine && found->second.engine->state == EngineState::gone;
}

/// What nobody waits for: the answer to a hook that was given up, a death told twice, a reading of one that is dead.
void Life::tell_stale(const Decision& d) {
  // Nothing is due at this instant, so that whatever comes of it comes of the event.
  happens(DeadlineReached{});
  if (!ends_.empty() || !broken().empty()) return;
  Event event = HookAnswered{1'000'000, HookResult::done, 0, "late"};
  if (d.a % 3 == 0 && !hooks_known_.empty()) {
    const HookId id = hooks_known_[d.b % hooks_known_.size()];
    if (std::find(hooks_open_.begin(), hooks_open_.end(), id) != hooks_open_.end()) return;
    event = HookAnswered{id, d.c % 2 == 0 ? HookResult::done : HookResult::failed, 0, "late"};
  } else if (d.a % 3 == 1 && !stale_.empty()) {
    event = stale_[d.b % stale_.size()];
    if (const auto* seen = std::get_if<EvidenceLookedAt>(&event)) {
      if (kernel_.find(seen->engine)->alive() || !is_gone(seen->engine)) return;
    }
  } else if (d.a % 3 == 2) {
    const auto& all = kernel_.all();
    auto it = all.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(d.b % all.size()));
    const SimProcess* living = some(Sort::any, d.b);
    const SimProcess& process = d.a % 2 == 0 && living != nullptr ? *living : it->second;
    const bool told = process.reaped && std::find(ends_.begin(), ends_.end(), process.id) == ends_.end();
    if (!process.alive() && !told) return;
    // Of the same pid, and another process: one that bore the number before, or will.
    const std::uint64_t start = process.alive() ? process.id.start_time - 1 : process.id.start_time + 1'000'000;
    const ProcessId other{process.id.pid, start};
    if (kernel_.find(other) != nullptr) return;
    const std::array<Event, 4> events{ProcessEnded{other, exited(0), true}, ProcessReaped{other, exited(0)},
                                      ExitRead{other, exited(0)},
                                      MemorySampled{{Sample{other, Bytes{4'000u << 20}, std::nullopt, true, Bytes{}}}}};
    event = events[d.c % events.size()];
  }
  if (d.c % 5 == 0) event = ProbeAnswered{1'000'000 + d.b, d.c % 2 == 0, "late"};
  if (d.c % 5 == 1) event = ReadySaid{some_service(d.b), 1'000'000, "of a run that never was"};
  if (d.c % 5 == 2)
    event = HookAnswered{1'000'000 + d.b, d.c % 2 == 0 ? HookResult::done : HookResult::failed, 0, "late"};
  laws_.expect_nothing("an event that nobody waits for");
  happens(std::move(event));
}

bool Life::decide_edge(const Decision& d) {
  switch (d.act) {
    case Act::operator_asks: operate(d); return true;
    case Act::reloads: {
      Random random(mix(d.a, d.b));
      plan_ = std::make_shared<const Plan>(changed_plan(*plan_, random));
      const auto first_plan = [this] {
        Random first(mix(seed_, 2));
        return std::make_shared<const Plan>(random_plan(first));
      };
      if (d.c % 4 == 0) plan_ = first_plan();
      happens(PlanReplaced{plan_, "root"});
      // A mistake, and back at once: what has left the plan may have stopped meanwhile, or not.
      if (d.c % 4 == 1)
        later(millis(d.b % 4'000), [this, first_plan] {
          plan_ = first_plan();
          happens(PlanReplaced{plan_, "root"});
        });
      return true;
    }
    case Act::forwards: forward(d); return true;
    case Act::connector: change_connector(d); return true;
    case Act::spawns_fail: moods_.spawn_fails = d.a % 3 == 0 ? 8 : d.a % 3 == 1 ? 3 : 0; return true;
    case Act::hooks_are: moods_.hooks = d.a % 8; return true;
    case Act::probes_are:
      moods_.probes = d.a % 3 == 0 ? 7 : d.a % 2;
      moods_.unasked = d.b % 3 == 0 ? d.b / 4 % 17 : 0;
      return true;
    case Act::census_hides: moods_.hidden = d.a % 2 == 0 ? 0 : d.b % 7; return true;
    case Act::readings_are_lost: moods_.readings_lost = d.a % 6; return true;
    case Act::evidence_is_lost:
      moods_.evidence_lost = d.a % 4;
      moods_.ports_known = d.b % 3 != 0;
      moods_.leftovers_hidden = d.b / 4 % 3;
      return true;
    case Act::bound_is:
      moods_.statm_hides = Bytes{(d.a % 2 == 0 ? 0ULL : 120ULL) << 20};
      moods_.exact_readable = d.b % 4 != 0;
      return true;
    case Act::stale_event: tell_stale(d); return true;
    default: return false;
  }
}

/// To the main processes, to a process group, to both; some of that group are gone, or nobody's.
void Life::forward(const Decision& d) {
  SignalToForward signal{d.a % 2 == 0 ? SIGHUP : SIGUSR1};
  signal.to_main = d.b % 4 != 0;
  for (std::uint32_t i = 0; i < d.c % 4; ++i) {
    const auto& all = kernel_.all();
    auto at = all.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(mix(d.c, i) % all.size()));
    const SimProcess* living = some(Sort::any, d.b + i);
    signal.others.push_back(i % 2 == 0 && living != nullptr ? living->id : at->first);
  }
  happens(std::move(signal));
}

/// Hastily, twice within a moment, or with patience; by another signal than the first.
void Life::ask_to_stop_again() {
  if (seed_ % 3 == 0) return;
  const auto wait = [this](std::uint64_t number, std::uint64_t most) { pass(millis(mix(seed_, number) % most)); };
  wait(71, seed_ % 4 == 0 ? 90 : 9'000);
  if (quit_ || !broken().empty()) return;
  happens(StopRequested{"SIGINT", SIGINT});
  if (seed_ % 5 < 2) return;
  wait(73, 3'000);
  if (!quit_ && broken().empty()) happens(StopRequested{"SIGTERM", seed_ % 2 == 0 ? SIGTERM : 0});
}

/// Everything can end that is able to; then the daemon has to, in its time.
void Life::stop_daemon() {
  moods_.hidden = 0;
  if (steps_ % 3 != 0) {
    const std::vector<SimProcess*> living = kernel_.living();
    for (const SimProcess* process : living) kernel_.set_unkillable(process->id, false, steady_);
  }
  happens(StopRequested{"SIGTERM"});
  ask_to_stop_again();
  for (int i = 0; i < 8 && !quit_ && broken().empty(); ++i) {
    // An operator in between.
    if (i == 1 && seed_ % 2 == 0) operate(decisions_.front());
    pass(15s);
  }
  if (!quit_ && broken().empty()) laws_.never_quit();
}

}  // namespace plimsoll::sim

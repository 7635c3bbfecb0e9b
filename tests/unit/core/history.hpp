// Histories: what happened, told as a story, and what the core made of it. A History is a World, a small kernel
// (kernel.hpp), and a clock that only moves when the story says so. Effects are performed at once and what they lead to
// is fed back; between two instants of the story the clock goes from deadline to deadline, and a census is taken every
// 250 ms, as the edge does (less often after minutes).
//
// Each history is played twice (both_ways.hpp): by jumping only to next_deadline(world), and with idle ticks in
// between. Both must say the same at the same instants, so a deadline that is missing, late or merely a hint is found
// in every test; and after each step the next deadline must lie ahead, or the daemon would spin.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/engines.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/step.hpp"
#include "daemon/core/turn.hpp"
#include "daemon/core/well.hpp"
#include "tests/unit/core/kernel.hpp"
#include "tests/unit/core/plans.hpp"
#include "tests/unit/core/states_page.hpp"

namespace plimsoll::core {

using namespace std::chrono_literals;

struct Said {
  Duration at{};
  Entry entry;
};

struct Signalled {
  Duration at{};
  ProcessId to;
  int signal = 0;
  friend bool operator==(const Signalled&, const Signalled&) = default;
};

class History {
 public:
  explicit History(Duration idle_tick = 0ms) : idle_tick_(idle_tick) {
    kernel.tell = [this](Event event) { queue_.push_back(std::move(event)); };
  }

  /// The daemon starts with this plan; what it wants is spawned at once.
  void begin(Plan plan, Machine machine = {}) {
    world = make_world(std::make_shared<const Plan>(std::move(plan)), machine, now());
    happens(DaemonStarted{});
  }
  void begin(Service service) { begin(plan_of_one(std::move(service))); }

  // --- Time
  // ------------------------------------------------------------------------------------------------------------

  /// Lets time pass until `instant` after the start.
  void at(Duration instant) {
    const Steady until = start + instant;
    ASSERT_GE(until, steady_) << "a story is told forwards";
    for (int steps = 0; steady_ < until; ++steps) {
      ASSERT_LT(steps, 2'000'000) << "time does not pass";
      const Steady deadline = next_deadline(world);
      const Steady next = std::min({until, deadline, next_census_, next_tick()});
      const bool census = next == next_census_;
      steady_ = std::max(steady_, next);
      if (census) {
        next_census_ += elapsed() < 3min ? 250ms : 2s;  // hours of a story need not be looked through
        happens(kernel.look(steady_));
      }
      if (next == deadline || !census) happens(DeadlineReached{});
    }
  }
  void after(Duration duration) { at(std::chrono::duration_cast<Duration>(steady_ - start) + duration); }
  [[nodiscard]] Now now() const {
    return {steady_,
            std::chrono::time_point_cast<std::chrono::milliseconds>(wall_start + (steady_ - start) + wall_shift)};
  }
  [[nodiscard]] Duration elapsed() const { return std::chrono::duration_cast<Duration>(steady_ - start); }

  void happens(Event event) {
    queue_.push_back(std::move(event));
    run_queue();
  }

  // --- What processes do
  // -----------------------------------------------------------------------------------------------------

  ProcessId main(const std::string& service = "app") const { return world.services.at(service).main; }
  ProcessId forks(ProcessId parent, std::vector<std::string> argv) {
    return kernel.create(parent, std::move(argv), steady_).id;
  }
  /// Forked and seen.
  ProcessId starts(ProcessId parent, std::vector<std::string> argv) {
    const ProcessId child = forks(parent, std::move(argv));
    looks();
    return child;
  }
  ProcessId starts_worker(ProcessId parent) { return starts(parent, {"/usr/bin/python3", "-c", "worker"}); }
  ProcessId starts_engine(ProcessId owner) { return starts(owner, {"/srv/query-engine-debian", "-p", "4466"}); }
  void execs(ProcessId id, std::vector<std::string> argv) {
    FakeKernel::set_program(*kernel.find(id), std::move(argv));
  }
  void dies(ProcessId id, Exit exit) {
    kernel.end(id, exit);
    run_queue();
  }
  /// In state D, or out of it again.
  void stuck(ProcessId id, bool on = true) {
    kernel.set_unkillable(id, on);
    run_queue();
  }
  void killed(ProcessId id) { dies(id, by_signal(SIGKILL)); }
  void looks() { happens(kernel.look(steady_)); }
  void has(ProcessId id, std::uint64_t mib) { kernel.find(id)->rss = Bytes{mib << 20}; }
  void container_has(std::uint64_t used, std::uint64_t limit = 1024) {
    container = {Bytes{limit << 20}, Bytes{used << 20}};
  }
  void ignores_signals(ProcessId id) {
    kernel.find(id)->on_signal = [](int) {};
  }
  void exits_on_signal(ProcessId id, int code = 0) {
    kernel.find(id)->on_signal = [this, id, code](int) { kernel.end(id, exited(code)); };
  }
  /// What the next hooks come to; without it a hook is never answered.
  std::function<void(const CallHook&)> on_hook;
  /// What the next probes come to; without it none is ever answered.
  std::function<void(const AskProbe&)> on_probe;
  int questions = 0;
  void answers_probe(ProbeId probe, bool passed) {
    happens(ProbeAnswered{probe, passed, passed ? "HTTP 200" : "HTTP 503"});
  }
  void cannot_ask(ProbeId probe) { happens(ProbeAnswered{probe, false, "Too many open files", false}); }
  void answers(HookId hook, HookResult result, std::string detail = "HTTP 200") {
    happens(HookAnswered{hook, result, 0, std::move(detail)});
  }

  // --- Operators
  // -------------------------------------------------------------------------------------------------------------

  CommandId asks(CommandAct act, const std::string& service = "app",
                 const std::function<void(CommandGiven&)>& with = {}) {
    CommandGiven command;
    command.id = ++last_command_;
    command.act = act;
    command.service = service;
    command.by = "root";
    if (with) with(command);
    happens(command);
    return command.id;
  }
  [[nodiscard]] int status(CommandId id) const {
    const auto found = answers_.find(id);
    return found == answers_.end() ? 0 : found->second.status;
  }
  [[nodiscard]] std::string message(CommandId id) const {
    const auto found = answers_.find(id);
    return found == answers_.end() ? std::string{} : found->second.message;
  }
  void reloads(Plan plan) { happens(PlanReplaced{std::make_shared<const Plan>(std::move(plan)), "root"}); }
  void reloads(Service service) { reloads(plan_of_one(std::move(service))); }

  // --- What came of it
  // ---------------------------------------------------------------------------------------------------------

  [[nodiscard]] ServiceState state(const std::string& service = "app") const {
    return world.services.at(service).state;
  }
  [[nodiscard]] RunNumber run(const std::string& service = "app") const { return world.services.at(service).run; }
  [[nodiscard]] bool alive(ProcessId id) { return kernel.alive(id); }
  [[nodiscard]] std::optional<EngineState> engine(ProcessId id) const {
    const Process* process = find_process(world, id);
    if (process == nullptr || !process->engine || !process->engine->listed) return std::nullopt;
    return process->engine->state;
  }
  [[nodiscard]] ProcessId owner(ProcessId engine) const { return owner_of(world, *find_process(world, engine)).worker; }
  [[nodiscard]] bool of_service(ProcessId engine) const { return owner(engine) == nobody; }
  /// Every signal to it, but SIGCONT.
  [[nodiscard]] std::vector<int> signals_to(ProcessId id) const {
    std::vector<int> sent;
    for (const Signalled& one : signals) {
      if (one.to == id && one.signal != SIGCONT) sent.push_back(one.signal);
    }
    return sent;
  }
  [[nodiscard]] Duration signalled_at(ProcessId id, int signal) const {
    const auto found = std::find_if(signals.begin(), signals.end(),
                                    [&](const Signalled& one) { return one.to == id && one.signal == signal; });
    return found == signals.end() ? Duration{-1} : found->at;
  }
  [[nodiscard]] std::vector<Said> of_kind(EventKind kind) const {
    std::vector<Said> found;
    std::copy_if(said.begin(), said.end(), std::back_inserter(found),
                 [&](const Said& one) { return one.entry.kind == kind; });
    return found;
  }
  [[nodiscard]] std::size_t count(EventKind kind) const { return of_kind(kind).size(); }
  [[nodiscard]] std::size_t count(EventKind kind, ProcessId id) const {
    const auto all = of_kind(kind);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const Said& one) { return one.entry.pid == id.pid; }));
  }
  [[nodiscard]] std::size_t saying(const std::string& part) const {
    return static_cast<std::size_t>(std::count_if(
        said.begin(), said.end(), [&](const Said& one) { return one.entry.why.find(part) != std::string::npos; }));
  }
  [[nodiscard]] bool says(const std::string& part) const {
    return std::any_of(said.begin(), said.end(),
                       [&](const Said& one) { return one.entry.why.find(part) != std::string::npos; });
  }
  /// "reconnect failed", "worker worked": the outcomes of rungs, in order.
  [[nodiscard]] std::vector<std::string> outcomes() const {
    std::vector<std::string> found;
    for (const Said& one : said) {
      if (one.entry.kind == EventKind::rung && one.entry.outcome)
        found.push_back(one.entry.rung + " " + to_text(*one.entry.outcome));
    }
    return found;
  }
  /// How interventions ended, in order; "open" for one at work.
  [[nodiscard]] std::vector<std::string> ledger() const {
    std::vector<std::string> found;
    for (const Intervention& one : world.ledger) {
      found.push_back(std::string{to_text(one.cause)} + " " +
                      (one.would ? "would"
                       : one.end ? to_text(*one.end)
                                 : "open"));
    }
    return found;
  }
  [[nodiscard]] bool well() const { return not_well(world).empty(); }
  [[nodiscard]] std::string unwell() const { return well() ? std::string{} : not_well(world).front().why; }
  [[nodiscard]] bool holds(const std::function<bool(const Effect&)>& is) const {
    return std::any_of(effects.begin(), effects.end(), is);
  }

  static constexpr Steady start{std::chrono::hours{24}};
  WallTime wall_start{std::chrono::sys_days{std::chrono::year{2025} / 6 / 2} + std::chrono::hours{12}};
  Duration wall_shift{};

  World world;
  FakeKernel kernel;
  std::vector<Said> said;
  std::vector<Signalled> signals;
  std::vector<Effect> effects;  ///< all of them but records and readings
  std::vector<CallHook> hooks;
  std::vector<HookId> cancelled;
  std::map<ProcessId, ProcessId> connections;  ///< engine → the process that holds a connection to it
  bool ports_known = true;
  std::optional<SpawnFailed> spawn_fails;
  std::vector<LeftoversLookedFor::One> leftovers;
  bool leftovers_readable = true;
  std::function<void(ProcessId)> on_spawn;
  std::optional<int> quit;
  Bytes statm_hides{};   ///< what a reading that is not exact does not see
  Bytes statm_margin{};  ///< by which the stated bound is more than that
  bool exact_readable = true;
  std::size_t exact_readings = 0;
  std::set<ProcessId> peaks_read;
  ContainerRead container;  ///< what is read of it; no limit
  std::size_t container_readings = 0;
  /// Of the machine; nothing: they cannot be counted, and nobody rests.
  std::optional<std::uint64_t> page_faults;
  std::size_t keep = static_cast<std::size_t>(-1);  ///< of `said`, `signals` and `effects`
  std::function<void(const Event&, const Effects&)> after_step;

 private:
  Steady next_tick() const {
    if (idle_tick_ == 0ms) return never;
    const Duration tick =
        elapsed() < 2min ? idle_tick_ : idle_tick_ * 101;  // hours of a story need not be ticked through
    return steady_ + tick - (steady_ - start) % tick;
  }

  void run_queue() {
    if (busy_) return;
    busy_ = true;
    while (!queue_.empty()) {
      const Event next = std::move(queue_.front());
      queue_.pop_front();
      take(next);
      if (queue_.empty() && look_wanted_) {
        // A look takes a moment, and what it shows is later than what asked for it.
        steady_ += 1ms;
        queue_.push_back(look_wanted_->everybody ? kernel.look(steady_) : kernel.look_at_our_own(steady_));
        look_wanted_.reset();
      }
    }
    busy_ = false;
  }

  /// A step settles what it touched: on a copy, settling everybody must come to nothing, or somebody was left out.
  void nobody_left_out(const char* when) {
    World copy = world;
    const Effects more = settle_everything(copy, now());
    if (!more.empty())
      ADD_FAILURE() << "at " << elapsed().count() << " ms, " << when << ": somebody was left out, effect "
                    << more.front().index();
    if (!world.processes.consistent()) ADD_FAILURE() << "the lists of processes are not what the processes say";
  }

  void take(const Event& event) {
    const bool clock_set = now().wall - world.now.wall != now().steady - world.now.steady;
    if (!clock_set && next_deadline(world) > steady_) nobody_left_out("with no deadline come");
    states_.before(world);
    const Effects led_to = step(world, event, now());
    states_.after(world);
    nobody_left_out("after the step");
    for (const Effect& effect : led_to) {
      std::visit([this](const auto& one) { perform(one); }, effect);
    }
    if (!look_wanted_ && queue_.empty() && next_deadline(world) <= steady_) {
      ADD_FAILURE() << "at " << elapsed().count() << " ms the next deadline is not ahead: the daemon would spin";
    }
    if (after_step) after_step(event, led_to);
  }

  template <class T>
  void add(std::vector<T>& to, T one) {
    if (to.size() >= keep) to.erase(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(to.size() / 2));
    to.push_back(std::move(one));
  }

  void perform(const Spawn& spawn) {
    add(effects, Effect{spawn});
    if (spawn_fails) {
      SpawnFailed failed = *spawn_fails;
      failed.service = spawn.service;
      failed.run = spawn.run;
      queue_.push_back(failed);
      return;
    }
    FakeProcess& made = kernel.create(nobody, world.services.at(spawn.service).plan->command, steady_);
    made.own_child = true;
    made.session = made.id.pid;
    kernel.tag(made.id, spawn.service, spawn.run);
    const ProcessId id = made.id;
    queue_.push_back(SpawnSucceeded{spawn.service, spawn.run, id});
    if (on_spawn) on_spawn(id);
  }
  void perform(const SendSignal& send) {
    add(effects, Effect{send});
    add(signals, Signalled{elapsed(), send.to, send.signal});
    const FakeProcess* to = kernel.find(send.to);
    if (to != nullptr && (to->bystander || (!to->told && !to->own_child))) {
      ADD_FAILURE() << "a signal to process " << send.to.pid << ", which is in no tree of ours";
    }
    kernel.deliver(send.to, send.signal);
  }
  void perform(const Look& look) { look_wanted_ = Look{look.everybody || (look_wanted_ && look_wanted_->everybody)}; }
  void perform(const ReadMemory& read) {
    MemorySampled sampled;
    for (const ProcessId& id : read.of) {
      const FakeProcess* process = kernel.find(id);
      if (process == nullptr || process->dead) continue;
      const bool exact = read.exact && exact_readable;
      exact_readings += exact ? 1 : 0;
      Sample sample{id, process->rss, std::nullopt, exact, exact ? Bytes{0} : statm_hides + statm_margin};
      if (!exact && process->rss.count > statm_hides.count) sample.rss.count -= statm_hides.count;
      if (read.peak) sample.peak = process->rss;
      if (read.peak) peaks_read.insert(id);
      sampled.samples.push_back(sample);
    }
    queue_.push_back(std::move(sampled));
  }
  void perform(const ReadContainer&) {
    ++container_readings;
    queue_.push_back(container);
  }
  void perform(const CountPageFaults&) { queue_.push_back(PageFaultsCounted{page_faults}); }
  void perform(const CallHook& call) {
    add(effects, Effect{call});
    add(hooks, call);
    if (on_hook) on_hook(call);
  }
  void perform(const CancelHook& cancel) { add(cancelled, cancel.id); }
  void perform(const AskProbe& question) {
    add(effects, Effect{question});
    ++questions;
    if (on_probe) on_probe(question);
  }
  void perform(const CancelProbe&) {}
  void perform(const LookAtEvidence& look) {
    add(effects, Effect{look});
    EvidenceLookedAt seen{look.engine, std::nullopt, ports_known, ports_known ? "descriptors" : "nothing readable"};
    const auto found = connections.find(look.engine);
    const bool counts = found != connections.end() &&
                        std::find(look.members.begin(), look.members.end(), found->second) != look.members.end();
    if (counts && alive(found->second)) seen.connected = found->second;
    queue_.push_back(seen);
  }
  void perform(const LookForLeftovers& look) {
    queue_.push_back(LeftoversLookedFor{look.service, leftovers, leftovers_readable});
  }
  void perform(const SignalLeftover& send) {
    add(effects, Effect{send});
    if (send.signal == SIGKILL || !leftovers_ignore)
      std::erase_if(leftovers, [&](const auto& one) { return one.id == send.to; });
  }
  void perform(const DescribeStuck& stuck) {
    add(effects, Effect{stuck});
    queue_.push_back(StuckDescribed{stuck.service, "in state D, waiting in nfs_wait"});
  }
  void perform(const FlushOutput&) {}
  void perform(const Record& record) { add(said, Said{elapsed(), record.entry}); }
  void perform(const Answer& answer) {
    if (answers_.contains(answer.command)) ADD_FAILURE() << "command " << answer.command << " is answered twice";
    answers_.insert_or_assign(answer.command, answer);
  }
  void perform(const Forget& forget) {
    if (alive(forget.id)) ADD_FAILURE() << "a living process is forgotten: " << forget.id.pid;
  }
  void perform(const Quit& wanted) { quit = wanted.code; }

 public:
  bool leftovers_ignore = false;  ///< the stop signal

 private:
  Duration idle_tick_;
  Steady steady_ = start;
  Steady next_census_ = start + 250ms;
  std::deque<Event> queue_;
  SeenStates states_;
  bool busy_ = false;
  std::optional<Look> look_wanted_;
  CommandId last_command_ = 0;
  std::map<CommandId, Answer> answers_;
};

}  // namespace plimsoll::core

#include "tests/unit/core/both_ways.hpp"

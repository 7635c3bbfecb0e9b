// Seeded random histories, and the laws that hold in all of them (docs/architecture.md, the laws). The driver knows
// what is true, since it did it: who forked whom, who is a bystander, which engine's owner lives. The laws are checked
// against that after every step, and against what was said and done, not against how the core decides.
//
//   PLIMSOLL_SEED=17 PLIMSOLL_STEPS=2000000 build/dev/bin/unit_core --gtest_filter='RandomDriver.*'
//
// runs other seeds for longer: steps of the core, seed after seed from the one that is named. A failure prints its seed
// and its last lines.
//
// Longer than other files: what the driver does and what it checks are read together.
#include <cstdlib>
#include <random>

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

Plan random_plan(std::mt19937_64& random) {
  const auto one_in = [&](int n) { return random() % static_cast<std::uint64_t>(n) == 0; };
  Service web = app();
  web.name = "web";
  web.required = {"db"};
  web.cool_down = one_in(2) ? 5s : 60s;
  web.heal = one_in(2) ? 10s : 90s;
  web.budget = {one_in(2) ? 2 : 6, 10min};
  web.stop.grace = 5s;
  web.hooks["drain"] = signal_hook("drain", HookTarget::service);
  if (one_in(3)) web.engines[0].reconnect = Reconnect{one_in(2) ? Reconnect::How::end : Reconnect::How::worker, {}};
  if (one_in(4)) web.engines[0].expect.successor = false;
  if (one_in(4)) web.engines[0].owner = OwnerKind::service;
  if (one_in(3)) web.engines[0].on_hard = {rung(RungKind::kill), rung(RungKind::restart)};
  if (one_in(3))
    web.engines[0].on_soft = {wait_rung(3s), hook_rung("drain"), rung(RungKind::reconnect), rung(RungKind::end)};
  if (one_in(3)) web.engines[0].memory.for_ = 2s;
  if (one_in(3)) web.memory.hard = mib(3000);
  if (one_in(4)) web.memory.of = MemoryScope::tree;
  if (one_in(3)) web.restart = one_in(2) ? RestartPolicy::always : RestartPolicy::never;
  if (one_in(5)) web.give_up = GiveUp{5, 10min};
  if (one_in(2)) {
    Cycle cycle;
    cycle.act = one_in(3) ? CycleAct::restart : CycleAct::reconnect;
    cycle.when = Duration{one_in(2) ? 20s : 5min};
    cycle.zone = std::make_shared<const ZoneRules>();
    cycle.jitter = Share{one_in(2) ? 0.5 : 0.0};
    if (one_in(3)) cycle.only_if = OnlyIf{"prisma", mib(300)};
    web.cycles = {cycle};
  }
  Service db = bare("db");
  db.stop.grace = 3s;
  Plan plan = plan_of({db, web});
  if (one_in(8)) plan.daemon.mode = Mode::observe;
  plan.daemon.stop_within = 20s;
  return plan;
}

class Driver {
 public:
  explicit Driver(std::uint64_t seed) : random_(seed) {
    h_.keep = 300;
    h_.after_step = [this](const Event& event, const Effects& effects) { check(event, effects); };
    h_.on_hook = [this](const CallHook& call) { answer_some_time(call); };
    h_.kernel.exit_info = random_() % 4 != 0;
    h_.kernel.run_tag = random_() % 4 != 0;
    plan_ = random_plan(random_);
  }

  /// One life of the daemon; how many steps of the core it took.
  std::size_t live() {
    h_.begin(plan_);
    for (int i = 0; i < 400 && broken_.empty(); ++i) act();
    if (broken_.empty()) end();
    return steps_;
  }
  [[nodiscard]] const std::string& broken() const { return broken_; }
  [[nodiscard]] std::vector<std::string> last_lines() const {
    std::vector<std::string> lines = script(h_);
    std::stable_sort(lines.begin(), lines.end(),
                     [](const std::string& a, const std::string& b) { return std::stoll(a) < std::stoll(b); });
    if (lines.size() > 60) lines.erase(lines.begin(), lines.end() - 60);
    for (const Intervention& one : h_.world.ledger) {
      std::string line = "ledger: " + std::to_string((one.began - History::start).count() / 1'000'000) + " " +
                         one.service + " " + one.why + ":";
      for (const RungTried& rung : one.rungs)
        line += " " + rung.rung + (rung.outcome ? std::string{" "} + to_text(*rung.outcome) : "") + ",";
      lines.push_back(line + (one.would ? " would" : one.end ? std::string{" "} + to_text(*one.end) : " open"));
    }
    return lines;
  }

 private:
  struct Truth {
    std::string service;  ///< empty: a bystander
    ProcessId forked_by;
    bool engine = false;
    bool left_on_purpose = false;  ///< an operator forced a start over it
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  /// A process of the service that may act, or nobody.
  ProcessId some_process(const std::string& service, bool engines) {
    std::vector<ProcessId> found;
    for (const auto& [id, process] : h_.kernel.all()) {
      const auto truth = truth_.find(id);
      if (!process.dead && truth != truth_.end() && truth->second.service == service && truth->second.engine == engines)
        found.push_back(id);
    }
    return found.empty() ? nobody : found[below(found.size())];
  }

  ProcessId fork(ProcessId parent, std::vector<std::string> argv, bool engine) {
    const ProcessId child = h_.forks(parent, std::move(argv));
    truth_[child] = {truth_[parent].service, parent, engine};
    if (one_in(6)) h_.ignores_signals(child);
    if (one_in(6)) h_.kernel.find(child)->reaps = false;
    if (one_in(2)) h_.looks();
    return child;
  }

  void grow() {
    if (h_.kernel.all().size() > 40) return;
    const ProcessId main = h_.world.services.contains("web") ? h_.main("web") : nobody;
    if (!h_.alive(main)) return;
    truth_[main].service = "web";
    const ProcessId parent = one_in(2) ? main : some_process("web", false);
    switch (below(7)) {
      case 0:
      case 1: fork(main, {"/usr/bin/python3", "-c", "worker"}, false); break;
      case 2:
      case 3:
      case 4: fork(parent, {"/srv/query-engine-debian", "-p", "1"}, true); break;
      case 5: {
        const ProcessId launcher = fork(parent, {"/usr/bin/python3", "daemonise.py"}, false);
        h_.looks();
        if (!h_.alive(launcher)) return;
        if (one_in(2)) h_.kernel.find(launcher)->session = launcher.pid;
        fork(launcher, {"/srv/query-engine-debian", "-p", "1"}, true);
        if (one_in(2)) h_.looks();
        if (h_.alive(launcher)) h_.dies(launcher, exited(one_in(4) ? 1 : 0));
        break;
      }
      case 6: {
        FakeProcess& stranger = h_.kernel.create(nobody, {"/srv/query-engine-debian"}, h_.now().steady);
        stranger.bystander = one_in(2);  // else it is adopted by us, and nothing points to a service
        truth_[stranger.id] = {};
        break;
      }
      default: break;
    }
  }

  void die() {
    const std::string service = one_in(6) ? "db" : "web";
    ProcessId id = some_process(service, one_in(2));
    if (one_in(12) && h_.world.services.contains(service)) id = h_.main(service);
    if (!h_.alive(id) || h_.kernel.find(id)->unkillable) return;
    const Exit ends[] = {exited(0),          exited(1),          exited(130),
                         by_signal(SIGKILL), by_signal(SIGTERM), {ExitKind::oom_killed, 0, SIGKILL, {}}};
    h_.dies(id, ends[below(6)]);
  }

  void answer_some_time(const CallHook& call) {
    if (one_in(4)) return;
    const HookResult results[] = {HookResult::done, HookResult::done, HookResult::failed, HookResult::skipped};
    const HookResult result = results[below(4)];
    if (result == HookResult::done && one_in(2)) {
      for (auto& [id, process] : h_.kernel.all()) {
        const bool asked_for =
            call.placeholders.contains("engine_pid") && std::to_string(id.pid) == call.placeholders.at("engine_pid");
        if (!asked_for || process.dead || process.unkillable) continue;
        const ProcessId parent = process.parent;
        h_.kernel.end(id, by_signal(SIGINT));
        if (one_in(2) && h_.alive(parent)) {
          const ProcessId child = h_.forks(parent, {"/srv/query-engine-debian", "-p", "2"});
          truth_[child] = {truth_[parent].service, parent, true};
        }
        break;
      }
    }
    h_.answers(call.id, result);
  }

  void operate() {
    const CommandAct acts[] = {CommandAct::start,     CommandAct::stop,  CommandAct::restart,
                               CommandAct::reconnect, CommandAct::hook,  CommandAct::hold,
                               CommandAct::release,   CommandAct::start, CommandAct::release};
    const CommandAct act = acts[below(9)];
    const CommandId id = h_.asks(act, one_in(6) ? "db" : "web", [&](CommandGiven& command) {
      command.hook = "drain";
      command.force = one_in(5);
      command.except_hard = one_in(2);
      if (one_in(2)) command.for_ = 20s;
      forced_ = forced_ || command.force;
    });
    asked_[id] = h_.elapsed();
  }

  /// A heavy load on all workers at once: every engine grows over the same line.
  void crowd() {
    const Bytes size = one_in(4) ? mib(850) : mib(500);
    for (const auto& [id, truth] : truth_) {
      if (truth.engine && h_.alive(id)) h_.kernel.find(id)->rss = size;
    }
    h_.after(one_in(2) ? 4s : 40s);
  }

  void reload() {
    Plan plan = plan_;
    if (one_in(3)) plan.services[1].command.push_back("--new");
    if (one_in(3)) plan.services[1].cycles.clear();
    if (one_in(4)) plan.services[1].engines.clear();
    if (one_in(4)) plan.services.pop_back();
    h_.reloads(plan);
  }

  void disturb() {
    const ProcessId engine = some_process("web", true);
    switch (below(8)) {
      case 0: h_.wall_shift += std::chrono::duration_cast<Duration>(one_in(2) ? -1h : 3h); break;
      case 1: h_.kernel.complete = one_in(2); break;
      case 2:
        if (h_.alive(engine)) h_.stuck(engine, one_in(2));
        break;
      case 3: h_.ports_known = one_in(2); break;
      case 4:
        if (h_.alive(engine)) h_.connections[engine] = some_process("web", false);
        break;
      case 5: h_.connections.clear(); break;
      case 6:
        if (h_.spawn_fails) {
          h_.spawn_fails.reset();
        } else if (one_in(3)) {
          h_.spawn_fails = SpawnFailed{"", 0, ENOENT, "exec", "No such file or directory"};
        }
        break;
      case 7: h_.statm_hides = one_in(2) ? mib(100) : Bytes{0}; break;
      default: break;
    }
  }

  void act() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2: grow(); break;
      case 3: die(); break;
      case 4:
      case 5: {
        const ProcessId id = some_process("web", !one_in(5));
        const std::uint64_t sizes[] = {50, 150, 350, 450, 650, 850, 1'200, 3'500};
        if (h_.alive(id)) h_.has(id, sizes[below(8)]);
        break;
      }
      case 6:
        if (one_in(3)) operate();
        if (one_in(3)) crowd();
        break;
      case 7:
        if (one_in(10)) reload();
        break;
      case 8: disturb(); break;
      default: {
        const Duration spans[] = {3ms, 40ms, 300ms, 1'200ms, 6s, 40s};
        h_.after(Duration{1 + static_cast<Duration::rep>(below(static_cast<std::uint64_t>(spans[below(6)].count())))});
        break;
      }
    }
    check_orphans();
    check_commands();
  }

  /// The daemon is told to end: everything does, and says so.
  void end() {
    std::vector<ProcessId> stuck;
    for (const auto& [id, process] : h_.kernel.all()) {
      if (process.unkillable) stuck.push_back(id);
    }
    for (const ProcessId& id : stuck) h_.stuck(id, false);
    h_.kernel.complete = true;
    h_.happens(StopRequested{"SIGTERM"});
    h_.after(60s);
    if (!h_.quit) broken_ = "law 4: the daemon does not end after its stop was asked for";
    for (const auto& [id, process] : h_.kernel.all()) {
      const Process* recorded = find_process(h_.world, id);
      if (!process.dead && recorded != nullptr && !recorded->service.empty())
        broken_ = "law 3: process " + std::to_string(id.pid) + " is left after the stop";
    }
  }

  // --- The laws
  // ------------------------------------------------------------------------------------------------------------------

  void check(const Event& event, const Effects& effects) {
    ++steps_;
    if (const auto* spawned = std::get_if<SpawnSucceeded>(&event))
      truth_[spawned->main] = {spawned->service, nobody, false};
    if (!broken_.empty()) return;
    for (const Effect& effect : effects) {
      if (const auto* spawn = std::get_if<Spawn>(&effect)) check_one_run(*spawn);
      if (const auto* send = std::get_if<SendSignal>(&effect)) check_signal(*send);
    }
    check_nothing_left();
    // A service that left the plan and came back is a new one.
    if (!h_.world.services.contains("web")) out_of_plan_at_["web"] = h_.now().steady;
    check_budget();
    const World& world = h_.world;
    if (world.plan->daemon.mode == Mode::observe || world.holding) withheld_at_ = h_.elapsed();
    if (testing::Test::HasFailure()) broken_ = "see above";
  }

  /// Law 1: only what was recorded as part of a tree of ours; an engine whose owner lives only for a reason that was
  /// said.
  void check_signal(const SendSignal& send) {
    const Truth& truth = truth_[send.to];
    const std::string pid = std::to_string(send.to.pid);
    if (truth.service.empty()) broken_ = "law 1: signal " + std::to_string(send.signal) + " to bystander " + pid;
    if (send.signal == SIGCONT || !truth.engine) return;
    const auto life = h_.world.services.find(truth.service);
    const bool up = life != h_.world.services.end() && life->second.state == ServiceState::ready;
    if (!up || !h_.alive(truth.forked_by)) return;
    const bool said_why = std::any_of(h_.said.begin(), h_.said.end(), [&](const Said& one) {
      return one.entry.kind == EventKind::rung && !one.entry.would && one.entry.pid == send.to.pid;
    });
    if (!said_why)
      broken_ = "law 1: engine " + pid + ", whose owner lives, gets signal " + std::to_string(send.signal) +
                " without a rung";
    for (const Intervention& one : h_.world.ledger) {
      if (one.cause == Cause::orphan && one.pid == send.to.pid && !one.would && one.ended == never) {
        broken_ = "law 1: engine " + pid + " is ended as an orphan, and its owner lives";
      }
    }
  }

  /// Law 2: no spawn while something of the old tree lives.
  void check_one_run(const Spawn& spawn) {
    for (const auto& [id, process] : h_.kernel.all()) {
      const auto truth = truth_.find(id);
      if (process.dead || truth == truth_.end() || truth->second.service != spawn.service) continue;
      const Process* recorded = find_process(h_.world, id);
      // What came to us and could not be placed is nobody's; what was forced aside is said.
      if (recorded != nullptr && recorded->service.empty()) continue;
      if (recorded == nullptr && forced_) continue;
      // This spawn's own main process is there already.
      if (process.own_child && process.born == h_.now().steady) continue;
      broken_ = "law 2: run " + std::to_string(spawn.run) + " of " + spawn.service + " is spawned while process " +
                std::to_string(id.pid) + " of it lives";
    }
  }

  /// Law 3: nothing is left of a service that is stopped.
  void check_nothing_left() {
    for (const auto& [name, life] : h_.world.services) {
      const bool stopped = life.state == ServiceState::stopped || life.state == ServiceState::failed ||
                           life.state == ServiceState::backoff;
      if (!stopped) continue;
      for (const auto& [id, process] : h_.world.processes) {
        if (process.service == name && h_.alive(id))
          broken_ = "law 3: " + name + " is " + to_text(life.state) + " and process " + std::to_string(id.pid) +
                    " of it lives";
      }
    }
  }

  /// Law 3: no orphan survives its time.
  void check_orphans() {
    constexpr Duration longest = 1s + 15s + 2s + 5s;
    for (const auto& [id, process] : h_.world.processes) {
      const auto owner = h_.world.processes.find(owner_of(h_.world, process).worker);
      const bool orphan = process.engine && h_.alive(id) && owner != h_.world.processes.end() && owner->second.death &&
                          !h_.kernel.find(id)->unkillable;
      if (!orphan) {
        orphan_since_.erase(id);
        continue;
      }
      const Duration since = orphan_since_.try_emplace(id, h_.elapsed()).first->second;
      if (h_.elapsed() - std::max(since, withheld_at_) > longest) {
        broken_ = "law 3: orphan " + std::to_string(id.pid) + " lives since " +
                  std::to_string((h_.elapsed() - since).count()) + " ms";
      }
    }
  }

  /// Law 7: acts within the budget, whatever triggered them; one soft ladder or cycle at a time.
  void check_budget() {
    for (const auto& [name, life] : h_.world.services) {
      int acts = 0;
      int gentle = 0;
      for (const Intervention& one : h_.world.ledger) {
        const bool ladder = one.cause == Cause::soft || one.cause == Cause::hard || one.cause == Cause::lost;
        if (one.service != name) continue;
        const bool open = one.ended == never;
        if (open && (one.cause == Cause::soft || one.cause == Cause::lost || one.cause == Cause::cycle)) ++gentle;
        if (!ladder) continue;
        for (const RungTried& rung : one.rungs) {
          const bool no_act =
              one.would || rung.outcome == Outcome::skipped || rung.rung == "log" || rung.rung.starts_with("wait");
          if (!no_act && rung.began > std::max(h_.now().steady - life.plan->budget.per, out_of_plan_at_[name])) ++acts;
        }
      }
      if (acts > life.plan->budget.acts)
        broken_ = "law 7: " + std::to_string(acts) + " acts within " + to_text(life.plan->budget.per) + " for " + name;
      if (gentle > 1) broken_ = "law 7: " + std::to_string(gentle) + " soft ladders or cycles at a time for " + name;
    }
  }

  /// Law 8: whoever asks gets an answer.
  void check_commands() {
    for (auto it = asked_.begin(); it != asked_.end();) {
      const bool answered = h_.status(it->first) != 0;
      if (!answered && h_.elapsed() - it->second > 15min)
        broken_ = "law 8: command " + std::to_string(it->first) + " has no answer";
      it = answered ? asked_.erase(it) : std::next(it);
    }
  }

  std::mt19937_64 random_;
  History h_;
  Plan plan_;
  std::map<ProcessId, Truth> truth_;
  std::map<ProcessId, Duration> orphan_since_;
  std::map<CommandId, Duration> asked_;
  std::map<std::string, Steady> out_of_plan_at_;
  Duration withheld_at_{-1h};
  std::string broken_;
  bool forced_ = false;
  std::size_t steps_ = 0;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(RandomDriver, KeepsTheLawsInEveryHistory) {
  const std::uint64_t first = from_environment("PLIMSOLL_SEED", 1);
  const std::uint64_t at_least = from_environment("PLIMSOLL_STEPS", 40'000);
  std::uint64_t seed = first;
  for (std::size_t steps = 0; steps < at_least && !HasFailure(); ++seed) {
    Driver driver(seed);
    steps += driver.live();
    if (driver.broken().empty() && !HasFailure()) continue;
    std::string lines;
    for (const std::string& line : driver.last_lines()) lines += "  " + line + "\n";
    FAIL() << driver.broken() << "\n  PLIMSOLL_SEED=" << seed << " PLIMSOLL_STEPS=1 shows it again\n" << lines;
  }
  RecordProperty("seeds", std::to_string(seed - first));
}

}  // namespace
}  // namespace plimsoll::core

// Rules 4 and 5 of docs/verdicts.md: orphans, and the counter-evidence that saves one.
#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

// --- 4: orphan
// ---------------------------------------------------------------------------------------------------------------

HISTORY(Orphan, OfAKilledWorkerIsAskedToEndAtOnce) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(worker);
  h.after(1ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  EXPECT_LE(h.signalled_at(engine, SIGTERM), 10s + 5ms);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan worked"});
  EXPECT_TRUE(h.well());
}

HISTORY(Orphan, OfAWorkerThatFailedIsAskedToEndAtOnce) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.dies(worker, exited(3));
  h.after(1ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Orphan, OfAWorkerThatLeftWithZeroHas300Ms) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.dies(worker, exited(0));
  h.after(290ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.after(15ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Orphan, OfAWorkerWhoseEndNobodyCouldReadHas300Ms) {
  h.kernel.exit_info = false;
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(worker);
  h.after(290ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.after(15ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Orphan, ThatAMemberTookOverHas15Seconds) {
  h.begin(app());
  h.kernel.find(h.main())->subreaper = true;
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.killed(worker);
  h.at(24s + 900ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.engine(engine), EngineState::orphan);
  EXPECT_FALSE(h.well());
  h.at(25s + 10ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Orphan, BelowAWrapperThatLivesOnIsAskedToEndAtOnce) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId sh = h.starts(worker, {"/bin/sh", "-c", "query-engine"});
  const ProcessId engine = h.starts_engine(sh);
  h.at(10s);
  h.killed(worker);
  h.after(1ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM}) << "the shell is its parent still, and no new one";
}

HISTORY(Orphan, HasTheTimeThatIsWritten) {
  Service service = app();
  service.engines[0].orphan.after = 4s;
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.killed(worker);
  h.after(3900ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.after(200ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Orphan, ThatDoesNotEndIsKilledAfterItsGrace) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.ignores_signals(engine);
  h.killed(worker);
  h.after(1900ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  h.after(200ms);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGTERM, SIGKILL}));
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Orphan, IsNobodysFailureAndCostsNoBudget) {
  Service service = app();
  service.budget.acts = 1;
  h.begin(service);
  for (int i = 0; i < 4; ++i) {
    const ProcessId worker = h.starts_worker(h.main());
    const ProcessId engine = h.starts_engine(worker);
    h.after(5s);
    h.killed(worker);
    h.after(1s);
    EXPECT_FALSE(h.alive(engine));
  }
  EXPECT_TRUE(h.world.services.at("app").acts.empty());
}

HISTORY(Orphan, IsOnlySaidInObserve) {
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.killed(worker);
  h.at(60s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan would"});
  EXPECT_EQ(h.count(EventKind::rung, engine), 1u) << "said once, not at each second";
  EXPECT_FALSE(h.well());
}

HISTORY(Orphan, OfAWorkerThatEndedRightAfterItsForkIsThatWorkersHoweverLateTheLookIsTakenIn) {
  const auto [worker, first] = old_worker_with_engine(h);
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian", "-p", "4467"});
  h.kernel.tell = [](const Event&) {};
  h.kernel.end(worker, by_signal(SIGKILL));
  World world = h.world;
  Now now = h.now();
  now.steady += 1ms;
  step(world, ProcessEnded{worker, by_signal(SIGKILL), false}, now);
  Looked looked = h.kernel.look(now.steady);
  looked.began = now.steady;
  now.steady += 40ms;
  step(world, looked, now);
  EXPECT_EQ(owner_of(world, *find_process(world, engine)).worker, worker);
}

HISTORY(Orphan, ThatWasHeldIsEndedAfterTheRelease) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.asks(CommandAct::hold);
  h.killed(worker);
  h.at(30s);
  EXPECT_TRUE(h.alive(engine));
  h.asks(CommandAct::release);
  h.at(32s);
  EXPECT_FALSE(h.alive(engine));
  const Intervention& ledger = h.world.ledger.back();
  ASSERT_EQ(ledger.rungs.size(), 2u);
  EXPECT_EQ(ledger.rungs[0].outcome, Outcome::skipped) << "what was withheld is not at work for ever";
  EXPECT_EQ(ledger.rungs[1].outcome, Outcome::worked);
}

HISTORY(Orphan, WhoseRuleLeavesThePlanIsKilledAllTheSameOnceItWasAsked) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.ignores_signals(engine);
  h.killed(worker);
  h.after(100ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  Service service = app();
  service.engines.clear();
  h.reloads(service);
  h.after(10s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGTERM, SIGKILL})) << "law 3";
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan preempted"});
}

HISTORY(Orphan, WhoseRuleLeavesThePlanBeforeItWasAskedIsLeft) {
  Service service = app();
  service.engines[0].orphan.after = 5s;
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.killed(worker);
  h.after(1s);
  service.engines.clear();
  h.reloads(service);
  h.after(60s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan preempted"});
  EXPECT_TRUE(h.well());
}

HISTORY(Orphan, RightBehindOneThatWasAskedInItsFirstSecondIsItsOwnWorkers) {
  h.begin(app());
  const ProcessId first = h.starts_worker(h.main());
  const ProcessId second = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId ended = h.starts_engine(first);
  // Forked while that one ends, and its worker dies before anybody has looked: who left with 0 in its first second
  // would be a launcher, but for our asking.
  ProcessId orphan;
  h.kernel.find(ended)->on_signal = [&](int) {
    orphan = h.forks(second, {"/srv/query-engine-debian", "-p", "4467"});
    h.kernel.end(second, by_signal(SIGKILL));
    h.kernel.end(ended, exited(0));
  };
  h.killed(first);
  h.after(5s);
  EXPECT_FALSE(h.alive(ended));
  EXPECT_FALSE(h.alive(orphan));
}

HISTORY(Orphan, OverItsHardLineIsNotGivenTime) {
  Service service = app();
  service.engines[0].orphan.after = 60s;
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.killed(worker);
  h.after(1s);
  EXPECT_TRUE(h.alive(engine));
  h.has(engine, 900);
  h.after(1s);
  EXPECT_FALSE(h.alive(engine));
}

// --- 5: counter-evidence
// --------------------------------------------------------------------------------------------------------

struct UsedOrphan {
  ProcessId user;
  ProcessId engine;
};

/// Its owner was killed, and another worker holds a connection to it.
UsedOrphan used_orphan(History& h) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.connections[engine] = other;
  h.killed(worker);
  h.at(60s);
  return {other, engine};
}

HISTORY(Evidence, ThatAnotherWorkerIsConnectedLeavesTheEngineToTheService) {
  const auto [other, engine] = used_orphan(h);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_TRUE(h.of_service(engine));
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan subsided"});
  EXPECT_TRUE(h.says("is used by process " + std::to_string(other.pid)));
}

HISTORY(Evidence, ThatLeftAnEngineToTheServiceDoesNotKeepItsCrashFromBeingSeen) {
  const auto [other, engine] = used_orphan(h);
  ASSERT_TRUE(h.alive(engine));
  h.dies(engine, by_signal(SIGSEGV));
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 1u);
  h.at(300s);
  EXPECT_EQ(h.ledger()[0], "orphan subsided");
  ASSERT_EQ(h.ledger().size(), 2u) << "a ladder heals it";
  EXPECT_TRUE(h.ledger()[1].starts_with("lost"));
}

HISTORY(Evidence, OfTheDeadOwnersOwnChildrenDoesNotCount) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId child = h.starts(worker, {"/usr/bin/python3", "pool.py"});
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.connections[engine] = child;
  h.killed(worker);
  h.after(1s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Evidence, OfAnotherEngineDoesNotCount) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  const ProcessId neighbour = h.starts_engine(other);
  h.at(10s);
  h.connections[engine] = neighbour;
  h.killed(worker);
  h.after(1s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Evidence, IsLookedAtAllTheWhile) {
  Service service = app();
  service.engines[0].orphan.after = 15s;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.killed(worker);
  h.at(14s);
  h.connections[engine] = other;
  h.at(16s);
  h.connections.clear();  // between two requests
  h.at(60s);
  EXPECT_TRUE(h.alive(engine));
}

HISTORY(Evidence, IsLookedAtAgainBeforeSigkill) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.ignores_signals(engine);
  h.at(10s);
  h.killed(worker);
  h.at(11s);
  h.connections[engine] = other;
  h.at(60s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  EXPECT_TRUE(h.alive(engine));
  h.asks(CommandAct::stop);
  h.at(61s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGTERM, SIGTERM})) << "it is the service's, and stops with it";
}

HISTORY(Evidence, ThatCannotBeHadGives15Seconds) {
  h.ports_known = false;
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(worker);
  h.at(24s + 900ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.at(25s + 100ms);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  EXPECT_TRUE(h.says("cannot be seen"));
}

HISTORY(Evidence, KeepsTheSameEngineFromAnOrphansWouldInObserve) {
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.connections[engine] = other;
  h.at(10s);
  h.killed(worker);
  h.at(30s);
  EXPECT_EQ(h.count(EventKind::rung), 0u) << "what acting would not end, observing does not claim to";
  EXPECT_TRUE(h.of_service(engine));
}

}  // namespace
}  // namespace plimsoll::core

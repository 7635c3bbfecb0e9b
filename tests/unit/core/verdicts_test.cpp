// The numbered rules of docs/verdicts.md: who owns an engine, who is an orphan, what is lost.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

// --- 1: owner ------------------------------------------------------------------------------------------------------------

HISTORY(Owner, IsTheWorkerThatForkedIt) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(2s);
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.owner(engine), worker);
}

HISTORY(Owner, IsFoundAboveWrappers) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId npm = h.starts(worker, {"npm start"});
  const ProcessId sh = h.starts(npm, {"/bin/sh", "-c", "query-engine"});
  const ProcessId engine = h.starts_engine(sh);
  h.at(2s);
  EXPECT_EQ(h.owner(engine), worker);
}

HISTORY(Owner, IsTheServiceWhereTheRuleSaysSo) {
  Service service = app();
  service.engines[0].owner = OwnerKind::service;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(2s);
  EXPECT_TRUE(h.of_service(engine));
  h.killed(worker);
  h.at(20s);
  EXPECT_TRUE(h.alive(engine)) << "owned by the service, it ends with the run and is no orphan before";
  EXPECT_EQ(h.count(EventKind::engine_orphaned), 0u);
  h.killed(h.main());
  h.after(5s);
  EXPECT_FALSE(h.alive(engine));
}

// --- 2: launcher -----------------------------------------------------------------------------------------------------------

HISTORY(Launcher, ThatEndsYoungWithZeroGivesTheEngineToTheService) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId launcher = h.starts(worker, {"/usr/bin/python3", "daemonise.py"});
  const ProcessId engine = h.starts_engine(launcher);
  h.after(300ms);
  h.dies(launcher, exited(0));
  h.at(3s);
  EXPECT_TRUE(h.of_service(engine));
  h.killed(worker);
  h.at(30s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.killed(h.main());
  h.after(8s);
  EXPECT_FALSE(h.alive(engine)) << "left by a dead main process";
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Launcher, ThatEndsWithAFailureIsAnOwnerThatDied) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId launcher = h.starts(worker, {"/usr/bin/python3", "daemonise.py"});
  const ProcessId engine = h.starts_engine(launcher);
  h.after(300ms);
  h.dies(launcher, exited(1));
  h.at(3s);
  EXPECT_EQ(h.count(EventKind::engine_orphaned, engine), 1u);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Launcher, ThatEndsOldIsAnOwnerThatDied) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId launcher = h.starts(worker, {"/usr/bin/python3", "daemonise.py"});
  const ProcessId engine = h.starts_engine(launcher);
  h.at(2s);
  h.dies(launcher, exited(0));
  h.at(5s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Launcher, WhoseEndNobodyCouldReadIsOneIfTheEngineHasAnotherSession) {
  h.kernel.exit_info = false;
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId launcher = h.forks(worker, {"/usr/bin/python3", "daemonise.py"});
  h.kernel.find(launcher)->session = launcher.pid;
  const ProcessId engine = h.starts_engine(launcher);
  h.after(300ms);
  h.dies(launcher, exited(0));
  h.at(5s);
  EXPECT_TRUE(h.of_service(engine));
  EXPECT_TRUE(h.alive(engine));
}

HISTORY(Launcher, WhoseEndNobodyCouldReadIsNoneInTheSameSession) {
  h.kernel.exit_info = false;
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId launcher = h.starts(worker, {"/usr/bin/python3", "daemonise.py"});
  const ProcessId engine = h.starts_engine(launcher);
  h.after(300ms);
  h.dies(launcher, exited(0));
  h.at(5s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Launcher, WhoseExitIsReadOnlyLaterTakesTheVerdictBack) {
  h.kernel.exit_info = false;
  Service service = app();
  service.engines[0].orphan.after = 5s;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId launcher = h.starts(worker, {"/usr/bin/python3", "daemonise.py"});
  const ProcessId engine = h.starts_engine(launcher);
  h.after(300ms);
  h.dies(launcher, exited(0));
  h.at(2s);
  EXPECT_EQ(h.engine(engine), EngineState::orphan);
  h.happens(ExitRead{launcher, exited(0)});
  h.at(20s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan subsided"});
}

// --- 3: adopted ------------------------------------------------------------------------------------------------------------

HISTORY(Adopted, GoesToTheOneMemberThatDiedInItsSession) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian"});
  h.after(20ms);
  h.killed(worker);
  EXPECT_EQ(h.owner(engine), worker);
  h.after(500ms);
  EXPECT_TRUE(h.alive(engine)) << "a verdict that rests on adoption waits until the engine is settle old";
  h.after(600ms);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Adopted, BelongsToTheServiceWhenTwoThatDiedCouldHaveForkedIt) {
  h.begin(app());
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.forks(a, {"/srv/query-engine-debian"});
  h.after(20ms);
  // Both die before the next look.
  h.kernel.end(a, by_signal(SIGKILL));
  h.killed(b);
  h.at(20s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_TRUE(h.of_service(engine));
}

HISTORY(Adopted, IsNotGivenToOneThatDiedBeforeItWasBorn) {
  h.begin(app());
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.at(10s);
  h.kernel.end(a, by_signal(SIGKILL));
  h.after(20ms);
  const ProcessId engine = h.forks(b, {"/srv/query-engine-debian"});
  h.after(20ms);
  h.killed(b);
  EXPECT_EQ(h.owner(engine), b);
  h.after(2s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Adopted, WithASessionOfItsOwnGoesToTheServiceThatItsRunNames) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian"});
  h.kernel.find(engine)->session = engine.pid;
  h.after(20ms);
  h.killed(worker);
  h.at(20s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_TRUE(h.of_service(engine));
  h.killed(h.main());
  h.after(8s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Adopted, ThatNothingPointsToIsNamedAndLeftAlone) {
  h.kernel.run_tag = false;
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian"});
  h.kernel.find(engine)->session = engine.pid;
  h.after(20ms);
  h.killed(worker);
  h.at(20s);
  EXPECT_EQ(h.count(EventKind::census, engine), 1u);
  h.asks(CommandAct::stop);
  h.at(60s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
}

HISTORY(Adopted, ByANumberThatWasASessionBeforeIsNotOurs) {
  h.kernel.run_tag = false;
  h.begin(app());
  const ProcessId worker = h.forks(h.main(), {"/usr/bin/python3", "worker.py"});
  h.kernel.find(worker)->session = worker.pid;
  h.looks();
  h.kernel.find(h.main())->reaps = false;
  h.at(5s);
  h.killed(worker);
  h.at(10s);
  // The kernel gave the worker's number out again, as the session of a stranger that came to us.
  const ProcessId stranger = h.forks(nobody, {"/srv/query-engine-debian"});
  h.kernel.find(stranger)->session = worker.pid;
  h.at(30s);
  h.asks(CommandAct::stop);
  h.at(80s);
  EXPECT_TRUE(h.alive(stranger));
  EXPECT_EQ(h.signals_to(stranger), std::vector<int>{});
}

HISTORY(Adopted, BelowAMemberThatAdoptsIsNotTakenForItsChild) {
  h.begin(app());
  h.kernel.find(h.main())->subreaper = true;
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId first = h.starts_engine(a);
  h.at(10s);
  h.killed(a);
  EXPECT_TRUE(find_process(h.world, h.main())->adopts);
  h.at(40s);
  EXPECT_FALSE(h.alive(first));
  const ProcessId b = h.starts_worker(h.main());
  h.at(50s);
  const ProcessId engine = h.forks(b, {"/srv/query-engine-debian"});
  h.after(20ms);
  h.killed(b);
  EXPECT_EQ(h.owner(engine), b) << "not the master, though it is first seen below it";
  h.after(17s);
  EXPECT_FALSE(h.alive(engine));
}

// --- 4: orphan ---------------------------------------------------------------------------------------------------------------

struct Bereaved {
  ProcessId worker;
  ProcessId engine;
};

Bereaved old_worker_with_engine(History& h, Service service = app()) {
  h.begin(std::move(service));
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  return {worker, engine};
}

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

HISTORY(Orphan, ThatWasHeldIsEndedAfterTheRelease) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.asks(CommandAct::hold);
  h.killed(worker);
  h.at(30s);
  EXPECT_TRUE(h.alive(engine));
  h.asks(CommandAct::release);
  h.at(32s);
  EXPECT_FALSE(h.alive(engine));
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

// --- 5: counter-evidence --------------------------------------------------------------------------------------------------------

HISTORY(Evidence, ThatAnotherWorkerIsConnectedLeavesTheEngineToTheService) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.connections[engine] = other;
  h.killed(worker);
  h.at(60s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_TRUE(h.of_service(engine));
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan subsided"});
  EXPECT_TRUE(h.says("is used by process " + std::to_string(other.pid)));
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

// --- 6, 7 and 8: how it ended: disconnected or lost ---------------------------------------------------------------------------------

class HowItEnded : public testing::TestWithParam<std::pair<Exit, bool>> {};

TEST_P(HowItEnded, DecidesBetweenDisconnectedAndLost) {
  const auto& [exit, disconnected] = GetParam();
  play_both_ways([&, exit_ = exit, disconnected_ = disconnected](History& h) {
    const auto [worker, engine] = old_worker_with_engine(h);
    h.dies(engine, exit_);
    h.after(1ms);
    EXPECT_EQ(h.count(EventKind::engine_disconnected, engine), disconnected_ ? 1u : 0u);
    EXPECT_EQ(h.count(EventKind::engine_lost, engine), disconnected_ ? 0u : 1u);
    EXPECT_EQ(h.well(), disconnected_);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Exits, HowItEnded,
    testing::Values(std::pair{exited(0), true}, std::pair{exited(130), true}, std::pair{exited(143), true}, std::pair{by_signal(SIGINT), true},
                    std::pair{by_signal(SIGTERM), true}, std::pair{exited(1), false}, std::pair{exited(255), false},
                    std::pair{by_signal(SIGKILL), false}, std::pair{by_signal(SIGSEGV), false},
                    std::pair{Exit{ExitKind::oom_killed, 0, SIGKILL, {}}, false}));

HISTORY(Disconnected, IsAnEngineReapedAtOnceWhoseEndNobodyCouldRead) {
  h.kernel.exit_info = false;
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.count(EventKind::engine_disconnected, engine), 1u);
  EXPECT_TRUE(h.says("status: unknown"));
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
}

HISTORY(Disconnected, IsNoRemedysBusinessButNotWellForEver) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.dies(engine, exited(0));
  h.at(90s);
  EXPECT_TRUE(h.well());
  h.at(110s);
  EXPECT_FALSE(h.well()) << "its owner had an engine and has been without one for heal";
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  const ProcessId next = h.starts_engine(worker);
  h.after(2s);
  EXPECT_EQ(h.engine(next), EngineState::live);
  EXPECT_TRUE(h.well());
}

HISTORY(Lost, IsAZombieThatNobodyReaps) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.kernel.find(worker)->reaps = false;
  h.dies(engine, exited(0));
  h.after(900ms);
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 0u);
  h.after(200ms);
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 1u);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  EXPECT_FALSE(h.well()) << "never green beside a zombie engine";
}

HISTORY(Lost, IsAZombieThatIsReapedTooLate) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.kernel.find(worker)->reaps = false;
  h.dies(engine, exited(0));
  h.after(2s);
  h.kernel.reap(engine);
  h.looks();
  EXPECT_EQ(h.engine(engine), EngineState::lost);
}

HISTORY(Lost, IsGivenHealBeforeTheLadder) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.at(99s);
  EXPECT_EQ(h.hooks.size(), 0u);
  h.at(101s);
  ASSERT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.hooks[0].target, worker);
  EXPECT_EQ(h.hooks[0].placeholders.at("engine_pid"), std::to_string(engine.pid));
}

HISTORY(Lost, HealedByItsAppMeansNoActOfOurs) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.after(5s);
  const ProcessId next = h.starts_engine(worker);
  h.at(200s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_EQ(h.signals.size(), 0u);
  EXPECT_TRUE(h.well());
  EXPECT_TRUE(h.says("stands for the lost"));
  EXPECT_EQ(h.engine(next), EngineState::live);
}

HISTORY(Lost, NeverSettledMeansFailedToStart) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.starts_engine(worker);
  h.after(800ms);
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.count(EventKind::engine_lost), 0u);
  EXPECT_EQ(h.count(EventKind::engine_gone, engine), 1u);
  EXPECT_TRUE(h.says("failed to start"));
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
}

HISTORY(Lost, OfALazyAppIsAnEventAndNoLadder) {
  Service service = app();
  service.engines[0].expect.successor = false;
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.killed(engine);
  h.at(300s);
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 1u);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_TRUE(h.well());
}

// --- 9 and 10: slot and successor -------------------------------------------------------------------------------------------------

HISTORY(Slot, EndsWithItsOwnerAndItsHealClockToo) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.after(10s);
  h.killed(worker);
  h.at(300s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_TRUE(h.well());
  EXPECT_TRUE(h.world.slots.empty());
}

HISTORY(Successor, StandsForOneEndedEngineOnly) {
  const auto [worker, engine] = old_worker_with_engine(h);
  const ProcessId second = h.starts_engine(worker);
  h.at(20s);
  h.killed(engine);
  h.killed(second);
  h.at(25s);
  h.starts_engine(worker);
  h.at(40s);
  const int lost = (h.engine(engine) == EngineState::lost ? 1 : 0) + (h.engine(second) == EngineState::lost ? 1 : 0);
  EXPECT_EQ(lost, 1) << "one of the two is still missing";
}

HISTORY(Successor, MustStandInTheSameSlot) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.killed(engine);
  h.at(12s);
  h.starts_engine(other);
  h.at(40s);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
}

HISTORY(Successor, StartedJustBeforeTheLostOneEndedStandsForIt) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.at(20s);
  h.starts_engine(worker);
  h.at(23s);
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_TRUE(h.well());
}

HISTORY(Successor, ThatStoodThereAllTheTimeStandsForNobody) {
  const auto [worker, engine] = old_worker_with_engine(h);
  const ProcessId replica = h.starts_engine(worker);
  h.at(30s);
  h.killed(engine);
  h.at(60s);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  EXPECT_EQ(h.engine(replica), EngineState::live);
}

HISTORY(Successor, IsOneOnlyWhenItHasSettled) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.at(20s);
  h.starts_engine(worker);
  h.after(900ms);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  h.after(200ms);
  EXPECT_EQ(h.engine(engine), EngineState::gone);
}

// --- Who is an engine -----------------------------------------------------------------------------------------------------------------

HISTORY(Engine, IsListedWhenItIsOlderThanSettle) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.after(990ms);
  EXPECT_EQ(h.count(EventKind::engine_found), 0u);
  h.after(20ms);
  EXPECT_EQ(h.count(EventKind::engine_found, engine), 1u);
}

HISTORY(Engine, IsNotALookAtItsVersion) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId version = h.starts(worker, {"/srv/query-engine-debian", "--version"});
  h.at(5s);
  EXPECT_FALSE(find_process(h.world, version)->engine);
}

HISTORY(Engine, IsNotAWorkerWithItsParentsScript) {
  Service service = bare();
  service.command = {"/usr/bin/node", "/srv/bridge/index.js"};
  service.engines = {prisma()};
  service.engines[0].match = {"*bridge*/index.js"};
  h.begin(service);
  const ProcessId clustered = h.starts(h.main(), {"/usr/bin/node", "/srv/bridge/index.js", "--worker"});
  const ProcessId other = h.starts(h.main(), {"/usr/bin/node", "/opt/bridge-2/index.js"});
  h.at(5s);
  EXPECT_FALSE(find_process(h.world, clustered)->engine);
  EXPECT_FALSE(find_process(h.world, h.main())->engine);
  EXPECT_TRUE(find_process(h.world, other)->engine);
}

HISTORY(Engine, IsNotWhatAnEngineForked) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  const ProcessId below = h.starts_engine(engine);
  h.at(5s);
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_FALSE(find_process(h.world, below)->engine);
}

HISTORY(Engine, IsOneOnlyFromItsExecOn) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId child = h.starts(worker, {"/usr/bin/python3", "-c", "worker"});
  h.after(400ms);
  EXPECT_FALSE(find_process(h.world, child)->engine);
  h.execs(child, {"/srv/query-engine-debian", "-p", "1"});
  h.after(2s);
  EXPECT_EQ(h.engine(child), EngineState::live);
}

HISTORY(Engine, IsNotTheAppProcessBehindWrappers) {
  Service service = bare();
  service.command = {"npm start"};
  service.engines = {prisma()};
  service.engines[0].match = {"node"};
  h.begin(service);
  h.looks();
  const ProcessId sh = h.starts(h.main(), {"/bin/sh", "-c", "node server.js"});
  const ProcessId node = h.starts(sh, {"/usr/bin/node", "server.js"});
  const ProcessId engine = h.starts(node, {"/usr/bin/node", "engine.js"});
  h.at(5s);
  EXPECT_EQ(app_process(h.world, "app"), node);
  EXPECT_FALSE(find_process(h.world, node)->engine);
  EXPECT_EQ(h.engine(engine), EngineState::live);
}

HISTORY(AppProcess, IsTheMainProcessWhereWrappersLeadToSeveral) {
  Service service = bare();
  service.command = {"/bin/sh", "start.sh"};
  h.begin(service);
  h.looks();
  EXPECT_EQ(app_process(h.world, "app"), h.main());
  const ProcessId a = h.starts(h.main(), {"/usr/bin/node", "a.js"});
  EXPECT_EQ(app_process(h.world, "app"), a);
  h.starts(h.main(), {"/usr/bin/node", "b.js"});
  EXPECT_EQ(app_process(h.world, "app"), h.main());
}

}  // namespace
}  // namespace plimsoll::core

// Rules 1 to 3 of docs/verdicts.md: who owns an engine, what was adopted; and which processes are engines at all.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

// --- 1: owner
// ------------------------------------------------------------------------------------------------------------

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

// --- 2: launcher
// -----------------------------------------------------------------------------------------------------------

struct Launched {
  ProcessId worker;
  ProcessId launcher;
  ProcessId engine;
};

/// An engine whose launcher, a worker's child, has just left, `old` after it had started the engine.
Launched launched(History& h, const Service& service, Duration old = 300ms, Exit exit = exited(0)) {
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId launcher = h.starts(worker, {"/usr/bin/python3", "daemonise.py"});
  const ProcessId engine = h.starts_engine(launcher);
  h.after(old);
  h.dies(launcher, exit);
  return {worker, launcher, engine};
}

HISTORY(Launcher, ThatEndsYoungWithZeroGivesTheEngineToTheService) {
  const auto [worker, launcher, engine] = launched(h, app());
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
  const auto [worker, launcher, engine] = launched(h, app(), 300ms, exited(1));
  h.at(3s);
  EXPECT_EQ(h.count(EventKind::engine_orphaned, engine), 1u);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Launcher, ThatEndsOldIsAnOwnerThatDied) {
  const auto [worker, launcher, engine] = launched(h, app(), 2s);
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
  const auto [worker, launcher, engine] = launched(h, app());
  h.at(5s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Launcher, WhoseExitIsReadWhileTheLastEvidenceIsLookedAtTakesTheVerdictBack) {
  h.kernel.exit_info = false;
  Service service = app();
  service.engines[0].orphan.after = 5s;
  const auto [worker, launcher, engine] = launched(h, service);
  h.at(5s);
  World world = h.world;
  Now now = h.now();
  now.steady += 3s;
  step(world, DeadlineReached{}, now);
  step(world, ExitRead{launcher, exited(0)}, now);
  const Effects effects = step(world, EvidenceLookedAt{engine, std::nullopt, true, "descriptors"}, now);
  EXPECT_FALSE(std::any_of(effects.begin(), effects.end(),
                           [](const Effect& effect) { return std::holds_alternative<SendSignal>(effect); }));
  EXPECT_EQ(find_process(world, engine)->engine->state, EngineState::live);
}

HISTORY(Launcher, WhoseExitIsReadOnlyLaterTakesTheVerdictBack) {
  h.kernel.exit_info = false;
  Service service = app();
  service.engines[0].orphan.after = 5s;
  const auto [worker, launcher, engine] = launched(h, service);
  h.at(2s);
  EXPECT_EQ(h.engine(engine), EngineState::orphan);
  h.happens(ExitRead{launcher, exited(0)});
  h.at(20s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan subsided"});
}

// --- 3: adopted
// ------------------------------------------------------------------------------------------------------------

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

HISTORY(Adopted, IsAnOrphanWhicheverOfTwoThatDiedForkedIt) {
  h.begin(app());
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.forks(a, {"/srv/query-engine-debian"});
  h.after(20ms);
  // Both die before the next look.
  h.kernel.end(a, by_signal(SIGKILL));
  h.killed(b);
  h.after(500ms);
  EXPECT_TRUE(h.alive(engine)) << "a verdict that rests on adoption waits for settle";
  h.at(20s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Adopted, IsLeftWhenSomebodyUsesItWhicheverOfTwoThatDiedForkedIt) {
  h.begin(app());
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  const ProcessId c = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.forks(a, {"/srv/query-engine-debian"});
  h.connections[engine] = c;
  h.after(20ms);
  h.kernel.end(a, by_signal(SIGKILL));
  h.killed(b);
  h.at(20s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_TRUE(h.of_service(engine));
}

HISTORY(Adopted, BelongsToTheServiceWhenALauncherOrAWorkerCouldHaveForkedIt) {
  h.begin(app());
  const ProcessId a = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId launcher = h.starts(h.main(), {"/usr/bin/python3", "-c", "launcher"});
  const ProcessId engine = h.forks(launcher, {"/srv/query-engine-debian"});
  h.after(20ms);
  h.kernel.end(launcher, exited(0));
  h.killed(a);
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

HISTORY(Adopted, AfterALookThatBeganBeforeItsOwnersDeathIsStillThatOwners) {
  h.kernel.run_tag = false;
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.starts_worker(h.main());
  h.at(5s);
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian"});
  // A look is under way, and has passed by the place where the engine will stand.
  Looked under_way;
  under_way.began = h.now().steady;
  h.after(20ms);
  h.after_step = [&h](const Event& event, const Effects&) {
    if (std::holds_alternative<ProcessEnded>(event)) h.after(5ms);
  };
  h.kernel.end(worker, by_signal(SIGKILL));
  h.happens(under_way);
  ASSERT_NE(find_process(h.world, engine), nullptr);
  EXPECT_EQ(find_process(h.world, engine)->parent, worker);
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

HISTORY(Adopted, IsPlacedByASessionWhoseFirstMemberIsSeenInTheSameLook) {
  h.kernel.run_tag = false;
  h.begin(app());
  h.at(10s);
  const ProcessId first = h.forks(h.main(), {"/usr/bin/helper"});
  h.kernel.find(first)->session = first.pid;
  const ProcessId middle = h.forks(first, {"/usr/bin/helper"});
  const ProcessId hopper = h.forks(middle, {"/usr/bin/helper"});
  Looked looked;
  h.dies(middle, exited(0));
  looked = h.kernel.look(h.now().steady);
  std::stable_sort(looked.fresh.begin(), looked.fresh.end(),
                   [](const Sighting& a, const Sighting& b) { return a.ourselves && !b.ourselves; });
  ASSERT_EQ(looked.fresh.front().id, hopper);
  h.happens(looked);
  EXPECT_EQ(find_process(h.world, hopper)->service, "app");
  EXPECT_EQ(h.count(EventKind::census, hopper), 0u);
}

HISTORY(Adopted, BelowAMemberThatAdoptsIsThatMembersServicesWhereNothingElsePoints) {
  h.kernel.run_tag = false;
  h.begin(app());
  h.kernel.find(h.main())->subreaper = true;
  const ProcessId a = h.starts_worker(h.main());
  h.starts(a, {"/usr/bin/helper"});
  h.at(10s);
  h.killed(a);
  const ProcessId b = h.starts_worker(h.main());
  h.at(20s);
  const ProcessId helper = h.forks(b, {"/usr/bin/helper"});
  h.kernel.find(helper)->session = helper.pid;
  h.after(20ms);
  h.killed(b);
  EXPECT_EQ(find_process(h.world, helper)->service, "app");
  EXPECT_EQ(h.count(EventKind::census, helper), 0u) << "it is not named as nobody's and then ended as ours";
}

// --- Who is an engine
// -----------------------------------------------------------------------------------------------------------------

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

HISTORY(Engine, IsOneAfterItsExecFromALookAtItsVersion) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts(worker, {"/srv/query-engine-debian", "--version"});
  h.execs(engine, {"/srv/query-engine-debian", "-p", "4466"});
  h.at(5s);
  EXPECT_EQ(h.engine(engine), EngineState::live);
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

}  // namespace
}  // namespace plimsoll::core

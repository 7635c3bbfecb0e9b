// Whole histories of real applications: gunicorn, uvicorn, LiteLLM, prisma-client-py, the Node bridge. Each is named by
// what happens in it.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

HISTORY(History, AWorkerRecycledThatDisconnectsFirstLeavesNothingToDo) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.dies(engine, by_signal(SIGINT));
  h.after(50ms);
  h.dies(worker, exited(0));
  const ProcessId next = h.starts_worker(h.main());
  const ProcessId successor = h.starts_engine(next);
  h.at(300s);
  EXPECT_EQ(h.count(EventKind::engine_disconnected, engine), 1u);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_EQ(h.signals.size(), 0u);
  EXPECT_EQ(h.owner(successor), next);
  EXPECT_TRUE(h.well());
}

HISTORY(History, AWorkerRecycledWithoutDisconnectingLeavesAnOrphanThatIsEnded) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  const ProcessId others = h.starts_engine(other);
  h.at(60s);
  h.dies(worker, exited(0));
  h.at(62s);
  EXPECT_FALSE(h.alive(engine));
  EXPECT_TRUE(h.alive(others));
  EXPECT_EQ(h.signals_to(others), std::vector<int>{});
  EXPECT_TRUE(h.well());
}

HISTORY(History, AWorkerThatStopsItsEngineWithoutWaitingForItNeedsNoSignalOfOurs) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.dies(worker, exited(0));
  h.after(200ms);
  h.dies(engine, by_signal(SIGINT));
  h.at(90s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan subsided"});
}

HISTORY(History, AWorkerKilled300MsAfterItsStartLeavesAYoungOrphan) {
  h.begin(app());
  h.at(60s);
  const ProcessId worker = h.forks(h.main(), {"/usr/bin/python3", "worker.py"});
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian"});
  h.after(300ms);
  h.killed(worker);
  EXPECT_EQ(h.owner(engine), worker);
  h.after(100ms);
  EXPECT_FALSE(h.alive(engine)) << "its end was read and it was seen below its worker: nothing to wait for";
}

HISTORY(History, AWorkerKilled300MsAfterItsStartWhoseEndNobodyCouldReadWaitsUntilTheEngineHasSettled) {
  h.kernel.exit_info = false;
  h.begin(app());
  h.at(60s);
  const ProcessId worker = h.forks(h.main(), {"/usr/bin/python3", "worker.py"});
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian"});
  h.after(300ms);
  h.killed(worker);
  h.after(600ms);
  EXPECT_TRUE(h.alive(engine)) << "it may have been a launcher";
  h.after(500ms);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(History, AWorkerReplacedWhileItsLostEngineIsBeingHealed) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.killed(engine);
  h.at(80s);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  h.dies(worker, exited(1));
  const ProcessId next = h.starts_worker(h.main());
  h.starts_engine(next);
  h.at(400s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{}) << "the slot ended with its owner";
  EXPECT_EQ(h.run(), 1u);
  EXPECT_TRUE(h.well());
}

HISTORY(History, AnAppThatHealsItselfAtTheLastMomentIsNotHealedTwice) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.killed(engine);
  h.at(149s + 700ms);
  const ProcessId next = h.starts_engine(worker);
  h.at(300s);
  EXPECT_EQ(h.hooks.size(), 0u);
  EXPECT_EQ(h.engine(next), EngineState::live);
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(History, AnAppThatHealsItselfJustAfterWeAskedIsNotRestarted) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.killed(engine);
  h.on_hook = [&](const CallHook& call) {
    h.answers(call.id, HookResult::failed, "HTTP 404");
    h.forks(call.target, {"/srv/query-engine-debian"});
  };
  h.at(400s);
  EXPECT_EQ(h.hooks.size(), 1u);
  EXPECT_LE(h.run(), 2u);
}

HISTORY(History, PreForkWithOneEngineSharedByAllWorkers) {
  h.begin(app());
  h.looks();
  const ProcessId engine = h.starts_engine(h.main());
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.at(60s);
  EXPECT_EQ(h.owner(engine), h.main());
  h.killed(a);
  h.killed(b);
  h.at(90s);
  EXPECT_TRUE(h.alive(engine)) << "its owner is the master, which lives";
  EXPECT_EQ(h.count(EventKind::engine_orphaned), 0u);
}

HISTORY(History, ReloadEndsTheServerProcessAndItsEngineIsAnOrphanUntilTheNextIsThere) {
  h.begin(app());
  ProcessId engine;
  for (int i = 0; i < 3; ++i) {
    const ProcessId server = h.starts_worker(h.main());
    engine = h.starts_engine(server);
    h.after(20s);
    h.dies(server, by_signal(SIGTERM));
    h.after(1s);
    EXPECT_FALSE(h.alive(engine));
  }
  EXPECT_EQ(h.run(), 1u);
  EXPECT_TRUE(h.world.services.at("app").acts.empty());
}

HISTORY(History, ASubreaperInsideTheAppThatEndsItsOrphansItself) {
  h.begin(app());
  h.looks();
  h.kernel.find(h.main())->subreaper = true;
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.killed(worker);
  h.after(5s);  // LiteLLM's own reaper comes every 5 s
  EXPECT_TRUE(h.alive(engine));
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"orphan subsided"});
  EXPECT_TRUE(h.well());
}

HISTORY(History, NpmShNodeIsOneEngineWithAWorkerAsItsOwner) {
  Service service = app();
  service.engines[0].match = {"*bridge*/index.js"};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId npm = h.starts(worker, {"npm start"});
  const ProcessId sh = h.starts(npm, {"/bin/sh", "-c", "node dist/index.js"});
  const ProcessId node = h.starts(sh, {"/usr/bin/node", "/srv/bridge/dist/index.js"});
  h.at(30s);
  EXPECT_EQ(h.engine(node), EngineState::live);
  EXPECT_EQ(h.owner(node), worker);
  // npm is stopped by the app, as the fork does at its exit; the node behind it lives on.
  h.dies(npm, by_signal(SIGTERM));
  h.dies(sh, by_signal(SIGTERM));
  h.at(60s);
  EXPECT_TRUE(h.alive(node));
  EXPECT_EQ(h.owner(node), worker) << "who forked whom was recorded while it was true";
  h.killed(worker);
  h.after(100ms);
  EXPECT_FALSE(h.alive(node));
}

HISTORY(History, NpmShNodeThatIsReplacedKeepsItsSlotWhenItsWrappersAreGone) {
  Service service = app();
  service.engines[0].match = {"*bridge*/index.js"};
  service.engines[0].on_soft = {rung(RungKind::end)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const auto bridge = [&] {
    const ProcessId npm = h.starts(worker, {"npm start"});
    const ProcessId sh = h.starts(npm, {"/bin/sh", "-c", "node dist/index.js"});
    return std::tuple{npm, sh, h.starts(sh, {"/usr/bin/node", "/srv/bridge/dist/index.js"})};
  };
  const auto [npm, sh, node] = bridge();
  h.at(30s);
  h.has(node, 500);
  h.at(61s);
  EXPECT_FALSE(h.alive(node));
  h.dies(sh, exited(0));
  h.dies(npm, exited(0));
  h.after(5s);
  bridge();
  h.at(200s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft worked"});
}

HISTORY(History, DaemonisedOnPurposeByADoubleForkWithSetsid) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(30s);
  const ProcessId launcher = h.forks(worker, {"/usr/bin/python3", "daemonise.py"});
  h.kernel.find(launcher)->session = launcher.pid;
  h.looks();
  const ProcessId engine = h.starts_engine(launcher);
  h.dies(launcher, exited(0));
  h.at(60s);
  EXPECT_TRUE(h.of_service(engine));
  h.killed(worker);
  h.at(120s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.killed(h.main());
  h.at(121s + 500ms);
  EXPECT_FALSE(h.alive(engine)) << "ended before the next run";
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(History, DaemonisedSoFastThatOnlyTheLauncherWasSeen) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(30s);
  const ProcessId launcher = h.forks(worker, {"/usr/bin/python3", "daemonise.py"});
  h.kernel.find(launcher)->session = launcher.pid;
  h.looks();
  const ProcessId engine = h.forks(launcher, {"/srv/query-engine-debian"});
  h.after(10ms);
  h.dies(launcher, exited(0));
  h.at(60s);
  EXPECT_TRUE(h.of_service(engine)) << "below a launcher, though it was adopted";
  h.killed(worker);
  h.at(120s);
  EXPECT_TRUE(h.alive(engine));
}

HISTORY(History, TwoMembersDeadInOneLookAndTheirOrphansAreBothEnded) {
  h.begin(app());
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  const ProcessId of_a = h.starts_engine(a);
  const ProcessId of_b = h.starts_engine(b);
  h.at(30s);
  h.kernel.end(a, by_signal(SIGKILL));
  h.kernel.end(b, by_signal(SIGKILL));
  h.looks();
  h.after(100ms);
  EXPECT_FALSE(h.alive(of_a));
  EXPECT_FALSE(h.alive(of_b));
}

HISTORY(History, AZombieNobodyReapsIsLostAndItsWorkerIsAsked) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.kernel.find(worker)->reaps = false;
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.killed(engine);
  h.at(62s);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  h.on_hook = [&](const CallHook& call) {
    h.forks(call.target, {"/srv/query-engine-debian"});
    h.answers(call.id, HookResult::done);
  };
  h.at(200s);
  EXPECT_EQ(h.outcomes(), std::vector<std::string>{"reconnect worked"});
  EXPECT_TRUE(h.well());
}

HISTORY(History, OneEngineInStateDDoesNotTakeFourGoodWorkersWithIt) {
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::kill), rung(RungKind::restart)};
  h.begin(service);
  std::vector<ProcessId> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(h.starts_worker(h.main()));
  const ProcessId engine = h.starts_engine(workers[0]);
  h.at(30s);
  h.stuck(engine);
  h.has(engine, 900);
  h.at(120s);
  EXPECT_EQ(h.outcomes(), (std::vector<std::string>{"kill failed", "restart skipped"}));
  EXPECT_EQ(h.run(), 1u);
  for (const ProcessId& worker : workers) EXPECT_EQ(h.signals_to(worker), std::vector<int>{});
  EXPECT_FALSE(h.well());
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGKILL});
}

HISTORY(History, APidReusedIsAnotherProcess) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(30s);
  h.dies(engine, exited(0));
  h.kernel.next_pid(engine.pid);
  const ProcessId reused = h.starts(worker, {"/usr/bin/convert", "photo.jpg"});
  EXPECT_EQ(reused.pid, engine.pid);
  h.at(31s);
  EXPECT_FALSE(find_process(h.world, reused)->engine);
  EXPECT_EQ(find_pid(h.world, reused.pid)->id, reused);
  h.kernel.next_pid(900);
  h.killed(worker);
  h.at(90s);
  EXPECT_TRUE(h.alive(reused)) << "a worker's other children are not engines";
  EXPECT_EQ(h.signals_to(reused), std::vector<int>{});
}

HISTORY(History, SigkillGoesToTheOneThatBearsThePidNow) {
  h.begin(app());
  const ProcessId before = h.starts_worker(h.main());
  h.starts(before, {"/usr/bin/convert", "photo.jpg"});  // keeps it on record
  h.at(10s);
  h.dies(before, exited(1));
  h.kernel.next_pid(before.pid);
  const ProcessId now = h.starts_worker(h.main());
  ASSERT_EQ(now.pid, before.pid);
  h.kernel.next_pid(900);
  h.ignores_signals(h.main());
  h.ignores_signals(now);
  h.asks(CommandAct::stop);
  h.after(2min);
  EXPECT_EQ(h.signals_to(now), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.signals_to(before), std::vector<int>{});
  EXPECT_FALSE(h.alive(now));
}

/// One that escaped and is below us now, in a session of its own: its PLIMSOLL_RUN is all there is to go by.
Sighting escaped(int pid, RunNumber run) {
  Sighting stray;
  stray.id = ProcessId{pid, 1'000'000};
  stray.ourselves = true;
  stray.session = pid;
  stray.run_service = "app";
  stray.run = run;
  return stray;
}

HISTORY(History, ATagOfAnEarlierRunMakesNobodyAMemberOfThisOne) {
  h.begin(bare());
  h.at(5s);
  h.dies(h.main(), exited(1));
  h.after(10s);
  ASSERT_EQ(h.run(), 2u);
  World world = h.world;
  Now now = h.now();
  now.steady += 10ms;
  Looked looked;
  looked.fresh = {escaped(4242, 1), escaped(4243, 2)};
  step(world, looked, now);
  EXPECT_EQ(find_process(world, looked.fresh[0].id)->service, "");
  EXPECT_EQ(find_process(world, looked.fresh[1].id)->service, "app");
}

HISTORY(History, ALookAtSomeIsNoneAtEverybody) {
  h.begin(bare());
  h.at(5s);
  World world = h.world;
  Now now = h.now();
  now.steady += 10ms;
  Looked some;
  some.everybody = false;
  step(world, some, now);
  EXPECT_EQ(world.last_look, h.world.last_look) << "who died since then may have children that nobody saw";
  step(world, Looked{}, now);
  EXPECT_EQ(world.last_look, now.steady);
}

HISTORY(History, AMatchingNameOutsideOurTreesIsNeverTouched) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  FakeProcess& bystander = h.kernel.create(nobody, {"/srv/query-engine-debian", "-p", "4466"}, h.now().steady);
  bystander.bystander = true;
  const ProcessId id = bystander.id;
  h.at(30s);
  h.killed(worker);
  h.at(60s);
  h.asks(CommandAct::stop);
  h.at(120s);
  EXPECT_FALSE(h.alive(engine));
  EXPECT_TRUE(h.alive(id));
  EXPECT_EQ(h.signals_to(id), std::vector<int>{});
}

HISTORY(History, TheUvicornParentKilledLeavesNothingWhenTheNextRunBegins) {
  h.begin(app());
  std::vector<ProcessId> left;
  for (int i = 0; i < 2; ++i) {
    const ProcessId worker = h.starts_worker(h.main());
    left.push_back(worker);
    left.push_back(h.starts_engine(worker));
  }
  h.at(30s);
  bool empty_at_spawn = false;
  h.on_spawn = [&](ProcessId) {
    empty_at_spawn = std::none_of(left.begin(), left.end(), [&](const ProcessId& id) { return h.alive(id); });
  };
  h.killed(h.main());
  h.at(40s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_TRUE(empty_at_spawn);
  EXPECT_TRUE(h.says("run it in the foreground"));
}

HISTORY(History, AnOomKillIsLostAtOnceAndHealedByTheHook) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(30s);
  h.dies(engine, Exit{ExitKind::oom_killed, 0, SIGKILL, {}});
  h.after(1ms);
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 1u);
  EXPECT_TRUE(h.says("for want of memory"));
}

HISTORY(History, AnEngineThatAShellStartedBeforeTheAppIsFoundWhenTheAppComes) {
  Service service = app();
  service.command = {"/bin/sh", "-c", "query-engine & gunicorn app:app"};
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.main());
  h.after(2s);
  EXPECT_EQ(h.engine(engine), std::nullopt) << "the only child of the shell is the app process";
  h.starts(h.main(), {"/usr/bin/gunicorn", "app:app"});
  h.after(2s);
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_TRUE(h.of_service(engine));
}

}  // namespace
}  // namespace plimsoll::core

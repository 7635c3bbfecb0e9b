// Ending a run: generation by generation, engines last, SIGKILL in the end, and "stopped" only when nothing is left.
// The daemon's own end.
#include <cerrno>

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

HISTORY(Stop, AsksTheMainProcessOnlyAndLetsItEndItsOwn) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  const ProcessId main = h.main();
  h.ignores_signals(main);
  h.at(5s);
  const CommandId stop = h.asks(CommandAct::stop);
  h.at(8s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
  h.dies(engine, by_signal(SIGINT));
  h.dies(worker, exited(0));
  h.dies(main, exited(0));
  h.at(9s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
  EXPECT_EQ(h.status(stop), 200);
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{});
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.count(EventKind::engine_orphaned), 0u);
  EXPECT_EQ(h.count(EventKind::engine_lost), 0u);
}

HISTORY(Stop, GoesGenerationByGenerationAndEnginesComeLast) {
  Service service = app();
  service.command = {"/bin/sh", "-c", "gunicorn app & wait"};
  service.stop.grace = 10s;
  h.begin(service);
  h.looks();
  const ProcessId sh = h.main();
  const ProcessId master = h.starts(sh, {"/usr/bin/gunicorn", "app"});
  const ProcessId worker = h.starts_worker(master);
  const ProcessId engine = h.starts_engine(worker);
  for (const ProcessId& id : {master, worker}) h.ignores_signals(id);
  h.at(5s);
  h.asks(CommandAct::stop);
  h.at(6s);
  EXPECT_FALSE(h.alive(sh));
  EXPECT_EQ(h.signals_to(master), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{}) << "its master lives and will ask it";
  h.dies(master, exited(0));
  h.at(7s);
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{}) << "the worker may need it while it shuts down";
  h.dies(worker, exited(0));
  h.at(8s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Stop, SendsSigcontBehindTheStopSignal) {
  h.begin(bare());
  const ProcessId main = h.main();
  h.asks(CommandAct::stop);
  ASSERT_EQ(h.signals.size(), 2u);
  EXPECT_EQ(h.signals[0].to, main);
  EXPECT_EQ(h.signals[0].signal, SIGTERM);
  EXPECT_EQ(h.signals[1].signal, SIGCONT);
}

HISTORY(Stop, KillsEverythingWhenTheGraceIsOver) {
  Service service = bare();
  service.stop = {SIGINT, 10s};
  h.begin(service);
  const ProcessId main = h.main();
  const ProcessId worker = h.starts_worker(main);
  h.ignores_signals(main);
  h.at(5s);
  h.asks(CommandAct::stop);
  h.at(14s + 900ms);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGINT});
  h.at(15s + 100ms);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGINT, SIGKILL}));
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Stop, OneGraceForAllGenerations) {
  Service service = bare();
  service.stop.grace = 10s;
  h.begin(service);
  const ProcessId main = h.main();
  const ProcessId worker = h.starts_worker(main);
  h.ignores_signals(main);
  h.ignores_signals(worker);
  h.at(5s);
  h.asks(CommandAct::stop);
  h.at(13s);
  h.dies(main, exited(0));
  h.at(14s);
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGTERM});
  h.at(15s + 100ms);
  EXPECT_EQ(h.signals_to(worker), (std::vector<int>{SIGTERM, SIGKILL})) << "what remained of the grace";
}

HISTORY(Stop, AnEnginesOwnGraceEndsBeforeTheServices) {
  Service service = app();
  service.engines[0].stop = {SIGINT, 2s};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.ignores_signals(engine);
  h.exits_on_signal(worker);
  h.at(5s);
  h.asks(CommandAct::stop);
  h.at(10s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGINT, SIGKILL}));
  EXPECT_EQ(h.signalled_at(engine, SIGKILL) - h.signalled_at(engine, SIGINT), 2s);
}

HISTORY(Stop, FindsWhatAHopperForksWhileItIsKilled) {
  Service service = bare();
  service.stop.grace = 1s;
  h.begin(service);
  h.ignores_signals(h.main());
  ProcessId hopper = h.starts(h.main(), {"/usr/bin/hop"});
  h.at(5s);
  h.asks(CommandAct::stop);
  int hops = 0;
  // Whenever one is killed it has forked already, five times.
  h.after_step = [&](const Event& event, const Effects&) {
    const auto* ended = std::get_if<ProcessEnded>(&event);
    if (ended == nullptr || ended->id != hopper || ++hops > 5) return;
    hopper = h.forks(nobody, {"/usr/bin/hop"});
    h.kernel.find(hopper)->session = h.main().pid;
  };
  h.at(20s);
  EXPECT_EQ(hops, 6);
  EXPECT_EQ(h.state(), ServiceState::stopped);
  EXPECT_FALSE(h.alive(hopper));
}

HISTORY(Stop, IsNotBelievedByACensusThatWasNotComplete) {
  h.begin(bare());
  h.at(1s);
  h.kernel.complete = false;
  const CommandId stop = h.asks(CommandAct::stop);
  h.at(3s);
  EXPECT_EQ(h.state(), ServiceState::stopping);
  EXPECT_EQ(h.status(stop), 0);
  h.kernel.complete = true;
  h.after(300ms);
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Stuck, Is10SecondsAfterSigkillAndGoesOnWhenItEmpties) {
  Service service = bare();
  service.stop.grace = 2s;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  h.at(5s);
  h.stuck(worker);
  const CommandId restart = h.asks(CommandAct::restart);
  h.at(16s);
  EXPECT_EQ(h.state(), ServiceState::stopping);
  h.at(18s);
  EXPECT_EQ(h.state(), ServiceState::stuck);
  EXPECT_EQ(h.status(restart), 500);
  EXPECT_TRUE(h.says("nfs_wait")) << "what could be learnt about it";
  EXPECT_EQ(h.run(), 1u) << "law 2: nothing new beside it";
  EXPECT_FALSE(h.well());
  h.at(60s);
  h.stuck(worker, false);
  h.at(61s);
  EXPECT_EQ(h.state(), ServiceState::ready) << "what was waiting goes on";
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Stuck, IsLeftBehindByAForcedStart) {
  Service service = app();
  service.stop.grace = 1s;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(5s);
  h.stuck(engine);
  h.asks(CommandAct::stop);
  h.at(30s);
  ASSERT_EQ(h.state(), ServiceState::stuck);
  const CommandId refused = h.asks(CommandAct::start);
  EXPECT_EQ(h.status(refused), 409);
  const CommandId forced = h.asks(CommandAct::start, "app", [](CommandGiven& c) { c.force = true; });
  h.at(31s);
  EXPECT_EQ(h.status(forced), 200);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_TRUE(h.says("left behind"));
  const auto signals = h.signals_to(engine);
  h.at(200s);
  EXPECT_EQ(h.signals_to(engine), signals) << "nobody's from then on";
}

// --- The daemon's own end
// ------------------------------------------------------------------------------------------------------

HISTORY(Shutdown, StopsEverythingInOrderAndEndsWith0) {
  Service web = app();
  web.name = "web";
  web.required = {"db"};
  h.begin(plan_of({bare("db"), web}));
  const ProcessId worker = h.starts_worker(h.main("web"));
  h.starts_engine(worker);
  const ProcessId db = h.main("db");
  h.at(5s);
  h.ignores_signals(h.main("web"));
  h.happens(StopRequested{"SIGTERM"});
  h.at(10s);
  EXPECT_TRUE(h.alive(db));
  EXPECT_EQ(h.quit, std::nullopt);
  h.at(40s);
  EXPECT_EQ(h.quit, 0);
  EXPECT_TRUE(h.kernel.all().empty());
}

HISTORY(Shutdown, StopWithinIsTheLastMomentOfSigkillForEverything) {
  Service web = bare("web");
  web.required = {"db"};
  Service db = bare("db");
  web.stop.grace = db.stop.grace = 60s;
  Plan plan = plan_of({db, web});
  plan.daemon.stop_within = 20s;
  h.begin(plan);
  h.at(5s);
  h.ignores_signals(h.main("web"));
  h.ignores_signals(h.main("db"));
  const ProcessId first = h.main("web");
  const ProcessId second = h.main("db");
  h.happens(StopRequested{"SIGTERM"});
  h.at(40s);
  EXPECT_EQ(h.quit, 0);
  EXPECT_LE(h.signalled_at(first, SIGKILL), 25s + 10ms);
  EXPECT_LE(h.signalled_at(second, SIGKILL), 25s + 10ms);
}

HISTORY(Shutdown, GoesOnPastAStuckServiceAndEndsWith81) {
  Plan plan = plan_of({bare("a"), bare("b")});
  h.begin(plan);
  h.at(1s);
  h.stuck(h.main("a"));
  h.happens(StopRequested{"SIGTERM"});
  h.at(100s);
  EXPECT_EQ(h.quit, 81);
  EXPECT_EQ(h.state("b"), ServiceState::stopped);
}

HISTORY(Shutdown, EndsABackoffAndAStartThatWaits) {
  h.spawn_fails = SpawnFailed{"", 0, ENOENT, "exec", "No such file or directory"};
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({bare("db"), web}));
  h.at(5s);
  h.happens(StopRequested{"SIGTERM"});
  EXPECT_EQ(h.quit, 0);
}

}  // namespace
}  // namespace plimsoll::core

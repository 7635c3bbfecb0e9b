// Ending a run: generation by generation, engines last, SIGKILL in the end, and "stopped" only when nothing is left.
// Leftovers of an earlier daemon, and the daemon's own end.
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

// --- Leftovers of an earlier daemon
// ----------------------------------------------------------------------------------------------

HISTORY(Leftovers, AreHeldAgainstTheStartUntilTheyAreGone) {
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.begin(bare());
  h.at(20s);
  EXPECT_EQ(h.state(), ServiceState::starting);
  EXPECT_TRUE(h.says("77 (gunicorn, of daemon 55)"));
  EXPECT_EQ(h.count(EventKind::service_state), 2u) << "named once";
  h.leftovers.clear();
  h.after(600ms);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_FALSE(h.holds([](const Effect& effect) { return std::holds_alternative<SignalLeftover>(effect); }));
}

HISTORY(Leftovers, AreLeftByAForcedStart) {
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.begin(bare());
  const CommandId start = h.asks(CommandAct::start, "app", [](CommandGiven& c) { c.force = true; });
  h.at(1s);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.status(start), 200);
}

HISTORY(Leftovers, AreEndedWhereThePlanSaysSo) {
  Service service = bare();
  service.leftovers = LeftoverPolicy::end;
  service.stop = {SIGINT, 5s};
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.leftovers_ignore = true;
  h.begin(service);
  h.at(20s);
  std::vector<int> sent;
  for (const Effect& effect : h.effects) {
    if (const auto* send = std::get_if<SignalLeftover>(&effect)) sent.push_back(send->signal);
  }
  EXPECT_EQ(sent, (std::vector<int>{SIGINT, SIGKILL}));
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"leftover worked"});
}

HISTORY(Leftovers, DoNotMakeTheDaemonSpinWhileARequirementIsDown) {
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({bare("db"), web}));
  h.at(1s);
  h.asks(CommandAct::stop, "db");
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.at(60s);
  EXPECT_EQ(h.state("web"), ServiceState::stopped);
}

// --- Steps and drain

Service stepwise() {
  Service service = app();
  service.stop = {SIGINT, 5s, {{SIGTERM, 3s}, {SIGQUIT, 2s}}, {}};
  return service;
}

HISTORY(Steps, AreTakenOneAfterTheOtherAndThenSigkill) {
  h.begin(stepwise());
  h.at(1s);
  const ProcessId main = h.main();
  h.ignores_signals(main);
  h.asks(CommandAct::stop);
  h.at(20s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGINT, SIGTERM, SIGQUIT, SIGKILL}));
  EXPECT_EQ(h.signalled_at(main, SIGTERM), 6s);
  EXPECT_EQ(h.signalled_at(main, SIGQUIT), 9s);
  EXPECT_EQ(h.signalled_at(main, SIGKILL), 11s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Steps, EndWithTheFirstThatWorks) {
  h.begin(stepwise());
  h.at(1s);
  const ProcessId main = h.main();
  h.kernel.find(main)->on_signal = [&](int signal) {
    if (signal == SIGTERM) h.kernel.end(main, by_signal(SIGTERM));
  };
  h.asks(CommandAct::stop);
  h.at(20s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGINT, SIGTERM}));
}

HISTORY(Steps, OfALaterGenerationBeginWithTheStepThatIsDue) {
  h.begin(stepwise());
  h.at(1s);
  const ProcessId main = h.main();
  const ProcessId worker = h.starts_worker(main);
  h.ignores_signals(worker);
  h.kernel.find(main)->on_signal = [&](int signal) {
    if (signal == SIGTERM) h.kernel.end(main, exited(0));
  };
  h.asks(CommandAct::stop);
  h.at(20s);
  EXPECT_EQ(h.signals_to(worker), (std::vector<int>{SIGTERM, SIGQUIT, SIGKILL}));
}

HISTORY(Steps, AreCutOffAtTheLastMomentOfTheDaemon) {
  Plan plan = plan_of_one(stepwise());
  plan.daemon.stop_within = 4s;
  h.begin(plan);
  h.at(1s);
  const ProcessId main = h.main();
  h.ignores_signals(main);
  h.happens(StopRequested{"SIGTERM"});
  h.at(10s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGINT, SIGKILL}));
  EXPECT_EQ(h.signalled_at(main, SIGKILL), 5s);
}

HISTORY(Steps, OfAnEngineHoldForItsOwnEnd) {
  Service service = app();
  service.engines[0].stop = {SIGINT, 1s, {{SIGTERM, 1s}}, {}};
  service.engines[0].on_hard = {rung(RungKind::end)};
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(10s);
  h.ignores_signals(engine);
  h.has(engine, 810);
  h.at(20s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGINT, SIGTERM, SIGKILL}));
}

HISTORY(Steps, OfTheServiceLeaveAnEngineItsOwnGrace) {
  Service service = app();
  service.stop = {SIGINT, 2s, {{SIGTERM, 20s}}, {}};
  service.engines[0].stop = {SIGTERM, 5s};
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.main());
  h.at(10s);
  h.ignores_signals(engine);
  h.asks(CommandAct::stop);
  h.at(60s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGTERM, SIGKILL}));
  EXPECT_EQ(h.signalled_at(engine, SIGKILL), 15s);
}

HISTORY(Steps, OfTheServiceLeaveAWorkerThatARungHasAskedItsOwn) {
  Service service = app();
  service.stop = {SIGINT, 4s, {{SIGTERM, 4s}}, {}};
  service.engines[0].on_hard = {rung(RungKind::worker)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.ignores_signals(h.main());
  h.ignores_signals(worker);
  h.has(engine, 810);
  h.after(2s);
  ASSERT_EQ(h.signals_to(worker), std::vector<int>{SIGINT});
  const Duration asked = h.signalled_at(worker, SIGINT);
  h.asks(CommandAct::stop);
  h.at(40s);
  EXPECT_EQ(h.signals_to(worker), (std::vector<int>{SIGINT, SIGTERM, SIGKILL}));
  EXPECT_EQ(h.signalled_at(worker, SIGTERM), asked + 4s) << "at its own time, not at that of the stop";
}

HISTORY(Steps, OfAnEngineHoldInItsServicesStopToo) {
  Service service = app();
  service.engines[0].stop = {SIGINT, 1s, {{SIGTERM, 1s}}, {}};
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.main());
  h.at(10s);
  h.ignores_signals(engine);
  h.asks(CommandAct::stop);
  h.at(60s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGINT, SIGTERM, SIGKILL}));
  EXPECT_EQ(h.signalled_at(engine, SIGKILL), 12s);
}

Service draining(Duration timeout = 10s) {
  Service service = app();
  Hook drain = signal_hook("drain", HookTarget::service);
  drain.timeout = timeout;
  service.hooks["drain"] = drain;
  service.stop.drain = "drain";
  return service;
}

HISTORY(Drain, IsAskedBeforeTheFirstSignal) {
  h.begin(draining());
  h.at(1s);
  const ProcessId main = h.main();
  h.asks(CommandAct::stop);
  h.at(4s);
  EXPECT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.hooks[0].target, main);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{});
  h.answers(h.hooks[0].id, HookResult::done);
  h.after(100ms);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Drain, ThatFailsIsNoReasonToStay) {
  h.begin(draining());
  h.at(1s);
  h.on_hook = [&h](const CallHook& call) { h.answers(call.id, HookResult::failed, "HTTP 500"); };
  h.asks(CommandAct::stop);
  h.after(1s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
  EXPECT_TRUE(h.says("HTTP 500"));
}

HISTORY(Drain, ThatIsNeverAnsweredHasItsDeadline) {
  h.begin(draining());
  h.at(1s);
  const ProcessId main = h.main();
  h.asks(CommandAct::stop);
  h.at(30s);
  EXPECT_EQ(h.signalled_at(main, SIGTERM), 13s) << "its timeout, and what the edge may be late";
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Drain, EndsWithTheMainProcess) {
  h.begin(draining());
  h.at(1s);
  h.asks(CommandAct::stop);
  h.at(2s);
  h.dies(h.main(), exited(0));
  h.after(500ms);
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Drain, EndsAtTheLastMomentOfTheDaemon) {
  Plan plan = plan_of_one(draining(60s));
  plan.daemon.stop_within = 4s;
  h.begin(plan);
  h.at(1s);
  h.ignores_signals(h.main());
  h.happens(StopRequested{"SIGTERM"});
  h.at(8s);
  EXPECT_EQ(h.quit, 0);
}

HISTORY(Drain, IsNotAskedOfAMainProcessThatEndedByItself) {
  h.begin(draining());
  h.at(1s);
  h.dies(h.main(), exited(1));
  h.after(500ms);
  EXPECT_EQ(h.hooks.size(), 0u);
}

HISTORY(Drain, IsNotAskedOfWhatAWrapperLeftBehind) {
  Service service = draining();
  service.command = {"/bin/sh", "-c", "serve"};
  h.begin(service);
  h.starts(h.main(), {"/usr/bin/python3", "/srv/serve.py"});
  h.at(1s);
  h.dies(h.main(), exited(1));
  EXPECT_FALSE(h.holds([](const Effect& effect) { return std::holds_alternative<CallHook>(effect); }));
}

}  // namespace
}  // namespace plimsoll::core

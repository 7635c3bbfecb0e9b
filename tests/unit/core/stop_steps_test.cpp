// What stretches a stop: further steps with graces of their own, and the drain before them.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

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

HISTORY(Steps, AreTheMainProcesssThoughAnEngineForkedIt) {
  h.begin(stepwise());
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(10s);
  ASSERT_TRUE(h.engine(engine));
  const ProcessId helper = h.starts(engine, {"/usr/bin/helper"});
  Notified said;
  said.service = "app";
  said.run = 1;
  said.main = helper;
  h.happens(said);
  ASSERT_EQ(h.main(), helper);
  h.ignores_signals(helper);
  h.asks(CommandAct::stop);
  h.at(60s);
  EXPECT_EQ(h.signals_to(helper), (std::vector<int>{SIGINT, SIGTERM, SIGQUIT, SIGKILL}));
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

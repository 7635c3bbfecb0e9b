// What a run says of itself, and what comes of it.
#include "daemon/core/notices.hpp"

#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

Service told() {
  Service service = bare();
  service.ready = Readiness{NotifyProbe{}, 500ms, 60s, false};
  return service;
}

Service alive_each(Duration time) {
  Service service = bare();
  Liveness live;
  live.how = NotifyProbe{};
  live.timeout = time;
  live.failures = live.successes = 1;
  service.live = live;
  service.on_hung = {rung(RungKind::restart)};
  service.cool_down = 1s;
  return service;
}

Notified notice(History& h, RunNumber run = 1) {
  Notified said;
  said.service = "app";
  said.run = run;
  said.sender = h.main().pid;
  return said;
}

void says_ready(History& h) {
  Notified said = notice(h);
  said.ready = true;
  h.happens(said);
}

void says_alive(History& h, RunNumber run = 1) {
  Notified said = notice(h, run);
  said.alive = true;
  h.happens(said);
}

HISTORY(Notice, OfReadyMakesItsRunReady) {
  h.begin(told());
  h.at(5s);
  EXPECT_EQ(h.state(), ServiceState::starting);
  Notified of_another = notice(h, 7);
  of_another.ready = true;
  h.happens(of_another);
  EXPECT_EQ(h.state(), ServiceState::starting) << "of a run that is not this one";
  says_ready(h);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Notice, OfReadyAfterItsTimeMakesALateOneReady) {
  h.begin(told());
  h.at(61s);
  EXPECT_EQ(h.state(), ServiceState::late);
  says_ready(h);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Notice, OfReadyIsNothingWhereThePlanAsksOtherwise) {
  Service service = told();
  service.ready->how = LogProbe{"*started*"};
  h.begin(service);
  h.at(1s);
  says_ready(h);
  EXPECT_EQ(h.state(), ServiceState::starting);
}

HISTORY(Notice, ThatAsksForTimePutsOffTheEndOfTheWait) {
  h.begin(told());
  h.at(50s);
  Notified said = notice(h);
  said.extend = 30s;
  h.happens(said);
  h.at(79s);
  EXPECT_EQ(h.state(), ServiceState::starting);
  h.at(81s);
  EXPECT_EQ(h.state(), ServiceState::late);
}

HISTORY(Notice, ThatAsksForTimePutsOffTheKillOfAStop) {
  Service service = told();
  service.stop.grace = 10s;
  h.begin(service);
  says_ready(h);
  h.ignores_signals(h.main());
  h.at(20s);
  h.asks(CommandAct::stop);
  h.at(25s);
  Notified said = notice(h);
  said.extend = 30s;
  h.happens(said);
  h.at(54s);
  EXPECT_EQ(h.signals_to(h.main()), std::vector<int>{SIGTERM});
  h.at(56s);
  EXPECT_EQ(h.state(), ServiceState::stopped) << "and then no further";
}

HISTORY(Notice, ThatAsksForTimeDoesNotOutlastTheDaemonsOwnStop) {
  Service service = told();
  service.stop.grace = 10s;
  h.begin(service);
  says_ready(h);
  h.ignores_signals(h.main());
  h.at(20s);
  h.happens(StopRequested{"test"});
  Notified said = notice(h);
  said.extend = 1h;
  h.happens(said);
  h.at(20s + h.world.plan->daemon.stop_within + 1s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Notice, OfAKeepAliveThatDoesNotComeMakesItHung) {
  h.begin(alive_each(20s));
  for (int i = 1; i <= 4; ++i) {
    h.at(i * 15s);
    says_alive(h);
  }
  EXPECT_TRUE(h.well());
  h.at(79s);
  EXPECT_EQ(h.run(), 1u);
  h.at(82s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hung worked"});
  EXPECT_EQ(h.questions, 0) << "nobody is asked";
}

HISTORY(Notice, OfATriggerMakesItHungAtOnce) {
  h.begin(alive_each(20s));
  h.at(5s);
  Notified said = notice(h);
  said.hung = true;
  h.happens(said);
  h.at(8s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Notice, MayChangeTheTimeBetweenKeepAlives) {
  h.begin(alive_each(20s));
  h.at(5s);
  Notified said = notice(h);
  said.alive = true;
  said.alive_by = 60s;
  h.happens(said);
  h.at(64s);
  EXPECT_EQ(h.run(), 1u);
  h.at(68s);
  EXPECT_EQ(h.run(), 2u);
  h.at(84s);
  EXPECT_EQ(h.run(), 2u);
  h.at(86s);
  EXPECT_EQ(h.run(), 3u) << "the next run has the plan's time again";
}

HISTORY(Notice, OfAReloadLetsItRestUntilItIsReadyAgain) {
  h.begin(alive_each(20s));
  h.at(10s);
  Notified said = notice(h);
  said.reloading = true;
  h.happens(said);
  h.at(70s);
  EXPECT_EQ(h.run(), 1u) << "no keep-alive is asked of one that reloads";
  says_ready(h);
  h.at(89s);
  EXPECT_EQ(h.run(), 1u);
  h.at(93s);
  EXPECT_EQ(h.run(), 2u) << "and then they are due again";
}

HISTORY(Notice, OfAReloadThatNeverEndsIsBelievedOnceOnly) {
  Service service = alive_each(20s);
  service.heal = 40s;
  h.begin(service);
  h.at(10s);
  Notified said = notice(h);
  said.reloading = true;
  h.happens(said);
  h.at(69s);
  EXPECT_EQ(h.run(), 1u);
  h.at(73s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Notice, OfAnotherMainProcessMakesItsEndTheRunsEnd) {
  h.begin(told());
  const ProcessId first = h.main();
  const ProcessId second = h.starts_worker(first);
  h.after(1s);
  says_ready(h);
  Notified said = notice(h);
  said.main = second;
  h.happens(said);
  EXPECT_EQ(h.main(), second);
  h.dies(first, exited(0));
  h.after(5s);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.run(), 1u);
  h.dies(second, exited(1));
  h.after(5s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Notice, OfAnotherMainProcessMakesTheOneBeforeAnEngineIfThatIsWhatItRuns) {
  h.begin(app());
  const ProcessId first = h.starts_worker(h.main());
  const ProcessId second = h.starts_worker(h.main());
  h.after(1s);
  Notified said = notice(h);
  said.main = first;
  h.happens(said);
  h.execs(first, {"/srv/query-engine-debian", "-p", "4466"});
  h.after(5s);
  EXPECT_EQ(h.engine(first), std::nullopt) << "the main process is no engine";
  said.main = second;
  h.happens(said);
  EXPECT_EQ(h.main(), second);
  EXPECT_EQ(h.engine(first), EngineState::live);
}

HISTORY(Notice, OfAMainProcessWhoseEndNobodyCouldReadIsAFailure) {
  Service service = told();
  service.restart = RestartPolicy::on_failure;
  h.begin(service);
  const ProcessId second = h.starts_worker(h.main());
  h.after(1s);
  says_ready(h);
  Notified said = notice(h);
  said.main = second;
  h.happens(said);
  h.kernel.exit_info = false;
  h.dies(second, exited(0));
  EXPECT_EQ(h.world.services.at("app").last_exit->kind, ExitKind::unknown);
  h.after(5s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Notice, OfAMainProcessThatIsNotOursIsNotBelieved) {
  h.begin(told());
  const ProcessId first = h.main();
  Notified said = notice(h);
  said.main = ProcessId{4242, 1};
  h.happens(said);
  EXPECT_EQ(h.main(), first);
}

HISTORY(Notice, OfItsStatusIsKeptForThatRun) {
  h.begin(told());
  Notified said = notice(h);
  said.status = "booting";
  h.happens(said);
  EXPECT_EQ(h.world.services.at("app").notices->status, "booting");
  h.dies(h.main(), exited(1));
  h.after(5s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.world.services.at("app").notices->status, "");
}

}  // namespace
}  // namespace plimsoll::core

// Who waits for whom: requires, after, engine_of; at the start and, the other way round, at the stop.
#include "daemon/core/order.hpp"

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

Service slow(std::string name, Duration ready_after) {
  Service service = bare(std::move(name));
  service.ready = Readiness{DelayProbe{ready_after}, 1s, 60s, false};
  return service;
}

Service needs(std::string name, std::string other) {
  Service service = bare(std::move(name));
  service.required = {std::move(other)};
  return service;
}

Service follows(std::string name, std::string other) {
  Service service = bare(std::move(name));
  service.after = {std::move(other)};
  return service;
}

HISTORY(Order, WhatRequiresAnotherStartsWhenThatIsReady) {
  h.begin(plan_of({slow("db", 5s), needs("web", "db")}));
  h.at(4s);
  EXPECT_EQ(h.state("web"), ServiceState::starting);
  EXPECT_EQ(h.world.services.at("web").note, "waits for db (starting)");
  h.at(6s);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
}

HISTORY(Order, WhatNothingOrdersStartsAtOnce) {
  h.begin(plan_of({slow("a", 5s), bare("b"), bare("c")}));
  h.at(100ms);
  EXPECT_EQ(h.state("b"), ServiceState::ready);
  EXPECT_EQ(h.state("c"), ServiceState::ready);
}

HISTORY(Order, ALateOneIsNotReadyForWhatRequiresIt) {
  Service db = bare("db");
  db.ready = Readiness{TcpProbe{"127.0.0.1", "5432"}, 1s, 3s, false};
  h.begin(plan_of({db, needs("web", "db"), follows("cron", "db")}));
  h.at(10s);
  EXPECT_EQ(h.state("db"), ServiceState::late);
  EXPECT_EQ(h.state("web"), ServiceState::starting);
  EXPECT_EQ(h.state("cron"), ServiceState::ready) << "it had its turn";
}

HISTORY(Order, ACrashLeavesThoseThatRequireItAlone) {
  h.begin(plan_of({bare("db"), needs("web", "db")}));
  h.at(2s);
  h.killed(h.main("db"));
  h.after(100ms);
  EXPECT_EQ(h.state("db"), ServiceState::backoff);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
}

HISTORY(Order, OneThatHasFailedHoldsBackOnlyWhatRequiresIt) {
  Service db = bare("db");
  db.restart = RestartPolicy::never;
  db.ready = Readiness{DelayProbe{5s}, 1s, 60s, false};
  h.begin(plan_of({db, needs("web", "db"), follows("cron", "db")}));
  h.at(1s);
  EXPECT_EQ(h.state("cron"), ServiceState::starting);
  h.dies(h.main("db"), exited(1));
  h.after(1s);
  EXPECT_EQ(h.state("db"), ServiceState::failed);
  EXPECT_EQ(h.state("web"), ServiceState::starting);
  EXPECT_EQ(h.world.services.at("web").note, "waits for db (failed)");
  EXPECT_EQ(h.state("cron"), ServiceState::ready);
}

HISTORY(Order, AfterWaitsForNobodyWhoIsNotToBeStarted) {
  h.begin(plan_of({slow("a", 5s), follows("b", "a")}));
  h.at(10s);
  h.asks(CommandAct::stop, "a");
  h.asks(CommandAct::stop, "b");
  h.after(2s);
  h.asks(CommandAct::start, "b");
  h.after(1s);
  EXPECT_EQ(h.state("b"), ServiceState::ready);
  EXPECT_EQ(h.state("a"), ServiceState::stopped);
}

HISTORY(Order, AfterWaitsForNobodyWhomItsPolicyLetsRest) {
  Service first = bare("a");
  first.restart = RestartPolicy::on_failure;
  h.begin(plan_of({first, follows("b", "a")}));
  h.at(5s);
  h.dies(h.main("a"), exited(0));
  h.at(10s);
  ASSERT_EQ(h.state("a"), ServiceState::stopped);
  h.killed(h.main("b"));
  h.at(20s);
  EXPECT_EQ(h.state("b"), ServiceState::ready);
  EXPECT_EQ(h.run("b"), 2u);
}

HISTORY(Order, AtTheEndOfTheDaemonTheLastStartedStopFirst) {
  h.begin(plan_of({bare("db"), needs("web", "db"), follows("proxy", "web")}));
  h.at(2s);
  const ProcessId db = h.main("db");
  const ProcessId web = h.main("web");
  const ProcessId proxy = h.main("proxy");
  h.ignores_signals(proxy);
  h.happens(StopRequested{"SIGTERM"});
  h.after(1s);
  EXPECT_EQ(h.signals_to(proxy), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.signals_to(web), std::vector<int>{});
  h.dies(proxy, exited(0));
  h.after(100ms);
  EXPECT_FALSE(h.alive(web));
  h.after(100ms);
  EXPECT_FALSE(h.alive(db));
  EXPECT_LT(h.signalled_at(web, SIGTERM), h.elapsed());
  EXPECT_EQ(h.quit, 0);
}

HISTORY(Order, AnAfterIsNotStoppedWithTheOtherByAnOperator) {
  h.begin(plan_of({bare("a"), follows("b", "a")}));
  h.at(2s);
  h.asks(CommandAct::stop, "a");
  h.after(2s);
  EXPECT_EQ(h.state("a"), ServiceState::stopped);
  EXPECT_EQ(h.state("b"), ServiceState::ready);
}

// --- engine_of: the loader makes the app require its engine

Plan bridge(bool with_app = false, RestartPolicy policy = RestartPolicy::on_failure) {
  Service engine = bare("bridge");
  engine.engine_of = "web";
  engine.restarts_with_app = with_app;
  Service web = needs("web", "bridge");
  web.restart = policy;
  return plan_of({engine, web});
}

HISTORY(EngineOf, IsStartedAgainWithAnAppThatAReloadRevives) {
  Plan plan = bridge(false, RestartPolicy::never);
  h.begin(plan);
  h.at(2s);
  h.killed(h.main("web"));
  h.at(10s);
  ASSERT_EQ(h.state("web"), ServiceState::failed);
  ASSERT_EQ(h.state("bridge"), ServiceState::stopped);
  plan.services[1].command = {"/usr/bin/gunicorn", "app:mended"};
  h.reloads(plan);
  h.at(20s);
  EXPECT_EQ(h.state("bridge"), ServiceState::ready);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
}

HISTORY(EngineOf, SurvivesTheAppsRestart) {
  h.begin(bridge());
  h.at(2s);
  h.asks(CommandAct::restart, "web");
  h.after(2s);
  EXPECT_EQ(h.run("web"), 2u);
  EXPECT_EQ(h.run("bridge"), 1u);
  h.killed(h.main("web"));
  h.after(5s);
  EXPECT_EQ(h.run("web"), 3u);
  EXPECT_EQ(h.run("bridge"), 1u);
}

HISTORY(EngineOf, RestartsWithTheAppWhereThePlanSaysSo) {
  h.begin(bridge(true));
  h.at(2s);
  h.asks(CommandAct::restart, "web");
  h.after(2s);
  EXPECT_EQ(h.run("web"), 2u);
  EXPECT_EQ(h.run("bridge"), 2u);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
}

HISTORY(EngineOf, EndsWhenTheAppIsStopped) {
  h.begin(bridge());
  h.at(2s);
  const ProcessId engine = h.main("bridge");
  h.asks(CommandAct::stop, "web");
  h.after(2s);
  EXPECT_EQ(h.state("web"), ServiceState::stopped);
  EXPECT_EQ(h.state("bridge"), ServiceState::stopped);
  EXPECT_FALSE(h.alive(engine));
  h.asks(CommandAct::start, "web");
  h.after(2s);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
  EXPECT_EQ(h.state("bridge"), ServiceState::ready);
}

HISTORY(EngineOf, EndsWhenTheAppIsStoppedInItsBackoff) {
  Plan plan = bridge();
  plan.services[1].backoff.first = 20s;
  h.begin(plan);
  h.at(2s);
  h.killed(h.main("web"));
  h.after(2s);
  ASSERT_EQ(h.state("web"), ServiceState::backoff);
  ASSERT_EQ(h.state("bridge"), ServiceState::ready);
  h.asks(CommandAct::stop, "web");
  h.after(2s);
  EXPECT_EQ(h.state("web"), ServiceState::stopped);
  EXPECT_EQ(h.state("bridge"), ServiceState::stopped);
}

HISTORY(EngineOf, EndsWhenTheAppHasFailedForGood) {
  h.begin(bridge(false, RestartPolicy::never));
  h.at(2s);
  h.killed(h.main("web"));
  h.after(2s);
  EXPECT_EQ(h.state("web"), ServiceState::failed);
  EXPECT_EQ(h.state("bridge"), ServiceState::stopped);
}

}  // namespace
}  // namespace plimsoll::core

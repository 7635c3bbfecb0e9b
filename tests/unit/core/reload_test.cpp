// A reload: what is live, what restarts, what comes and what goes.
#include "daemon/core/reload.hpp"

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

HISTORY(Reload, OfTheSamePlanChangesNothing) {
  h.begin(app());
  h.at(1s);
  h.reloads(app());
  h.at(10s);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_EQ(h.signals.size(), 0u);
  EXPECT_TRUE(h.says("nothing changed"));
}

HISTORY(Reload, OfALimitIsLive) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.has(engine, 300);
  Service service = app();
  service.engines[0].memory.hard = mib(250);
  service.engines[0].memory.soft = mib(200);
  h.reloads(service);
  h.at(12s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(Reload, OfACommandRestartsThatServiceOnly) {
  Service web = bare("web");
  Service other = bare("other");
  h.begin(plan_of({web, other}));
  h.at(1s);
  web.command = {"/usr/bin/gunicorn", "new:app"};
  h.reloads(plan_of({web, other}));
  h.at(5s);
  EXPECT_EQ(h.run("web"), 2u);
  EXPECT_EQ(h.run("other"), 1u);
  EXPECT_EQ(h.kernel.find(h.main("web"))->command.argv.back(), "new:app");
}

HISTORY(Reload, StartsWhatIsNewAndStopsWhatIsGone) {
  h.begin(plan_of({bare("old")}));
  h.at(1s);
  const ProcessId main = h.main("old");
  h.reloads(plan_of({bare("new")}));
  h.at(5s);
  EXPECT_EQ(h.state("new"), ServiceState::ready);
  EXPECT_FALSE(h.alive(main));
  EXPECT_FALSE(h.world.services.contains("old"));
  EXPECT_TRUE(h.says("out of the plan"));
}

HISTORY(Reload, ThatBringsBackAServiceWhileItStopsStartsItAgain) {
  h.begin(plan_of({bare("a"), bare("b")}));
  h.at(1s);
  h.ignores_signals(h.main("a"));
  h.reloads(plan_of({bare("b")}));
  h.at(5s);
  h.reloads(plan_of({bare("a"), bare("b")}));
  h.at(60s);
  EXPECT_EQ(h.state("a"), ServiceState::ready);
  EXPECT_EQ(h.run("a"), 2u);
}

HISTORY(Reload, ThatRemovesARuleLetsTheLostEngineGo) {
  Service service = app();
  service.heal = 90s;
  service.on_soft = {rung(RungKind::restart)};
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(10s);
  h.killed(engine);
  h.at(20s);
  ASSERT_EQ(h.engine(engine), EngineState::lost);
  service.engines.clear();
  h.reloads(service);
  h.at(10min);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_TRUE(h.well());
}

HISTORY(Reload, ThatRemovesARuleEndsTheLadderForItsDeadEngine) {
  Service service = app();
  service.heal = 30s;
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(10s);
  h.killed(engine);
  h.at(45s);
  ASSERT_EQ(h.ledger(), std::vector<std::string>{"lost open"});
  service.engines.clear();
  h.reloads(service);
  h.at(10min);
  EXPECT_EQ(h.run(), 1u) << "no restart for a rule that is gone";
  EXPECT_TRUE(h.well());
}

HISTORY(Reload, ThatRemovesAServiceEndsItsLadderToo) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::worker), rung(RungKind::restart)};
  h.begin(plan_of({bare("other"), service}));
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.ignores_signals(worker);
  h.at(10s);
  h.has(engine, 500);
  h.at(45s);
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGTERM});
  h.reloads(plan_of({bare("other")}));
  h.at(400s);
  EXPECT_FALSE(h.world.services.contains("app"));
  EXPECT_EQ(h.ledger()[0], "soft preempted");
  EXPECT_TRUE(h.world.slots.empty());
}

HISTORY(Reload, ThatRemovesARuleForgetsItsEnginesAndItsLadder) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.has(engine, 500);
  h.at(45s);
  ASSERT_EQ(h.hooks.size(), 1u);
  Service service = app();
  service.engines.clear();
  h.reloads(service);
  h.killed(engine);
  h.at(400s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft preempted"});
  EXPECT_EQ(h.run(), 1u);
  EXPECT_EQ(h.cancelled.size(), 1u);
}

HISTORY(Reload, ThatAddsARuleFindsTheEnginesThatRunAlready) {
  Service service = app();
  service.engines.clear();
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  EXPECT_EQ(h.engine(engine), std::nullopt);
  h.reloads(app());
  h.at(11s);
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.owner(engine), worker);
}

HISTORY(Reload, TriesAFailedServiceAgainWhenItsCommandHasChanged) {
  Service service = bare();
  service.restart = RestartPolicy::never;
  h.begin(service);
  h.killed(h.main());
  h.at(5s);
  ASSERT_EQ(h.state(), ServiceState::failed);
  service.command = {"/usr/bin/gunicorn", "fixed:app"};
  h.reloads(service);
  h.at(6s);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Reload, OfTheModeIsLive) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.reloads(plan);
  h.killed(worker);
  h.at(60s);
  EXPECT_TRUE(h.alive(engine));
}

}  // namespace
}  // namespace plimsoll::core

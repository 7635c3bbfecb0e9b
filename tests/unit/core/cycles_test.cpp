// Cycles: on their grid, by the wall clock, in their window, one slot after the other, and never a failure.
#include "daemon/core/cycles.hpp"

#include <set>

#include "tests/unit/core/cycle_plans.hpp"

namespace plimsoll::core {
namespace {

HISTORY(Cycle, OnItsGridOverBothWorkersOneAfterTheOther) {
  h.begin(with(every(10s)));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.starts_engine(a);
  h.starts_engine(b);
  replaces_when_asked(h);
  h.at(205s);
  std::vector<std::int64_t> grid;
  for (std::int64_t t = 10; t <= 200; t += 10) grid.push_back(t);
  EXPECT_EQ(rounds(h), grid);
  EXPECT_EQ(h.world.services.at("app").cycles[0].done, 20u);
  EXPECT_EQ(h.world.services.at("app").cycles[0].failed, 0u);
  EXPECT_EQ(h.hooks.size(), 40u);
  EXPECT_EQ(h.world.services.at("app").acts.size(), 0u) << "a planned cycle costs nothing";
  EXPECT_EQ(h.count(EventKind::engine_lost), 0u);
  EXPECT_TRUE(h.well());
}

HISTORY(Cycle, WaitsForOneSlotBeforeTheNext) {
  h.begin(with(every(1min)));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.starts_engine(a);
  h.starts_engine(b);
  h.at(60s + 100ms);
  ASSERT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.hooks[0].target, a);
  h.at(70s);
  EXPECT_EQ(h.hooks.size(), 1u);
}

HISTORY(Cycle, DoesNotRestartWhatOnlyWaitsForItsDependentsToStop) {
  Service db = with(every(1min, CycleAct::restart));
  db.name = "db";
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({db, web}));
  h.ignores_signals(h.main("web"));
  h.at(50s);
  h.asks(CommandAct::stop, "db");
  h.at(70s);
  EXPECT_EQ(h.state("web"), ServiceState::stopping);
  EXPECT_EQ(h.state("db"), ServiceState::ready) << "it stops when web has, and is not restarted before that";
  EXPECT_EQ(h.signals_to(h.main("db")), std::vector<int>{});
  h.at(100s);
  EXPECT_EQ(h.state("db"), ServiceState::stopped);
}

HISTORY(Cycle, ThatFailsEndsTheRoundAndClimbsNoLadder) {
  h.begin(with(every(1min)));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  const ProcessId of_a = h.starts_engine(a);
  h.starts_engine(b);
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::failed, "HTTP 500"); };
  h.at(100s);
  EXPECT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.world.services.at("app").cycles[0].failed, 1u);
  EXPECT_NE(h.world.services.at("app").cycles[0].last.find("HTTP 500"), std::string::npos);
  EXPECT_EQ(h.signals_to(of_a), std::vector<int>{});
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(Cycle, GoesOnToTheNextSlotWhenAWorkerIsRecycledInItsTurn) {
  h.begin(with(every(1min)));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.starts_engine(a);
  h.starts_engine(b);
  h.at(61s);
  ASSERT_EQ(h.hooks.size(), 1u);
  replaces_when_asked(h);
  h.dies(a, exited(0));
  h.at(70s);
  ASSERT_EQ(h.hooks.size(), 2u);
  EXPECT_EQ(h.hooks[1].target, b);
  EXPECT_EQ(h.world.services.at("app").cycles[0].done, 1u);
}

HISTORY(Cycle, ASlotWithTwoEnginesIsDoneWhenBothHaveASuccessor) {
  h.begin(with(every(1min)));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  const ProcessId primary = h.starts_engine(a);
  h.starts_engine(b);
  const ProcessId replica = h.starts_engine(a);
  // One reconnect puts both away, and the replica comes back much later.
  h.on_hook = [&](const CallHook& call) {
    if (call.target != a) return h.answers(call.id, HookResult::failed);
    h.kernel.end(primary, exited(0));
    h.kernel.end(replica, exited(0));
    h.forks(a, {"/srv/query-engine-debian"});
    h.answers(call.id, HookResult::done);
  };
  h.at(80s);
  EXPECT_EQ(h.hooks.size(), 1u) << "the other worker's turn waits";
  h.starts_engine(a);
  h.at(82s);
  ASSERT_EQ(h.hooks.size(), 2u);
  EXPECT_EQ(h.hooks[1].target, b);
}

HISTORY(Cycle, StillRunningWhenTheNextIsDueSwallowsIt) {
  h.begin(with(every(10s)));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  h.at(21s);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{10});
  EXPECT_TRUE(h.says("swallowed"));
  h.at(31s);
  EXPECT_EQ(rounds(h), (std::vector<std::int64_t>{10, 30})) << "the hook was given up at 27 s; the grid goes on";
}

HISTORY(Cycle, HasJitterThatIsTheSameOnTheSameHost) {
  Cycle cycle = every(100s);
  cycle.jitter = Share{0.5};
  h.begin(plan_of_one(with(cycle)), Machine{42, {}});
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(1000s);
  const auto at = rounds(h);
  ASSERT_GE(at.size(), 8u);
  std::set<std::int64_t> offsets;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const std::int64_t offset = at[i] - static_cast<std::int64_t>(100 * (i + 1));
    EXPECT_GE(offset, 0);
    EXPECT_LE(offset, 50);
    offsets.insert(offset);
  }
  EXPECT_GT(offsets.size(), 3u) << "each round has its own";
}

HISTORY(Cycle, DueInItsRunIsNotDueInTheNext) {
  Cycle cycle = every(1h, CycleAct::restart);
  cycle.between = std::get<Window>(read_window("14:00-15:00"));
  h.begin(with(cycle));
  h.at(1h + 10min);
  ASSERT_EQ(h.run(), 1u) << "it waits for its window";
  h.killed(h.main());
  h.at(1h + 11min);
  ASSERT_EQ(h.run(), 2u);
  h.at(2h + 5min);
  EXPECT_EQ(h.run(), 2u) << "that run is fresh";
}

HISTORY(Cycle, WaitsForItsWindow) {
  Cycle cycle = every(10min);
  cycle.between = std::get<Window>(read_window("13:00-14:00"));
  h.begin(with(cycle));  // it is noon
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(59min);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{});
  EXPECT_EQ(h.count(EventKind::cycle), 0u) << "waiting for a window fills no log";
  h.at(65min);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{3600});
}

HISTORY(Cycle, OnlyIfAnEngineIsOverJudgesEachSlotByItself) {
  Cycle cycle = every(1min);
  cycle.only_if = OnlyIf{"prisma", mib(250)};
  h.begin(with(cycle));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.starts_engine(a);
  const ProcessId large = h.starts_engine(b);
  replaces_when_asked(h);
  h.at(61s);
  EXPECT_EQ(h.hooks.size(), 0u);
  EXPECT_TRUE(h.says("nothing to do"));
  h.has(large, 300);
  h.at(130s);
  ASSERT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.hooks[0].target, b);
}

HISTORY(Cycle, RestartIsNoFailureAndCostsNothing) {
  h.begin(with(every(1min, CycleAct::restart)));
  h.at(61s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.state(), ServiceState::ready);
  h.at(125s);
  EXPECT_EQ(h.run(), 3u);
  EXPECT_EQ(h.world.services.at("app").failures, 0);
  EXPECT_EQ(h.world.services.at("app").acts.size(), 0u);
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"cycle worked", "cycle worked"}));
}

HISTORY(Cycle, RestartNeedsOneSlotOver) {
  Cycle cycle = every(1min, CycleAct::restart);
  cycle.only_if = OnlyIf{"prisma", mib(250)};
  h.begin(with(cycle));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(a);
  h.at(61s);
  EXPECT_EQ(h.run(), 1u);
  h.has(engine, 300);
  h.at(121s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Cycle, RestartIsSkippedWhileSomethingHasOutlivedItsSigkill) {
  Service service = with(every(1min, CycleAct::restart));
  service.engines[0].memory.hard = mib(800);
  service.engines[0].on_hard = {rung(RungKind::kill)};
  h.begin(service);
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(a);
  h.at(5s);
  h.stuck(engine);
  h.has(engine, 900);
  h.at(100s);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_TRUE(h.says("outlived its SIGKILL"));
}

HISTORY(Cycle, IsHeldBackWhileTheBudgetIsSpent) {
  Service service = with(every(1min));
  service.budget = {1, 5min};
  service.engines[0].memory.soft = mib(400);
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  h.begin(service);
  const ProcessId a = h.starts_worker(h.main());
  h.has(h.starts_engine(a), 500);
  replaces_when_asked(h);
  h.at(290s);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{});
  h.at(400s);
  ASSERT_FALSE(rounds(h).empty());
  EXPECT_GE(rounds(h)[0], 330);
}

HISTORY(Cycle, ThatHadToWaitIsNotOwedToTheNextRun) {
  Service service = with(every(1min));
  service.budget = {1, 5min};
  service.engines[0].memory.soft = mib(400);
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  h.begin(service);
  h.has(h.starts_engine(h.starts_worker(h.main())), 500);
  replaces_when_asked(h);
  h.at(320s);
  ASSERT_EQ(rounds(h), std::vector<std::int64_t>{}) << "the budget is spent by the soft line";
  h.killed(h.main());
  h.at(325s);
  ASSERT_EQ(h.run(), 2u);
  h.starts_engine(h.starts_worker(h.main()));
  h.at(370s);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{}) << "the budget is free again, and the run is fresh";
  h.at(400s);
  EXPECT_EQ(rounds(h).size(), 1u);
}

HISTORY(Cycle, OfTheRunBeforeIsNothingToOneThatIsLate) {
  Service service = with(every(1min, CycleAct::restart));
  service.ready = Readiness{TcpProbe{"127.0.0.1", "8000"}, 1s, 5s, false};
  h.on_probe = [&h](const AskProbe& question) { h.answers_probe(question.id, h.run() == 1); };
  h.begin(service);
  h.at(55s);
  h.killed(h.main());
  h.at(5min);
  EXPECT_EQ(h.run(), 2u) << "a migration may take its time";
  EXPECT_EQ(h.state(), ServiceState::late);
}

HISTORY(Cycle, NeitherWaitsForNorStartsACoolDown) {
  Service service = with(every(1min));
  service.engines[0].memory.soft = mib(400);
  service.engines[0].memory.for_ = 1s;
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  service.cool_down = 10min;
  h.begin(service);
  const ProcessId a = h.starts_worker(h.main());
  replaces_when_asked(h);
  h.has(h.starts_engine(a), 500);
  h.at(50s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft worked"});
  h.at(70s);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{60});
}

HISTORY(Cycle, SoftLaddersQueueBehindIt) {
  Service service = with(every(1min));
  service.engines[0].memory.soft = mib(400);
  service.engines[0].memory.for_ = 1s;
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  h.begin(service);
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.starts_engine(a);
  const ProcessId of_b = h.starts_engine(b);
  h.at(60s + 100ms);
  ASSERT_EQ(h.hooks.size(), 1u);
  h.has(of_b, 500);
  h.at(70s);
  EXPECT_EQ(h.hooks.size(), 1u);
  h.answers(h.hooks[0].id, HookResult::failed);
  h.at(72s);
  EXPECT_EQ(h.hooks.size(), 2u);
  EXPECT_EQ(h.hooks[1].target, b);
}

HISTORY(Cycle, IsOnlySaidInObserve) {
  Plan plan = plan_of_one(with(every(1min)));
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  h.at(70s);
  EXPECT_EQ(h.hooks.size(), 0u);
  ASSERT_EQ(h.count(EventKind::cycle), 1u);
  EXPECT_TRUE(h.of_kind(EventKind::cycle)[0].entry.would);
}

HISTORY(Cycle, TakenOutOfThePlanInTheMiddleOfItsRoundLetsTheRoundEnd) {
  h.begin(with(every(1min)));
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.starts_engine(a);
  h.starts_engine(b);
  h.at(61s);
  ASSERT_EQ(h.hooks.size(), 1u);
  Service service = with(every(1min));
  service.cycles.clear();
  h.reloads(service);
  const HookId first = h.hooks[0].id;
  replaces_when_asked(h);
  const CallHook again = h.hooks[0];
  h.on_hook(again);
  h.at(200s);
  EXPECT_EQ(h.hooks.size(), 2u);
  EXPECT_NE(first, 0u);
  EXPECT_FALSE(h.world.services.at("app").round.has_value());
}

}  // namespace
}  // namespace plimsoll::core

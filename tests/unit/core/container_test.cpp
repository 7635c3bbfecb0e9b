// The lines of the container that we are in: whose memory it is, an event first, then the ladder, and no more than
// that.
#include "daemon/core/container.hpp"

#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

/// As `plimsolld -- CMD` has it: one restart in half an hour.
Service contained() {
  Service service = bare();
  service.container.emplace();
  service.budget = {1, 30min};
  return service;
}

void begin(History& h, Service service) {
  h.container_has(100);
  h.begin(std::move(service));
}

/// The app holds so much of what is used.
void uses(History& h, std::uint64_t used, std::uint64_t own) {
  h.container_has(used);
  h.has(h.main(), own);
}

TEST(ContainerLines, TheHardLineIsAShareButLeavesSomeRoom) {
  const ContainerLines lines;
  EXPECT_EQ(hard_line(lines, mib(10'000)), mib(9'200));
  EXPECT_EQ(hard_line(lines, mib(500)), mib(436)) << "64 MiB are kept free";
  EXPECT_EQ(hard_line(lines, mib(200)), mib(160)) << "in a small one no lower than the soft line";
  EXPECT_EQ(hard_line(lines, mib(20)), mib(16));
}

HISTORY(ContainerLine, WithoutLinesNobodyReadsTheContainer) {
  h.begin(bare());
  uses(h, 990, 900);
  h.at(10min);
  EXPECT_EQ(h.container_readings, 0u);
  EXPECT_TRUE(h.ledger().empty());
}

HISTORY(ContainerLine, WithoutALimitItIsReadOnceAMinuteAndNothingIsDone) {
  h.begin(contained());
  h.has(h.main(), 900);
  h.at(10min);
  EXPECT_LE(h.container_readings, 11u);
  EXPECT_GE(h.container_readings, 10u);
  EXPECT_EQ(h.count(EventKind::limit_crossed), 0u);
}

HISTORY(ContainerLine, ALimitThatComesLaterIsSeen) {
  h.begin(contained());
  h.at(90s);
  uses(h, 950, 900);
  h.at(3min);
  EXPECT_EQ(h.outcomes(), Outcomes{"restart worked"});
}

HISTORY(ContainerLine, WithALimitItIsReadOnceASecond) {
  begin(h, contained());
  uses(h, 100, 90);
  h.at(60s);
  EXPECT_GE(h.container_readings, 59u);
  EXPECT_LE(h.container_readings, 62u);
}

HISTORY(ContainerLine, AboveTheSoftLineForItsTimeIsOneEventAndNoMore) {
  begin(h, contained());
  h.at(10s);
  uses(h, 830, 600);
  h.at(2min);
  EXPECT_EQ(h.count(EventKind::limit_crossed), 0u);
  h.at(10min);
  EXPECT_EQ(h.count(EventKind::limit_crossed), 1u);
  EXPECT_TRUE(h.says("the container has been over 80% for 2m: 830 MiB of 1 GiB are used, of them 600 MiB by app"));
  EXPECT_TRUE(h.ledger().empty());
  EXPECT_TRUE(h.well());
}

HISTORY(ContainerLine, OneReadingBelowTheSoftLineStartsItsTimeAnew) {
  begin(h, contained());
  h.at(10s);
  uses(h, 830, 600);
  h.at(2min);
  uses(h, 700, 600);
  h.at(2min + 2s);
  uses(h, 830, 600);
  h.at(4min);
  EXPECT_EQ(h.count(EventKind::limit_crossed), 0u);
  h.at(4min + 5s);
  EXPECT_EQ(h.count(EventKind::limit_crossed), 1u);
}

HISTORY(ContainerLine, AboveTheHardLineTheAppIsRestartedGracefully) {
  begin(h, contained());
  h.at(10s);
  const ProcessId main = h.main();
  h.exits_on_signal(main);
  uses(h, 960, 600);
  h.at(12s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
  h.container_has(300);
  h.at(20s);
  EXPECT_EQ(h.outcomes(), Outcomes{"restart worked"});
  EXPECT_EQ(h.run(), 2);
  EXPECT_EQ(h.world.ledger.front().why, "the container of app crossed its hard limit: 960 MiB (limit 942 MiB)");
  EXPECT_TRUE(h.well());
}

HISTORY(ContainerLine, TheTreeIsCountedWithItsEngines) {
  Service service = contained();
  service.engines = {prisma()};
  service.engines[0].memory = {};
  service.hooks["reconnect"] = signal_hook("reconnect");
  begin(h, service);
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(10s);
  h.has(engine, 500);
  h.container_has(960);
  h.at(12s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hard worked"});
}

HISTORY(ContainerLine, WhatIsMostlySomebodyElsesIsNotActedOn) {
  begin(h, contained());
  h.at(10s);
  uses(h, 990, 400);
  h.at(30min);
  EXPECT_EQ(h.count(EventKind::limit_crossed), 0u);
  EXPECT_TRUE(h.ledger().empty());
  EXPECT_EQ(h.run(), 1);
}

HISTORY(ContainerLine, WithTheBudgetSpentItIsLeftToTheKernelAndSaid) {
  begin(h, contained());
  h.on_spawn = [&h](ProcessId id) { h.has(id, 600); };
  h.at(10s);
  uses(h, 960, 600);
  h.at(29min);
  EXPECT_EQ(h.run(), 2) << "one restart in half an hour";
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"hard worked", "hard no_budget"}));
  EXPECT_EQ(h.count(EventKind::budget), 1u);
  EXPECT_FALSE(h.well());
  h.at(31min);
  EXPECT_EQ(h.run(), 3) << "the next act is free again";
}

HISTORY(ContainerLine, AGentleStopIsNotCutShortHoweverFullItGets) {
  begin(h, contained());
  h.at(10s);
  const ProcessId main = h.main();
  h.ignores_signals(main);
  uses(h, 960, 600);
  h.at(12s);
  uses(h, 1020, 700);
  h.at(30s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
}

HISTORY(ContainerLine, WhatSubsidesBeforeTheNextRungIsLeftAlone) {
  Service service = contained();
  service.on_hard = {wait_rung(5s), rung(RungKind::restart)};
  begin(h, service);
  h.at(10s);
  uses(h, 960, 600);
  h.at(12s);
  uses(h, 500, 400);
  h.at(30s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hard subsided"});
  EXPECT_EQ(h.run(), 1);
}

HISTORY(ContainerLine, AHookThatMakesRoomHasWorked) {
  Service service = contained();
  service.hooks["shrink"] = signal_hook("shrink", HookTarget::service);
  service.on_hard = {hook_rung("shrink"), rung(RungKind::restart)};
  begin(h, service);
  h.on_hook = [&h](const CallHook& call) {
    uses(h, 500, 400);
    h.answers(call.id, HookResult::done);
  };
  h.at(10s);
  uses(h, 960, 600);
  h.at(30s);
  EXPECT_EQ(h.outcomes(), Outcomes{"hook:shrink worked"});
  EXPECT_EQ(h.run(), 1);
}

HISTORY(ContainerLine, WhoIsNotReadyYetFillsItToo) {
  Service service = contained();
  service.ready = Readiness{FdProbe{3}, 500ms, 10min, false};
  begin(h, service);
  h.at(10s);
  ASSERT_EQ(h.state(), ServiceState::starting);
  const ProcessId main = h.main();
  uses(h, 960, 600);
  h.at(12s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.count(EventKind::limit_crossed), 1u);
}

HISTORY(ContainerLine, InObserveItIsSaidWhatWouldBeDone) {
  Plan plan = plan_of_one(contained());
  plan.daemon.mode = Mode::observe;
  h.container_has(100);
  h.begin(plan);
  h.at(10s);
  uses(h, 960, 600);
  h.at(4min);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hard would"});
  EXPECT_EQ(h.run(), 1);
}

HISTORY(ContainerLine, AReloadThatTakesTheLinesAwayEndsTheirLadder) {
  Service service = contained();
  service.on_hard = {wait_rung(5s), rung(RungKind::restart)};
  begin(h, service);
  h.at(10s);
  uses(h, 960, 600);
  h.at(12s);
  service.container.reset();
  h.reloads(service);
  h.at(30s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hard subsided"});
  const std::size_t readings = h.container_readings;
  h.at(1min);
  EXPECT_EQ(h.container_readings, readings);
}

HISTORY(ContainerLine, AReloadThatBringsThemIsSeenAtOnce) {
  h.begin(bare());
  uses(h, 960, 600);
  h.at(10s);
  h.reloads(contained());
  h.at(12s);
  EXPECT_EQ(h.ledger().size(), 1u);
}

}  // namespace
}  // namespace plimsoll::core

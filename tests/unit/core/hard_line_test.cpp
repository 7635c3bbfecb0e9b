// Hard lines: always acted on, within their slack, without a storm of kills.
#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

// --- Hard lines
// ---------------------------------------------------------------------------------------------------------------

HISTORY(HardLine, PastItsSlackIsSigkillAtOnce) {
  const auto [worker, engine] = hard_ladder(h, {rung(RungKind::end)});
  h.ignores_signals(engine);
  h.at(62s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
  h.has(engine, 900);
  h.at(63s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGTERM, SIGKILL}));
  EXPECT_LT(h.signalled_at(engine, SIGKILL), 63s);
}

HISTORY(HardLine, OfAServicePastItsSlackWhileItIsRestarted) {
  Service service = bare();
  service.memory.hard = mib(1000);
  h.begin(service);
  h.at(10s);
  h.ignores_signals(h.main());
  const ProcessId main = h.main();
  h.has(main, 1010);
  h.at(12s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
  h.has(main, 1200);
  h.at(13s + 500ms);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM, SIGKILL}));
  h.at(20s);
  EXPECT_EQ(h.outcomes(), Outcomes{"restart worked"});
}

/// An app process over its hard line, by 10 MiB, that a hook is asked about which is never answered.
Service asked_about_its_line() {
  Service service = bare();
  service.memory.hard = mib(1000);
  service.restart = RestartPolicy::never;
  service.hooks["flush"] = signal_hook("flush", HookTarget::service);
  service.on_hard = {hook_rung("flush"), rung(RungKind::restart)};
  return service;
}

HISTORY(HardLine, OfAServicePastItsSlackIsARungOfOursAndNoCrash) {
  h.begin(asked_about_its_line());
  const ProcessId main = h.main();
  h.at(10s);
  h.has(main, 1010);
  h.at(12s);
  ASSERT_EQ(h.hooks.size(), 1u);
  h.has(main, 1200);
  h.at(14s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.cancelled, std::vector<HookId>{h.hooks[0].id});
  EXPECT_EQ(h.run(), 2u) << "whatever `restart` says, and without backoff";
  EXPECT_EQ(h.world.services.at("app").failures, 0);
  EXPECT_EQ(h.outcomes(), (Outcomes{"hook:flush failed", "kill worked"}));
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hard worked"});
  EXPECT_EQ(h.world.services.at("app").acts.size(), 2u);
  h.killed(h.main());
  h.after(5s);
  EXPECT_EQ(h.state(), ServiceState::failed) << "that one is its own";
}

HISTORY(HardLine, OfAServicePastItsSlackWithTheBudgetSpentWaitsForItsBackoff) {
  Service service = asked_about_its_line();
  service.budget = {1, 1h};
  service.backoff.first = 20s;
  h.begin(service);
  const ProcessId main = h.main();
  h.at(10s);
  h.has(main, 1010);
  h.at(12s);
  h.has(main, 1200);
  h.at(14s);
  EXPECT_FALSE(h.alive(main));
  EXPECT_EQ(h.signalled_at(main, SIGKILL), 12s);
  EXPECT_EQ(h.state(), ServiceState::backoff);
  h.at(40s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(HardLine, OfASuccessorMakesTheRungFailedAndTheNextFollowsAtOnce) {
  const auto [worker, engine] = hard_ladder(h, {rung(RungKind::end), rung(RungKind::restart)});
  h.at(61s);
  EXPECT_FALSE(h.alive(engine));
  const ProcessId next = h.starts_engine(worker);
  h.has(next, 850);
  h.at(64s);
  EXPECT_EQ(h.outcomes(), (Outcomes{"end failed", "restart worked"}));
}

HISTORY(HardLine, OfAnotherEngineOfTheSlotGetsItsOwnFirstRungAtOnce) {
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::end), rung(RungKind::restart)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId a = h.starts_engine(worker);
  const ProcessId b = h.starts_engine(worker);
  h.at(30s);
  h.ignores_signals(a);
  h.has(a, 850);
  h.at(32s);
  h.has(b, 850);
  h.at(33s);
  EXPECT_EQ(h.signals_to(b), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.world.services.at("app").acts.size(), 2u);
  EXPECT_EQ(h.ledger().size(), 2u) << "each act has its entry";
}

HISTORY(HardLine, OfAnotherEngineThatItsAppDoesNotReplaceIsALostOne) {
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::end), rung(RungKind::restart)};
  service.engines[0].on_lost = {rung(RungKind::restart)};
  service.cool_down = 1s;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId a = h.starts_engine(worker);
  const ProcessId b = h.starts_engine(worker);
  h.at(30s);
  h.ignores_signals(a);
  h.has(a, 850);
  h.at(32s);
  h.has(b, 850);
  h.at(33s + 500ms);
  EXPECT_FALSE(h.alive(b));
  EXPECT_EQ(h.engine(b), EngineState::lost);
  const ProcessId successor = h.starts_engine(worker);
  h.at(36s);
  EXPECT_TRUE(h.says("stands for the lost " + std::to_string(b.pid)));
  EXPECT_EQ(h.engine(successor), EngineState::live);
}

HISTORY(HardLine, IsActedOnThoughASoftLadderHasRunOut) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  service.engines[0].on_hard = {rung(RungKind::end)};
  h.on_hook = [&h](const CallHook& call) { h.answers(call.id, HookResult::failed, "HTTP 500"); };
  const auto [worker, engine] = soft_at_90s(h, service);
  h.at(95s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft exhausted"});
  h.has(engine, 810);
  h.at(98s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM}) << "law 6: whatever the soft line's cool-down";
}

HISTORY(HardLine, OfALostEnginesSuccessorDoesNotForgetTheLostOne) {
  Service service = app();
  service.engines[0].on_lost = {rung(RungKind::reconnect), rung(RungKind::end)};
  service.engines[0].expect.below = mib(100);
  service.heal = 20s;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::done); };
  h.at(10s);
  h.killed(engine);
  h.at(31s);
  ASSERT_EQ(h.hooks.size(), 1u);
  const ProcessId next = h.starts_engine(worker);
  h.has(next, 850);
  h.at(33s);
  EXPECT_FALSE(h.alive(next)) << "the rung after the one that failed";
  h.at(400s);
  EXPECT_GE(h.hooks.size(), 2u) << "after the cool-down: the lost one is still without a successor";
}

HISTORY(HardLine, OfANewEngineIsNoSuccessorsWhileTheOldOneLives) {
  Service service = app();
  service.hooks["flush"] = signal_hook("flush");
  service.engines[0].on_soft = {hook_rung("flush"), rung(RungKind::reconnect)};
  const auto [worker, engine] = soft_at_90s(h, service);
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::done); };
  h.at(92s);
  const ProcessId replica = h.starts_engine(worker);
  h.at(95s);
  h.has(replica, 850);
  h.at(97s);
  EXPECT_EQ(h.signals_to(replica), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.hooks.size(), 1u) << "the ladder at work goes on verifying what it did for the old one";
  EXPECT_TRUE(h.alive(engine));
}

HISTORY(HardLine, OfAnotherEngineIsNotEndedWhereTheLadderOnlyLogs) {
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::log), wait_rung(1h)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId a = h.starts_engine(worker);
  const ProcessId b = h.starts_engine(worker);
  h.at(30s);
  h.has(a, 850);
  h.at(32s);
  h.has(b, 850);
  h.at(60s);
  EXPECT_EQ(h.signals_to(b), std::vector<int>{});
}

HISTORY(HardLine, WithTheBudgetSpentRestartsWithBackoff) {
  Service service = bare();
  service.memory.hard = mib(1000);
  service.on_hard = {rung(RungKind::kill)};
  service.budget = {2, 1h};
  service.backoff = {2s, 2.0, 60s, 60s};
  h.begin(service);
  std::vector<Duration> spawned;
  h.on_spawn = [&](ProcessId id) {
    spawned.push_back(h.elapsed());
    h.has(id, 1050);
  };
  h.has(h.main(), 1050);
  h.at(40s);
  // Two kills, then no more kills but stops, each followed by a longer backoff.
  const auto ends = h.ledger();
  EXPECT_EQ(ends[0], "hard worked");
  EXPECT_EQ(ends[1], "hard worked");
  EXPECT_EQ(ends[2], "hard no_budget");
  EXPECT_LE(h.world.services.at("app").acts.size(), 2u);
  ASSERT_GE(spawned.size(), 4u);
  EXPECT_GE(spawned.back() - spawned[spawned.size() - 2], 4s);
  EXPECT_LT(spawned.size(), 8u) << "no kill storm";
}

HISTORY(HardLine, WithTheBudgetSpentFailsOnlyByGiveUp) {
  Service service = bare();
  service.memory.hard = mib(1000);
  service.on_hard = {rung(RungKind::kill)};
  service.budget = {1, 1h};
  service.give_up = GiveUp{2, 10min};
  h.begin(service);
  h.on_spawn = [&](ProcessId id) { h.has(id, 1050); };
  h.has(h.main(), 1050);
  h.at(120s);
  EXPECT_EQ(h.state(), ServiceState::failed);
}

HISTORY(HardLine, OfAnEngineWithTheBudgetSpentRestartsTheService) {
  Service service = app();
  service.budget = {1, 1h};
  service.engines[0].on_hard = {rung(RungKind::end)};
  heals_itself(h);
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  h.has(h.starts_engine(worker), 850);
  h.at(10s);
  for (auto& [id, process] : h.kernel.all()) {
    if (process.parent == worker && !process.dead) process.rss = mib(850);
  }
  h.at(20s);
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"hard worked", "hard no_budget"}));
  EXPECT_NE(h.world.ledger.back().why.find("the next one starts after its backoff"), std::string::npos)
      << "`why` tells what was done all the same";
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(HardLine, OfAnEngineWithTheBudgetSpentIsActedOnWhenWhatOutlivedItsSigkillIsGone) {
  Service service = app();
  service.budget = {1, 1h};
  service.engines[0].owner = OwnerKind::service;
  service.engines[0].on_hard = {rung(RungKind::kill), rung(RungKind::restart)};
  h.begin(service);
  const ProcessId hangs = h.starts_engine(h.main());
  h.at(10s);
  h.stuck(hangs);
  h.has(hangs, 850);
  h.at(25s);
  EXPECT_EQ(h.signals_to(hangs), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hard no_budget"});
  const ProcessId another = h.starts_engine(h.main());
  h.at(30s);
  h.has(another, 850);
  h.at(60s);
  EXPECT_EQ(h.run(), 1u) << "a restart would stop the others for nothing";
  EXPECT_FALSE(h.well());
  h.stuck(hangs, false);
  h.at(65s);
  EXPECT_FALSE(h.alive(another));
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"hard no_budget", "hard no_budget"}));
  EXPECT_EQ(h.run(), 2u) << "not only when the budget is back";
}

HISTORY(HardLine, ThatOnlyLogsDoesNotFillTheLog) {
  Service service = bare();
  service.memory.hard = mib(1000);
  service.on_hard = {rung(RungKind::log)};
  h.begin(service);
  h.has(h.main(), 1500);
  h.at(60s);
  EXPECT_LE(h.ledger().size(), 2u);
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(HardLine, KillOfAServicesOwnLineTakesTheAppProcess) {
  Service service = bare();
  service.command = {"/bin/sh", "start.sh"};
  service.memory.hard = mib(1000);
  service.on_hard = {rung(RungKind::kill)};
  h.begin(service);
  h.looks();
  const ProcessId sh = h.main();
  const ProcessId app_process_id = h.starts(sh, {"/usr/bin/python3", "app.py"});
  h.at(10s);
  h.has(app_process_id, 1050);
  h.at(11s + 50ms);
  EXPECT_EQ(h.signals_to(app_process_id), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.signals_to(sh), std::vector<int>{});
  h.dies(sh, exited(137));
  h.at(15s);
  EXPECT_EQ(h.outcomes(), Outcomes{"kill worked"});
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(HardLine, OfATreeIsTheSumAndItsEndTakesTheAppProcess) {
  Service service = bare();
  service.memory.of = MemoryScope::tree;
  service.memory.hard = mib(1000);
  service.on_hard = {rung(RungKind::end)};
  h.begin(service);
  const ProcessId main = h.main();
  const ProcessId a = h.starts_worker(main);
  const ProcessId b = h.starts_worker(main);
  h.has(a, 400);
  h.has(b, 400);
  h.at(10s);
  EXPECT_EQ(h.signals.size(), 0u);
  h.has(b, 700);
  h.at(20s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.outcomes(), Outcomes{"end worked"});
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(HardLine, OfATreePastItsSlackKillsTheAppProcess) {
  Service service = bare();
  service.memory.of = MemoryScope::tree;
  service.memory.hard = mib(1000);
  service.on_hard = {rung(RungKind::end)};
  h.begin(service);
  const ProcessId main = h.main();
  const ProcessId a = h.starts_worker(main);
  h.at(5s);
  h.ignores_signals(main);
  h.has(a, 1000);
  h.at(7s);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{SIGTERM});
  h.has(a, 1300);
  h.at(9s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM, SIGKILL}));
}

HISTORY(HardLine, OfOneEngineIsNotKeptWaitingByASoftLadderOfAnotherInItsSlot) {
  Service service = app();
  service.cool_down = 2s;
  service.engines[0].memory.for_ = 0s;
  service.engines[0].on_soft = {wait_rung(60s), rung(RungKind::log)};
  service.engines[0].on_hard = {rung(RungKind::reconnect), rung(RungKind::end)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId soft = h.starts_engine(worker);
  const ProcessId hard = h.starts_engine(worker);
  h.at(5s);
  h.has(soft, 500);
  h.at(10s);
  h.has(hard, 900);
  h.at(13s);
  ASSERT_EQ(h.hooks.size(), 1u) << "asked to reconnect, for the one over its hard line";
  EXPECT_EQ(h.hooks[0].placeholders.at("engine_pid"), std::to_string(hard.pid));
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"soft preempted", "hard open"}));
}

HISTORY(HardLine, OfOneEngineDoesNotForgetALostOneWhoseLadderMadeRoom) {
  Service service = app();
  service.heal = 20s;
  service.cool_down = 10s;
  service.engines[0].on_hard = {rung(RungKind::reconnect), rung(RungKind::end)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId lost = h.starts_engine(worker);
  const ProcessId hard = h.starts_engine(worker);
  h.at(10s);
  h.killed(lost);
  h.at(31s);
  ASSERT_EQ(h.hooks.size(), 1u);
  h.has(hard, 850);
  h.at(33s);
  ASSERT_EQ(h.hooks.size(), 2u);
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"lost preempted", "hard open"}));
  EXPECT_EQ(h.engine(lost), EngineState::lost);
  EXPECT_FALSE(h.well());
  h.dies(hard, exited(0));
  h.starts_engine(worker);
  h.answers(h.hooks[1].id, HookResult::done);
  h.at(40s);
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"lost preempted", "hard worked"}));
  EXPECT_EQ(h.engine(lost), EngineState::lost) << "the one that came stands for the other";
  h.at(60s);
  ASSERT_EQ(h.hooks.size(), 3u) << "its turn comes after the cool-down";
  EXPECT_EQ(h.hooks[2].placeholders.at("engine_pid"), std::to_string(lost.pid));
}

HISTORY(HardLine, BesideAGentlerLadderWithTheBudgetSpentIsARestartWithBackoff) {
  Service service = app();
  service.budget = {1, 1h};
  service.hooks["reconnect"].timeout = 60s;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId soft = h.starts_engine(worker);
  const ProcessId hard = h.starts_engine(worker);
  h.at(10s);
  h.has(soft, 500);
  h.after(35s);
  ASSERT_TRUE(h.holds([](const Effect& effect) { return std::holds_alternative<CallHook>(effect); }));
  h.has(hard, 810);
  h.after(5s);
  EXPECT_TRUE(h.says("hard limit crossed with the budget spent"));
}

}  // namespace
}  // namespace plimsoll::core

// The ladder: what each rung does, when it has worked, what follows when it has not.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

struct Pair {
  ProcessId worker;
  ProcessId engine;
};

/// An old worker with an engine that goes over its soft line at 60 s; the ladder begins at 90 s, when `for` is over.
Pair soft_at_90s(History& h, Service service) {
  h.begin(std::move(service));
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.has(engine, 500);
  return {worker, engine};
}

Pair soft_ladder(History& h, std::vector<Rung> rungs) {
  Service service = app();
  service.engines[0].on_soft = std::move(rungs);
  return soft_at_90s(h, service);
}

Pair hard_ladder(History& h, std::vector<Rung> rungs) {
  Service service = app();
  service.engines[0].on_hard = std::move(rungs);
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.has(engine, 850);
  return {worker, engine};
}

/// The app replaces an engine as soon as one has ended.
void heals_itself(History& h) {
  h.after_step = [&h](const Event& event, const Effects&) {
    const auto* ended = std::get_if<ProcessEnded>(&event);
    if (ended == nullptr) return;
    const Process* engine = find_process(h.world, ended->id);
    if (engine == nullptr || !engine->engine || !h.alive(engine->parent)) return;
    h.forks(engine->parent, {"/srv/query-engine-debian"});
  };
}

using Outcomes = std::vector<std::string>;

// --- Each rung ------------------------------------------------------------------------------------------------------------

HISTORY(Reconnect, HasWorkedWhenTheEngineIsGoneAndItsSuccessorIsBelow) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::reconnect)});
  h.on_hook = [&, engine = engine, worker = worker](const CallHook& call) {
    h.kernel.end(engine, by_signal(SIGINT));
    h.forks(worker, {"/srv/query-engine-debian"});
    h.answers(call.id, HookResult::done);
  };
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect worked"});
  EXPECT_EQ(h.hooks[0].target, worker);
  EXPECT_EQ(h.world.ledger.back().rss_before, mib(500));
  EXPECT_EQ(h.world.ledger.back().rss_after, mib(50));
  EXPECT_EQ(h.count(EventKind::engine_lost), 0u) << "a death that we asked for is expected";
  EXPECT_EQ(h.count(EventKind::limit_crossed), 1u);
}

HISTORY(Reconnect, ThatFailsIsFollowedByTheNextRung) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::reconnect), rung(RungKind::end)});
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::failed, "HTTP 404"); };
  heals_itself(h);
  h.at(100s);
  EXPECT_EQ(h.outcomes(), (Outcomes{"reconnect failed", "end worked"}));
  EXPECT_TRUE(h.says("HTTP 404"));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Reconnect, ThatIsNeverAnsweredIsGivenUp) {
  soft_ladder(h, {rung(RungKind::reconnect)});
  h.at(106s);
  EXPECT_EQ(h.outcomes(), Outcomes{});
  h.at(108s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect timed_out"});
  EXPECT_EQ(h.cancelled, std::vector<HookId>{h.hooks[0].id});
  h.answers(h.hooks[0].id, HookResult::done);
  h.at(110s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect timed_out"}) << "an answer nobody waits for is dropped";
}

HISTORY(Reconnect, ThatTheEdgeSkippedCostsNoAct) {
  soft_ladder(h, {rung(RungKind::reconnect)});
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::skipped, "it does not catch the signal"); };
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect skipped"});
  EXPECT_EQ(h.world.services.at("app").acts.size(), 0u);
}

HISTORY(Reconnect, WhoseEngineLivesOnHasTimedOut) {
  soft_ladder(h, {rung(RungKind::reconnect)});
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::done); };
  h.at(119s);
  EXPECT_EQ(h.outcomes(), Outcomes{});
  h.at(121s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect timed_out"});
  EXPECT_TRUE(h.says("still lives"));
}

HISTORY(Reconnect, WhoseSuccessorIsAsLargeHasNotWorked) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::reconnect)});
  h.on_hook = [&, engine = engine, worker = worker](const CallHook& call) {
    h.kernel.end(engine, by_signal(SIGINT));
    h.has(h.forks(worker, {"/srv/query-engine-debian"}), 300);
    h.answers(call.id, HookResult::done);
  };
  h.at(130s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect timed_out"});
  EXPECT_TRUE(h.says("no successor below"));
}

HISTORY(Reconnect, IsSkippedForAnEngineOfTheService) {
  Service service = app();
  service.engines[0].owner = OwnerKind::service;
  service.engines[0].on_soft = {rung(RungKind::reconnect), rung(RungKind::worker)};
  soft_at_90s(h, service);
  h.at(100s);
  EXPECT_EQ(h.outcomes(), (Outcomes{"reconnect skipped", "worker skipped"}));
  EXPECT_EQ(h.hooks.size(), 0u);
  EXPECT_EQ(h.world.services.at("app").acts.size(), 0u);
}

HISTORY(Reconnect, OfAStoppedWorkerIsSkipped) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::reconnect)});
  h.kernel.find(worker)->state = 'T';
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect skipped"});
}

HISTORY(Reconnect, ByEndLetsTheAppHealItself) {
  Service service = app();
  service.engines[0].reconnect = Reconnect{Reconnect::How::end, {}};
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  const auto [worker, engine] = soft_at_90s(h, service);
  heals_itself(h);
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"reconnect worked"});
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(HookRung, HasWorkedWhenTheProcessIsBelow) {
  Service service = app();
  service.hooks["flush"] = signal_hook("flush");
  service.engines[0].on_soft = {hook_rung("flush")};
  const auto [worker, engine] = soft_at_90s(h, service);
  h.on_hook = [&, engine = engine](const CallHook& call) {
    h.answers(call.id, HookResult::done);
    h.has(engine, 100);
  };
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"hook:flush worked"});
  EXPECT_TRUE(h.alive(engine));
}

HISTORY(HookRung, ThatChangesNothingHasTimedOut) {
  Service service = app();
  service.hooks["flush"] = signal_hook("flush");
  service.engines[0].on_soft = {hook_rung("flush")};
  soft_at_90s(h, service);
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::done); };
  h.at(130s);
  EXPECT_EQ(h.outcomes(), Outcomes{"hook:flush timed_out"});
}

HISTORY(End, SendsTheRulesSignalThenSigkill) {
  Service service = app();
  service.engines[0].stop = {SIGINT, 3s};
  service.engines[0].on_soft = {rung(RungKind::end)};
  const auto [worker, engine] = soft_at_90s(h, service);
  h.ignores_signals(engine);
  heals_itself(h);
  h.at(100s);
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGINT, SIGKILL}));
  EXPECT_EQ(h.signalled_at(engine, SIGKILL) - h.signalled_at(engine, SIGINT), 3s);
  EXPECT_EQ(h.outcomes(), Outcomes{"end worked"});
}

HISTORY(End, WithoutASuccessorTimesOutAfterHeal) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::end)};
  service.engines[0].expect.within.reset();
  soft_at_90s(h, service);
  h.at(179s);
  EXPECT_EQ(h.outcomes(), Outcomes{});
  h.at(182s);
  EXPECT_EQ(h.outcomes(), Outcomes{"end timed_out"});
}

HISTORY(Kill, IsSigkillAtOnce) {
  const auto [worker, engine] = hard_ladder(h, {rung(RungKind::kill)});
  heals_itself(h);
  h.at(70s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.outcomes(), Outcomes{"kill worked"});
}

HISTORY(Worker, HasWorkedWhenANewOneHasAnEngine) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::worker)});
  h.exits_on_signal(worker);
  h.at(91s);
  EXPECT_FALSE(h.alive(worker));
  const ProcessId next = h.starts_worker(h.main());
  h.at(95s);
  EXPECT_EQ(h.outcomes(), Outcomes{}) << "a worker without an engine is not enough";
  h.starts_engine(next);
  h.at(97s);
  EXPECT_EQ(h.outcomes(), Outcomes{"worker worked"});
  EXPECT_FALSE(h.alive(engine)) << "the old engine is an orphan and ended";
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGTERM});
}

HISTORY(Worker, ThatIsNotReplacedIsFollowedByARestart) {
  soft_ladder(h, {rung(RungKind::worker), rung(RungKind::restart)});
  h.at(200s);
  EXPECT_EQ(h.outcomes(), (Outcomes{"worker timed_out", "restart worked"}));
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Worker, IsSkippedWhereTheOwnerIsTheAppProcess) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::worker)};
  h.begin(service);
  h.looks();
  const ProcessId engine = h.starts_engine(h.main());
  h.at(60s);
  h.has(engine, 500);
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"worker skipped"});
  EXPECT_EQ(h.signals_to(h.main()), std::vector<int>{});
}

HISTORY(Worker, OfALazyAppNeedsNoEngine) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::worker)};
  service.engines[0].expect.successor = false;
  soft_at_90s(h, service);
  h.at(92s);
  h.starts_worker(h.main());
  h.at(94s);
  EXPECT_EQ(h.outcomes(), Outcomes{"worker worked"});
}

HISTORY(Restart, HasWorkedWhenTheNextRunIsReady) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::restart)});
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"restart worked"});
  EXPECT_EQ(h.run(), 2u);
  EXPECT_FALSE(h.alive(engine));
  EXPECT_EQ(h.world.services.at("app").restarts, 1u);
}

HISTORY(Restart, OfAServiceThatNeverRestartsIsFollowedByANewRunAllTheSame) {
  Service service = app();
  service.restart = RestartPolicy::never;
  service.engines[0].on_soft = {rung(RungKind::restart)};
  soft_at_90s(h, service);
  h.at(100s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Restart, IsOverWhenAnOperatorStopsTheServiceMeanwhile) {
  soft_ladder(h, {rung(RungKind::restart)});
  h.ignores_signals(h.main());
  h.at(95s);
  EXPECT_EQ(h.state(), ServiceState::stopping);
  h.asks(CommandAct::stop);
  h.at(300s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft preempted"});
  EXPECT_TRUE(h.well());
}

HISTORY(Wait, LetsTimePassAndLooksAgain) {
  const auto [worker, engine] = soft_ladder(h, {wait_rung(20s), rung(RungKind::end)});
  h.at(105s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.at(111s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Log, NeverWorksAndIsFollowedByTheNextRung) {
  soft_ladder(h, {rung(RungKind::log)});
  h.at(100s);
  EXPECT_EQ(h.outcomes(), Outcomes{"log skipped"});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft exhausted"});
}

// --- How ladders end ------------------------------------------------------------------------------------------------------------

HISTORY(LadderEnds, SubsidedWhenTheLineIsNoLongerCrossed) {
  const auto [worker, engine] = soft_ladder(h, {wait_rung(20s), rung(RungKind::end)});
  h.at(95s);
  h.has(engine, 100);
  h.at(130s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft subsided"});
}

HISTORY(LadderEnds, SubsidedWhenItsEngineWasPutAwayMeanwhile) {
  const auto [worker, engine] = soft_ladder(h, {wait_rung(20s), rung(RungKind::worker)});
  h.at(95s);
  h.dies(engine, exited(0));
  h.at(300s);
  EXPECT_EQ(h.count(EventKind::engine_disconnected, engine), 1u);
  EXPECT_TRUE(h.alive(worker)) << "an event, no remedy";
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft subsided"});
}

HISTORY(LadderEnds, HealedWhenTheLostEngineHasASuccessor) {
  Service service = app();
  service.engines[0].on_lost = {rung(RungKind::reconnect), rung(RungKind::restart)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.killed(engine);
  h.at(101s);
  ASSERT_EQ(h.hooks.size(), 1u);
  h.starts_engine(worker);
  h.at(104s);
  h.answers(h.hooks[0].id, HookResult::failed, "HTTP 500");
  h.at(110s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"lost healed"});
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(LadderEnds, ExhaustedIsLoudAndBeginsAnewAfterTheCoolDown) {
  Service service = app();
  service.cool_down = 60s;
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  soft_at_90s(h, service);
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::failed); };
  h.at(95s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft exhausted"});
  EXPECT_FALSE(h.well());
  h.at(149s);
  EXPECT_EQ(h.hooks.size(), 1u);
  h.at(153s);
  EXPECT_EQ(h.hooks.size(), 2u);
}

HISTORY(LadderEnds, PreemptedWithItsSlot) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::reconnect)});
  h.at(92s);
  ASSERT_EQ(h.hooks.size(), 1u);
  h.killed(worker);
  h.at(95s);
  EXPECT_EQ(h.ledger()[0], "soft preempted");
  EXPECT_EQ(h.cancelled, std::vector<HookId>{h.hooks[0].id});
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(LadderEnds, PreemptedByTheHardLineOfTheSameEngine) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::reconnect)});
  heals_itself(h);
  h.at(92s);
  h.has(engine, 850);
  h.at(100s);
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"soft preempted", "hard worked"}));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(LadderEnds, PreemptedWhenTheRunEndsByItself) {
  soft_ladder(h, {rung(RungKind::worker), rung(RungKind::restart)});
  h.at(92s);
  h.killed(h.main());
  h.at(400s);
  EXPECT_EQ(h.ledger()[0], "soft preempted");
  EXPECT_EQ(h.run(), 2u) << "the new run is not restarted for what the old one did";
}

HISTORY(LadderEnds, NoBudgetForASoftLineMeansItWaits) {
  Service service = app();
  service.budget = {1, 1h};
  service.cool_down = 1s;
  service.engines[0].on_soft = {rung(RungKind::end)};
  heals_itself(h);
  const auto [worker, engine] = soft_at_90s(h, service);
  h.at(100s);
  ProcessId next{};
  for (const auto& [id, process] : h.kernel.all()) {
    if (process.parent == worker && !process.dead) next = id;
  }
  h.has(next, 500);
  h.at(1000s);
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"soft worked", "soft no_budget"}));
  EXPECT_EQ(h.signals_to(next), std::vector<int>{});
  EXPECT_EQ(h.count(EventKind::budget), 1u);
  h.at(3700s);
  EXPECT_EQ(h.signals_to(next), std::vector<int>{SIGTERM}) << "an act is free again after an hour";
}

// --- Hard lines ---------------------------------------------------------------------------------------------------------------

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
  EXPECT_EQ(h.run(), 2u);
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

// --- Queueing, cool-down, budget ------------------------------------------------------------------------------------------------------

HISTORY(Queue, OneSoftLadderAtATimeInAService) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  h.begin(service);
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  const ProcessId of_a = h.starts_engine(a);
  const ProcessId of_b = h.starts_engine(b);
  h.at(10s);
  h.has(of_a, 500);
  h.has(of_b, 500);
  h.at(42s);
  EXPECT_EQ(h.hooks.size(), 1u);
  h.answers(h.hooks[0].id, HookResult::failed);
  h.at(44s);
  EXPECT_EQ(h.hooks.size(), 2u) << "the other slot has no cool-down";
}

HISTORY(Queue, HardLaddersOfTwoSlotsRunBesideEachOther) {
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::end)};
  h.begin(service);
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  const ProcessId of_a = h.starts_engine(a);
  const ProcessId of_b = h.starts_engine(b);
  h.at(10s);
  h.has(of_a, 850);
  h.has(of_b, 850);
  h.at(12s);
  EXPECT_EQ(h.signals_to(of_a), std::vector<int>{SIGTERM});
  EXPECT_EQ(h.signals_to(of_b), std::vector<int>{SIGTERM});
}

HISTORY(CoolDown, IsTheSlotsAfterAReconnectAndTheServicesAfterAWorker) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::worker)};
  service.cool_down = 100s;
  h.begin(service);
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  const ProcessId of_a = h.starts_engine(a);
  const ProcessId of_b = h.starts_engine(b);
  h.at(10s);
  h.has(of_a, 500);
  h.at(42s);
  const ProcessId next = h.starts_worker(h.main());
  h.starts_engine(next);
  h.at(45s);
  EXPECT_EQ(h.outcomes(), Outcomes{"worker worked"});
  h.has(of_b, 500);
  h.at(140s);
  EXPECT_TRUE(h.alive(b));
  h.at(150s);
  EXPECT_FALSE(h.alive(b));
}

HISTORY(Budget, CountsEveryTriggerTogether) {
  Service service = app();
  service.budget = {2, 1h};
  service.cool_down = 1s;
  service.heal = 5s;
  service.engines[0].on_lost = {rung(RungKind::reconnect)};
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::failed); };
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.has(engine, 500);
  h.at(60s);
  EXPECT_EQ(h.hooks.size(), 2u);
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.hooks.size(), 2u) << "the lost engine's ladder finds the budget spent";
  EXPECT_EQ(h.world.services.at("app").acts.size(), 2u);
}

// --- Observe and hold -----------------------------------------------------------------------------------------------------------------

HISTORY(Observe, SaysWhatItWouldDoAndDoesNothing) {
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.has(engine, 500);
  h.at(60s);
  h.has(engine, 850);
  h.at(100s);
  EXPECT_EQ(h.signals.size(), 0u);
  EXPECT_EQ(h.hooks.size(), 0u);
  EXPECT_EQ(h.ledger(), (std::vector<std::string>{"soft would", "hard would"}));
  const auto rungs = h.of_kind(EventKind::rung);
  ASSERT_EQ(rungs.size(), 2u);
  EXPECT_EQ(rungs[0].entry.rung, "reconnect");
  EXPECT_EQ(rungs[1].entry.rung, "end");
  EXPECT_TRUE(rungs[0].entry.would && rungs[1].entry.would);
}

HISTORY(Observe, StillEndsWhatADeadMainProcessLeft) {
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId worker = h.starts_worker(h.main());
  h.at(10s);
  h.killed(h.main());
  h.at(15s);
  EXPECT_FALSE(h.alive(worker));
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Hold, ExceptHardLetsHardLinesThrough) {
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::end)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.asks(CommandAct::hold, "", [](CommandGiven& c) { c.except_hard = true; });
  h.at(10s);
  h.has(engine, 500);
  h.at(60s);
  EXPECT_EQ(h.hooks.size(), 0u);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft would"});
  h.has(engine, 850);
  h.at(62s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Hold, ForATimeEndsByItself) {
  Service service = app();
  service.cool_down = 5s;
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  soft_at_90s(h, service);
  h.asks(CommandAct::hold, "", [](CommandGiven& c) { c.for_ = 100s; });
  EXPECT_FALSE(h.well());
  h.at(158s);
  EXPECT_EQ(h.hooks.size(), 0u);
  h.at(170s);
  EXPECT_EQ(h.hooks.size(), 1u);
  EXPECT_TRUE(h.says("the hold is over"));
}

HISTORY(Hold, BetweenTwoRungsDoesNotTurnTheFirstIntoAWould) {
  const auto [worker, engine] = soft_ladder(h, {rung(RungKind::reconnect), rung(RungKind::end)});
  h.at(92s);
  h.asks(CommandAct::hold);
  h.answers(h.hooks.at(0).id, HookResult::failed);
  h.at(95s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_FALSE(h.world.ledger.back().would);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft preempted"});
}

}  // namespace
}  // namespace plimsoll::core

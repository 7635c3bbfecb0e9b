// The ladder: what each rung does and when it has worked.
#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

// --- Each rung
// ------------------------------------------------------------------------------------------------------------

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

HISTORY(Reconnect, ThatTheEdgeSkippedAMomentLaterCostsNoAct) {
  soft_ladder(h, {rung(RungKind::reconnect)});
  h.at(100s);
  ASSERT_EQ(h.hooks.size(), 1u);
  h.answers(h.hooks[0].id, HookResult::skipped, "it does not catch the signal");
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

HISTORY(Worker, ThatIsNotReplacedIsFollowedByARestartThoughAColleagueHasAnEngine) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::worker), rung(RungKind::restart)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId colleague = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.starts_engine(colleague);
  h.at(60s);
  h.has(engine, 500);
  h.at(200s);
  EXPECT_EQ(h.outcomes(), (Outcomes{"worker timed_out", "restart worked"}));
}

HISTORY(Worker, ThatIsNotReplacedIsFollowedByARestart) {
  soft_ladder(h, {rung(RungKind::worker), rung(RungKind::restart)});
  h.at(200s);
  EXPECT_EQ(h.outcomes(), (Outcomes{"worker timed_out", "restart worked"}));
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Worker, LeavesAnEngineThatIsAnOrphanThenToItsOwnEnd) {
  Service service = app();
  service.heal = 2s;
  service.engines[0].expect.within.reset();
  service.engines[0].orphan = {1s, 5s};
  service.engines[0].on_soft = {rung(RungKind::worker), rung(RungKind::end)};
  const auto [worker, engine] = soft_at_90s(h, service);
  h.ignores_signals(engine);
  h.at(120s);
  EXPECT_EQ(h.outcomes(), (Outcomes{"worker timed_out", "end skipped"}));
  EXPECT_EQ(h.signals_to(engine), (std::vector<int>{SIGTERM, SIGKILL})) << "asked once";
  EXPECT_GE(h.signalled_at(engine, SIGKILL), h.signalled_at(engine, SIGTERM) + 5s);
}

HISTORY(Worker, LeavesAnEngineThatSomebodyElseUsesAlone) {
  Service service = app();
  service.heal = 2s;
  service.engines[0].expect.within.reset();
  service.engines[0].orphan.after = 10s;
  service.engines[0].on_soft = {rung(RungKind::worker), rung(RungKind::end)};
  const auto [worker, engine] = soft_at_90s(h, service);
  const ProcessId colleague = h.starts_worker(h.main());
  h.at(96s);
  ASSERT_TRUE(h.alive(engine));
  h.has(engine, 50);
  h.connections[engine] = colleague;
  h.at(120s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_TRUE(h.alive(engine));
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

}  // namespace
}  // namespace plimsoll::core

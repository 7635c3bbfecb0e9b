// How ladders end, queue and cool down; the budget; observe and hold.
#include "daemon/core/ladder.hpp"
#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

// --- How ladders end
// ------------------------------------------------------------------------------------------------------------

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

HISTORY(LadderEnds, ExhaustedWithNothingInItsEnginesPlaceMakesThatOneLost) {
  Service service = app();
  service.heal = 10s;
  service.cool_down = 60s;
  service.engines[0].expect.within = 10s;
  service.engines[0].on_soft = {rung(RungKind::end)};
  service.engines[0].on_lost = {rung(RungKind::worker)};
  const auto [worker, engine] = soft_at_90s(h, service);
  h.at(95s);
  EXPECT_FALSE(h.alive(engine));
  EXPECT_EQ(core::at_work(h.world, "app").find("end for engine " + std::to_string(engine.pid) + " (soft)"), 0u)
      << core::at_work(h.world, "app");
  h.at(110s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft exhausted"});
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  EXPECT_TRUE(h.says("nothing more for 1m, then on_lost: nothing stands in its place"));
  EXPECT_EQ(core::at_work(h.world, "app"), "");
  EXPECT_FALSE(h.well());
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{});
  h.at(175s);
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGTERM}) << "on_lost has its turn when the cool-down is over";
}

HISTORY(LadderEnds, ExhaustedAfterItsAppPutTheEngineAwayIsNoLoss) {
  Service service = app();
  service.heal = 10s;
  service.cool_down = 60s;
  service.engines[0].on_soft = {hook_rung("reconnect"), wait_rung(20s), rung(RungKind::log)};
  service.engines[0].on_lost = {rung(RungKind::restart)};
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::failed); };
  const auto [worker, engine] = soft_at_90s(h, service);
  h.at(95s);
  h.dies(engine, exited(0));
  h.at(300s);
  EXPECT_EQ(h.count(EventKind::engine_disconnected, engine), 1u);
  EXPECT_EQ(h.run(), 1u) << "an event, no remedy";
  EXPECT_TRUE(h.alive(worker));
}

HISTORY(LadderEnds, WithheldAfterItsEngineWasEndedIsTakenUpAfterTheRelease) {
  Service service = app();
  service.heal = 10s;
  service.cool_down = 60s;
  service.engines[0].expect.within = 10s;
  service.engines[0].on_soft = {rung(RungKind::end), rung(RungKind::worker)};
  service.engines[0].on_lost = {rung(RungKind::worker)};
  const auto [worker, engine] = soft_at_90s(h, service);
  h.at(95s);
  ASSERT_FALSE(h.alive(engine));
  h.asks(CommandAct::hold);
  h.at(150s);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{});
  h.asks(CommandAct::release);
  h.at(300s);
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGTERM});
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
  EXPECT_EQ(h.unwell().find("app: its budget of 1 acts per 1h is spent"), 0u) << h.unwell();
  h.at(3700s);
  EXPECT_EQ(h.signals_to(next), std::vector<int>{SIGTERM}) << "an act is free again after an hour";
}

// --- Queueing, cool-down, budget
// ------------------------------------------------------------------------------------------------------

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

// --- Observe and hold
// -----------------------------------------------------------------------------------------------------------------

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

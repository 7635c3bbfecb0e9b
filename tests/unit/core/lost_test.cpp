// Rules 6 to 10 of docs/verdicts.md: disconnected or lost, slots and successors.
#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

// --- 6, 7 and 8: how it ended: disconnected or lost
// ---------------------------------------------------------------------------------

class HowItEnded : public testing::TestWithParam<std::pair<Exit, bool>> {};

TEST_P(HowItEnded, DecidesBetweenDisconnectedAndLost) {
  const auto& [exit, disconnected] = GetParam();
  play_both_ways([&, exit_ = exit, disconnected_ = disconnected](History& h) {
    const auto [worker, engine] = old_worker_with_engine(h);
    h.dies(engine, exit_);
    h.after(1ms);
    EXPECT_EQ(h.count(EventKind::engine_disconnected, engine), disconnected_ ? 1u : 0u);
    EXPECT_EQ(h.count(EventKind::engine_lost, engine), disconnected_ ? 0u : 1u);
    EXPECT_EQ(h.well(), disconnected_);
  });
}

INSTANTIATE_TEST_SUITE_P(Exits, HowItEnded,
                         testing::Values(std::pair{exited(0), true}, std::pair{exited(130), true},
                                         std::pair{exited(143), true}, std::pair{by_signal(SIGINT), true},
                                         std::pair{by_signal(SIGTERM), true}, std::pair{exited(1), false},
                                         std::pair{exited(255), false}, std::pair{by_signal(SIGKILL), false},
                                         std::pair{by_signal(SIGSEGV), false},
                                         std::pair{Exit{ExitKind::oom_killed, 0, SIGKILL, {}}, false}));

HISTORY(Disconnected, IsAnEngineReapedAtOnceWhoseEndNobodyCouldRead) {
  h.kernel.exit_info = false;
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.count(EventKind::engine_disconnected, engine), 1u);
  EXPECT_TRUE(h.says("status: unknown"));
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
}

HISTORY(Disconnected, IsNoRemedysBusinessButNotWellForEver) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.dies(engine, exited(0));
  h.at(90s);
  EXPECT_TRUE(h.well());
  h.at(110s);
  EXPECT_FALSE(h.well()) << "its owner had an engine and has been without one for heal";
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  const ProcessId next = h.starts_engine(worker);
  h.after(2s);
  EXPECT_EQ(h.engine(next), EngineState::live);
  EXPECT_TRUE(h.well());
}

HISTORY(Lost, IsAZombieThatNobodyReaps) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.kernel.find(worker)->reaps = false;
  h.dies(engine, exited(0));
  h.after(900ms);
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 0u);
  h.after(200ms);
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 1u);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  EXPECT_FALSE(h.well()) << "never green beside a zombie engine";
}

HISTORY(Lost, IsAZombieThatIsReapedTooLate) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.kernel.find(worker)->reaps = false;
  h.dies(engine, exited(0));
  h.after(2s);
  h.kernel.reap(engine);
  h.looks();
  EXPECT_EQ(h.engine(engine), EngineState::lost);
}

HISTORY(Lost, IsGivenHealBeforeTheLadder) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.at(99s);
  EXPECT_EQ(h.hooks.size(), 0u);
  h.at(101s);
  ASSERT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.hooks[0].target, worker);
  EXPECT_EQ(h.hooks[0].placeholders.at("engine_pid"), std::to_string(engine.pid));
}

HISTORY(Lost, HealedByItsAppMeansNoActOfOurs) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.after(5s);
  const ProcessId next = h.starts_engine(worker);
  h.at(200s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_EQ(h.signals.size(), 0u);
  EXPECT_TRUE(h.well());
  EXPECT_TRUE(h.says("stands for the lost"));
  EXPECT_EQ(h.engine(next), EngineState::live);
}

HISTORY(Lost, NeverSettledMeansFailedToStart) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(10s);
  const ProcessId engine = h.starts_engine(worker);
  h.after(800ms);
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.count(EventKind::engine_lost), 0u);
  EXPECT_EQ(h.count(EventKind::engine_gone, engine), 1u);
  EXPECT_TRUE(h.says("failed to start"));
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
}

HISTORY(Lost, OfALazyAppIsAnEventAndNoLadder) {
  Service service = app();
  service.engines[0].expect.successor = false;
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.killed(engine);
  h.at(300s);
  EXPECT_EQ(h.count(EventKind::engine_lost, engine), 1u);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_TRUE(h.well());
}

// --- 9 and 10: slot and successor
// -------------------------------------------------------------------------------------------------

HISTORY(Slot, EndsWithItsOwnerAndItsHealClockToo) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.after(10s);
  h.killed(worker);
  h.at(300s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_TRUE(h.well());
  EXPECT_TRUE(h.world.slots.empty());
}

HISTORY(Successor, StandsForOneEndedEngineOnly) {
  const auto [worker, engine] = old_worker_with_engine(h);
  const ProcessId second = h.starts_engine(worker);
  h.at(20s);
  h.killed(engine);
  h.killed(second);
  h.at(25s);
  h.starts_engine(worker);
  h.at(40s);
  const int lost = (h.engine(engine) == EngineState::lost ? 1 : 0) + (h.engine(second) == EngineState::lost ? 1 : 0);
  EXPECT_EQ(lost, 1) << "one of the two is still missing";
}

HISTORY(Successor, MustStandInTheSameSlot) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.killed(engine);
  h.at(12s);
  h.starts_engine(other);
  h.at(40s);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
}

HISTORY(Successor, StartedJustBeforeTheLostOneEndedStandsForIt) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.at(20s);
  h.starts_engine(worker);
  h.at(23s);
  h.killed(engine);
  h.at(200s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
  EXPECT_TRUE(h.well());
}

HISTORY(Successor, ThatStoodThereAllTheTimeStandsForNobody) {
  const auto [worker, engine] = old_worker_with_engine(h);
  const ProcessId replica = h.starts_engine(worker);
  h.at(30s);
  h.killed(engine);
  h.at(60s);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  EXPECT_EQ(h.engine(replica), EngineState::live);
}

HISTORY(Successor, IsOneOnlyWhenItHasSettled) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.killed(engine);
  h.at(20s);
  h.starts_engine(worker);
  h.after(900ms);
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  h.after(200ms);
  EXPECT_EQ(h.engine(engine), EngineState::gone);
}

HISTORY(Lost, UnderALadderAboutItsMemoryIsNotForgottenWithIt) {
  Service service = app();
  service.heal = 40s;
  service.engines[0].memory.for_ = 0s;
  service.engines[0].on_soft = {wait_rung(10s), rung(RungKind::reconnect)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(5s);
  h.has(engine, 500);
  h.at(10s);
  h.killed(engine);
  h.at(30s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft subsided"});
  EXPECT_EQ(h.engine(engine), EngineState::lost);
  h.at(400s);
  EXPECT_EQ(h.ledger().at(1), "lost worked");
}

HISTORY(Lost, UnderALadderThatWaitsIsNoDeadlineOfItsOwn) {
  Service service = app();
  service.heal = 3s;
  service.engines[0].on_hard = {wait_rung(10s), rung(RungKind::restart)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(5s);
  h.has(engine, 900);
  h.at(7s);
  h.killed(engine);
  h.at(12s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hard open"}) << "and the daemon does not spin while it waits";
}

}  // namespace
}  // namespace plimsoll::core

// Histories of a reconnect: a read replica, an app that starts the new engine first, one that connects lazily.
#include "tests/unit/core/cycle_plans.hpp"

namespace plimsoll::core {
namespace {

HISTORY(History, ReadReplicaTwoEnginesInOneSlotAreReplacedOneForOne) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId primary = h.starts_engine(worker);
  h.at(10s);
  const ProcessId replica = h.starts_engine(worker);
  replaces_when_asked(h);
  h.at(60s);
  h.has(primary, 500);
  h.at(120s);
  EXPECT_FALSE(h.alive(primary));
  EXPECT_TRUE(h.alive(replica));
  EXPECT_EQ(h.signals_to(replica), std::vector<int>{});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft worked"});
}

HISTORY(History, ReadReplicaTheOtherOneDoesNotStandForTheOneThatWasPutAway) {
  Service service = app();
  service.engines[0].on_soft = {rung(RungKind::reconnect)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId primary = h.starts_engine(worker);
  h.starts_engine(worker);
  h.on_hook = [&](const CallHook& call) {
    h.kernel.end(primary, by_signal(SIGINT));
    h.answers(call.id, HookResult::done);
  };
  h.at(60s);
  h.has(primary, 500);
  h.at(180s);
  EXPECT_EQ(h.outcomes(), std::vector<std::string>{"reconnect timed_out"});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft exhausted"});
}

HISTORY(History, AReconnectThatStartsTheNewEngineFirst) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.has(engine, 500);
  HookId asked = 0;
  h.on_hook = [&](const CallHook& call) { asked = call.id; };
  h.at(91s);
  ASSERT_NE(asked, 0u);
  const ProcessId next = h.starts_engine(worker);
  h.at(94s);
  h.dies(engine, by_signal(SIGTERM));
  h.answers(asked, HookResult::done);
  h.at(96s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft worked"});
  EXPECT_EQ(h.world.ledger.back().successor_pid, next.pid);
  EXPECT_EQ(h.world.ledger.back().without_engine, Duration{0});
  EXPECT_EQ(h.count(EventKind::engine_lost), 0u);
}

HISTORY(History, ALazyAppNeedsNoSuccessor) {
  Service service = app();
  service.engines[0].expect.successor = false;
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.has(engine, 500);
  h.on_hook = [&](const CallHook& call) {
    h.kernel.end(engine, exited(0));
    h.answers(call.id, HookResult::done);
  };
  h.at(300s);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"soft worked"});
  EXPECT_EQ(h.run(), 1u);
  EXPECT_TRUE(h.alive(worker));
  EXPECT_TRUE(h.well());
}

HISTORY(Reconnect, TakesOneThatItsAppHasReplacedMeanwhileForHealed) {
  Service service = app();
  service.heal = 10s;
  service.engines[0].reconnect = Reconnect{Reconnect::How::end, {}};
  service.engines[0].on_lost = {rung(RungKind::worker)};
  h.begin(service);
  const ProcessId first = h.starts_worker(h.main());
  const ProcessId second = h.starts_worker(h.main());
  const ProcessId asked = h.starts_engine(first);
  const ProcessId broken = h.starts_engine(second);
  h.at(5s);
  h.asks(CommandAct::reconnect);
  h.dies(broken, exited(1));
  h.after(100ms);
  EXPECT_FALSE(h.alive(asked));
  h.starts_engine(first);
  h.after(3s);  // the round waits for the second one's by now
  h.starts_engine(second);
  h.after(2min);
  EXPECT_EQ(h.signals_to(second), std::vector<int>{}) << "its engine was replaced: it is no second healer's";
  EXPECT_TRUE(h.alive(second));
}

}  // namespace
}  // namespace plimsoll::core

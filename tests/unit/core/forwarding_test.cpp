// Signals that are passed on to a command, and stops that are asked for again.
#include "daemon/core/forwarding.hpp"

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

/// A main process that takes no notice of being asked, with half a minute of grace.
void begin_stubborn(History& h) {
  h.begin(bare());
  h.ignores_signals(h.main());
  h.at(5s);
  h.happens(StopRequested{"SIGTERM", SIGTERM});
}

HISTORY(Hasten, SecondRequestIsPassedOnAndLeavesTwoSeconds) {
  begin_stubborn(h);
  const ProcessId main = h.main();
  h.at(6s);
  h.happens(StopRequested{"SIGINT", SIGINT});
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM, SIGINT}));
  EXPECT_TRUE(h.says("asked to stop again: SIGINT; passed on, at most 2 s are left of the grace"));
  h.at(7900ms);
  EXPECT_TRUE(h.kernel.alive(main));
  h.at(8s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM, SIGINT, SIGKILL}));
}

HISTORY(Hasten, RequestWithoutASignalPassesOnTheStopSignal) {
  Service service = bare();
  service.stop.signal = SIGQUIT;
  h.begin(service);
  h.ignores_signals(h.main());
  h.at(5s);
  const ProcessId main = h.main();
  h.happens(StopRequested{"a test", 0});
  h.at(6s);
  h.happens(StopRequested{"a test", 0});
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGQUIT, SIGQUIT}));
}

HISTORY(Hasten, ThirdRequestLeavesNothing) {
  begin_stubborn(h);
  const ProcessId main = h.main();
  h.at(6s);
  h.happens(StopRequested{"SIGTERM", SIGTERM});
  h.at(6500ms);
  h.happens(StopRequested{"SIGTERM", SIGTERM});
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM, SIGTERM, SIGKILL}));
  EXPECT_FALSE(h.kernel.alive(main));
}

HISTORY(Hasten, WhoSignalsAProcessAndThenItsGroupAsksOnce) {
  begin_stubborn(h);
  const ProcessId main = h.main();
  h.at(5050ms);
  h.happens(StopRequested{"SIGTERM", SIGTERM});
  h.at(5090ms);
  h.happens(StopRequested{"SIGTERM", SIGTERM});
  h.at(30s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM}));
  h.at(36s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM, SIGKILL})) << "after its whole grace";
}

HISTORY(Hasten, StopThatNobodyAskedForIsAskedForOnceByTheFirstRequest) {
  Service essential = bare("one");
  essential.essential = true;
  essential.restart = RestartPolicy::never;
  h.begin(plan_of({essential, bare("two")}));
  h.ignores_signals(h.main("two"));
  h.at(5s);
  h.dies(h.main("one"), exited(3));
  h.at(6s);
  const ProcessId main = h.main("two");
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM}));
  h.happens(StopRequested{"SIGTERM", SIGTERM});
  h.at(30s);
  EXPECT_EQ(h.signals_to(main), (std::vector<int>{SIGTERM})) << "its grace is as it was";
}

HISTORY(Forward, GoesToTheMainProcessAndToNobodyElse) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.ignores_signals(h.main());
  h.ignores_signals(worker);
  h.happens(SignalToForward{SIGHUP, true, {}});
  EXPECT_EQ(h.signals_to(h.main()), std::vector<int>{SIGHUP});
  EXPECT_TRUE(h.signals_to(worker).empty());
}

HISTORY(Forward, ToTheGroupReachesEachRecordedMemberOnce) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId gone = h.starts_worker(h.main());
  h.ignores_signals(h.main());
  h.ignores_signals(worker);
  h.dies(gone, exited(0));
  const ProcessId stranger{4242, 1};
  h.happens(SignalToForward{SIGUSR1, true, {h.main(), worker, gone, stranger}});
  EXPECT_EQ(h.signals_to(h.main()), std::vector<int>{SIGUSR1});
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{SIGUSR1});
  EXPECT_TRUE(h.signals_to(gone).empty());
  EXPECT_TRUE(h.signals_to(stranger).empty());
  h.happens(SignalToForward{SIGTERM, false, {h.main(), worker}});
  EXPECT_EQ(h.signals_to(h.main()), std::vector<int>{SIGUSR1}) << "it is asked by its stop";
  EXPECT_EQ(h.signals_to(worker), (std::vector<int>{SIGUSR1, SIGTERM}));
}

}  // namespace
}  // namespace plimsoll::core

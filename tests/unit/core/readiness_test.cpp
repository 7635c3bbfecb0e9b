// Readiness: from spawned to ready, by every way of asking; late, or ended as failed; what a task is.
#include "daemon/core/readiness.hpp"

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

Service asked(bool restart = false) {
  Service service = bare();
  service.ready = Readiness{TcpProbe{"127.0.0.1", "8000"}, 1s, 10s, restart};
  service.backoff.first = 2s;
  return service;
}

void answers_from(History& h, Duration instant) {
  h.on_probe = [&h, instant](const AskProbe& question) { h.answers_probe(question.id, h.elapsed() >= instant); };
}

HISTORY(Readiness, IsAskedUntilItIsAnswered) {
  answers_from(h, 4s);
  h.begin(asked());
  h.at(3500ms);
  EXPECT_EQ(h.state(), ServiceState::starting);
  EXPECT_FALSE(h.well());
  h.at(5s);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.questions, 5) << "at 0, 1, 2, 3 and 4 s, and none after";
  h.at(60s);
  EXPECT_EQ(h.questions, 5);
  EXPECT_TRUE(h.well());
}

HISTORY(Readiness, ThatIsNeverAnsweredMakesItLateAndLeavesItAlone) {
  answers_from(h, 1h);
  h.begin(asked());
  h.at(9900ms);
  EXPECT_EQ(h.state(), ServiceState::starting);
  h.at(10100ms);
  EXPECT_EQ(h.state(), ServiceState::late);
  EXPECT_TRUE(h.says("HTTP 503")) << "the last answer is told";
  EXPECT_EQ(h.signals.size(), 0u);
  h.at(60s);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_FALSE(h.well());
}

HISTORY(Readiness, ThatCouldNotBeAskedForEndsNoRunWhateverThePlanSays) {
  h.on_probe = [&h](const AskProbe& question) { h.cannot_ask(question.id); };
  h.begin(asked(true));
  h.at(60s);
  EXPECT_EQ(h.state(), ServiceState::late);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_TRUE(h.says("it could not be asked"));
  answers_from(h, 0s);
  h.at(65s);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Readiness, ThatCouldNotBeAskedForOnceIsJudgedByTheAnswersSince) {
  h.on_probe = [&h](const AskProbe& question) {
    if (h.elapsed() < 2s) return h.cannot_ask(question.id);
    h.answers_probe(question.id, false);
  };
  h.begin(asked(true));
  h.at(11s);
  EXPECT_EQ(h.state(), ServiceState::backoff);
  h.at(14s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Readiness, OfWhatOnlyWaitsToStopIsNotAskedFor) {
  Service db = asked();
  db.name = "db";
  Service web = bare("web");
  web.required = {"db"};
  bool well = true;
  h.on_probe = [&h, &well](const AskProbe& question) { h.answers_probe(question.id, well); };
  h.begin(plan_of({db, web}));
  h.at(1s);
  h.ignores_signals(h.main("web"));
  well = false;
  h.killed(h.main("db"));
  h.at(5s);
  EXPECT_EQ(h.state("db"), ServiceState::starting);
  h.asks(CommandAct::stop, "db");
  const auto questions = h.questions;
  h.at(20s);
  EXPECT_EQ(h.state("db"), ServiceState::starting) << "it waits for web, and the daemon does not spin meanwhile";
  EXPECT_EQ(h.questions, questions);
}

HISTORY(Readiness, OfALateOneIsAskedOn) {
  answers_from(h, 30s);
  h.begin(asked());
  h.at(20s);
  EXPECT_EQ(h.state(), ServiceState::late);
  h.at(32s);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Readiness, ThatIsNotAnsweredInTimeEndsTheRunWhereThePlanSaysSo) {
  answers_from(h, 15s);
  h.begin(asked(true));
  h.at(11s);
  EXPECT_EQ(h.state(), ServiceState::backoff);
  h.at(14s);
  EXPECT_EQ(h.run(), 2u);
  h.at(20s);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Readiness, ThatIsNotAnsweredInTimeEndsNoRunWhileActsAreHeld) {
  answers_from(h, 1h);
  h.begin(asked(true));
  h.asks(CommandAct::hold, "", [](CommandGiven& c) { c.except_hard = true; });
  h.at(60s);
  EXPECT_EQ(h.state(), ServiceState::late);
  EXPECT_EQ(h.signals.size(), 0u);
  EXPECT_EQ(h.saying("would end app as failed: not ready after 10s"), 1u);
  EXPECT_TRUE(std::any_of(h.said.begin(), h.said.end(), [](const Said& one) { return one.entry.would; }));
  h.asks(CommandAct::release);
  EXPECT_EQ(h.state(), ServiceState::backoff);
  h.at(65s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Readiness, ThatCameWhileActsWereHeldIsNoReasonAfterIt) {
  answers_from(h, 30s);
  h.begin(asked(true));
  h.asks(CommandAct::hold, "", [](CommandGiven& c) { c.for_ = 60s; });
  h.at(20s);
  EXPECT_EQ(h.state(), ServiceState::late);
  h.at(120s);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(Readiness, ThatCannotBeAskedForAfterTheHoldEndsNoRunYet) {
  bool can = true;
  h.on_probe = [&h, &can](const AskProbe& question) {
    return can ? h.answers_probe(question.id, false) : h.cannot_ask(question.id);
  };
  h.begin(asked(true));
  h.asks(CommandAct::hold);
  h.at(20s);
  can = false;
  h.at(25s);
  h.asks(CommandAct::release);
  h.at(40s);
  EXPECT_EQ(h.state(), ServiceState::late) << "it may be ready by now";
  can = true;
  h.at(50s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Readiness, ThatIsNotAnsweredInTimeEndsNoRunInObserve) {
  answers_from(h, 1h);
  Plan plan = plan_of_one(asked(true));
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  h.at(60s);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_EQ(h.signals.size(), 0u);
  plan.daemon.mode = Mode::act;
  h.reloads(plan);
  h.at(65s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Readiness, ThatIsNotAnsweredInTimeIsForgivenAsALongRunIs) {
  answers_from(h, 1h);
  Service service = asked(true);
  service.backoff = {1s, 10.0, 100s, 10s};
  h.begin(service);
  h.at(40s);
  EXPECT_EQ(h.run(), 4u) << "each has lived for `forgive`";
}

HISTORY(Readiness, WithoutAnyAnswerOfTheEdgeIsAskedAgain) {
  h.begin(asked());
  h.at(30s);
  EXPECT_GE(h.questions, 3) << "one that is lost does not stop the asking";
  EXPECT_EQ(h.state(), ServiceState::late);
}

HISTORY(Readiness, ByDelayIsReadyAfterIt) {
  Service service = bare();
  service.ready = Readiness{DelayProbe{5s}, 1s, 60s, false};
  h.begin(service);
  h.at(4900ms);
  EXPECT_EQ(h.state(), ServiceState::starting);
  h.at(5100ms);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.questions, 0);
}

HISTORY(Readiness, ThatTheAppSaysCountsForItsRunOnly) {
  Service service = bare();
  service.ready = Readiness{LogProbe{"*started*"}, 1s, 60s, false};
  h.begin(service);
  h.at(1s);
  h.happens(ReadySaid{"app", 7, "another run's line"});
  EXPECT_EQ(h.state(), ServiceState::starting);
  h.happens(ReadySaid{"app", 1, "it said so in its output"});
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Readiness, OfAMainProcessThatEndsFirstIsAFailedRun) {
  answers_from(h, 1h);
  h.begin(asked());
  h.at(2s);
  h.dies(h.main(), exited(1));
  h.after(100ms);
  EXPECT_EQ(h.state(), ServiceState::backoff);
  const int asked_so_far = h.questions;
  h.after(1500ms);
  EXPECT_EQ(h.questions, asked_so_far) << "nobody asks a run that is over";
}

HISTORY(Readiness, OfAnAnswerThatComesAfterTheStopChangesNothing) {
  ProbeId last = 0;
  h.on_probe = [&](const AskProbe& question) { last = question.id; };
  h.begin(asked());
  h.at(1s);
  h.ignores_signals(h.main());
  h.asks(CommandAct::stop);
  h.answers_probe(last, true);
  EXPECT_EQ(h.state(), ServiceState::stopping);
}

HISTORY(Readiness, IsWhatAStartCommandWaitsFor) {
  answers_from(h, 5s);
  h.begin(asked());
  const CommandId id = h.asks(CommandAct::start);
  h.at(4s);
  EXPECT_EQ(h.status(id), 0);
  h.at(6s);
  EXPECT_EQ(h.status(id), 200);
}

HISTORY(Readiness, ThatDoesNotComeIsWhatAStartCommandIsTold) {
  answers_from(h, 1h);
  h.begin(asked());
  const CommandId id = h.asks(CommandAct::start);
  h.at(11s);
  EXPECT_EQ(h.status(id), 500);
  EXPECT_NE(h.message(id).find("late"), std::string::npos);
}

HISTORY(Readiness, OfARunIsWhatItWasLaunchedWithWhateverAReloadSays) {
  Service web = asked();
  web.name = "web";
  Service proxy = bare("proxy");
  proxy.required = {"web"};
  answers_from(h, 30s);
  h.begin(plan_of({web, proxy}));
  h.at(5s);
  web.ready.reset();
  h.reloads(plan_of({web, proxy}));
  h.at(12s);
  EXPECT_EQ(h.state("web"), ServiceState::late) << "it was launched to be asked for ten seconds";
  h.at(40s);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
  EXPECT_EQ(h.state("proxy"), ServiceState::ready);
  h.killed(h.main("web"));
  h.at(50s);
  EXPECT_EQ(h.state("web"), ServiceState::ready) << "its next run is asked nothing";
}

// --- Tasks

Service task(std::string name = "migrate") {
  Service service = bare(std::move(name));
  service.kind = ServiceKind::task;
  service.time_limit = 30s;
  service.backoff.first = 2s;
  return service;
}

HISTORY(Task, KeepsTheTimeLimitOfItsLaunchWhateverAReloadSays) {
  Service migrate = task();
  h.begin(migrate);
  h.at(5s);
  migrate.time_limit.reset();
  h.reloads(migrate);
  h.at(31s);
  EXPECT_TRUE(h.says("not done after 30s"));
  h.at(100s);
  EXPECT_EQ(h.run("migrate"), 2u) << "the next one has none";
}

HISTORY(Task, IsReadyWhenItsWorkIsDone) {
  h.begin(task());
  h.at(5s);
  EXPECT_EQ(h.state("migrate"), ServiceState::starting);
  h.dies(h.main("migrate"), exited(0));
  h.after(1s);
  EXPECT_EQ(h.state("migrate"), ServiceState::ready);
  EXPECT_TRUE(h.well());
  h.at(300s);
  EXPECT_EQ(h.run("migrate"), 1u) << "once";
}

HISTORY(Task, IsWaitedForByWhatRequiresIt) {
  Service web = bare("web");
  web.required = {"migrate"};
  h.begin(plan_of({task(), web}));
  h.at(10s);
  EXPECT_EQ(h.state("web"), ServiceState::starting);
  h.dies(h.main("migrate"), exited(0));
  h.after(1s);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
}

HISTORY(Task, ThatFailsIsTriedAgainByItsPolicy) {
  h.begin(task());
  h.at(1s);
  h.dies(h.main("migrate"), exited(1));
  h.after(1s);
  EXPECT_EQ(h.state("migrate"), ServiceState::backoff);
  h.after(2s);
  EXPECT_EQ(h.run("migrate"), 2u);
}

HISTORY(Task, OverItsTimeLimitIsEndedWithItsWholeTree) {
  h.begin(task());
  h.at(1s);
  const ProcessId engine = h.starts(h.main("migrate"), {"/usr/bin/schema-engine"});
  h.ignores_signals(engine);
  h.at(29s);
  EXPECT_EQ(h.signals.size(), 0u);
  h.at(100s);
  EXPECT_FALSE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine).back(), SIGKILL);
  EXPECT_TRUE(h.says("not done after 30s"));
  EXPECT_GE(h.run("migrate"), 2u);
}

HISTORY(Task, OverItsTimeLimitWorksOnWhileActsAreHeld) {
  h.begin(task());
  h.asks(CommandAct::hold);
  h.at(60s);
  EXPECT_EQ(h.state("migrate"), ServiceState::starting);
  EXPECT_EQ(h.signals.size(), 0u);
  EXPECT_EQ(h.saying("would end migrate as failed: not done after 30s"), 1u);
  h.asks(CommandAct::release);
  EXPECT_EQ(h.state("migrate"), ServiceState::backoff);
  h.at(65s);
  EXPECT_EQ(h.run("migrate"), 2u);
  h.at(90s);
  EXPECT_EQ(h.state("migrate"), ServiceState::starting) << "the next one has its own time";
}

HISTORY(Task, ThatIsDoneInAHoldAfterItsTimeIsDone) {
  h.begin(task());
  h.asks(CommandAct::hold);
  h.at(60s);
  h.dies(h.main("migrate"), exited(0));
  h.after(1s);
  EXPECT_EQ(h.state("migrate"), ServiceState::ready);
  h.asks(CommandAct::release);
  h.after(60s);
  EXPECT_EQ(h.run("migrate"), 1u);
}

HISTORY(Task, OverItsTimeLimitHasLivedLongEnoughToBeForgiven) {
  Service migrate = task();
  migrate.backoff = {1s, 10.0, 100s, 20s};
  h.begin(migrate);
  h.at(95s);
  EXPECT_EQ(h.run("migrate"), 4u);
}

HISTORY(Task, ThatIsDoneRunsAgainWhenItIsAskedTo) {
  h.begin(task());
  h.at(1s);
  h.dies(h.main("migrate"), exited(0));
  h.after(1s);
  h.asks(CommandAct::restart, "migrate");
  h.after(1s);
  EXPECT_EQ(h.run("migrate"), 2u);
  EXPECT_EQ(h.state("migrate"), ServiceState::starting);
  h.asks(CommandAct::stop, "migrate");
  h.after(1s);
  EXPECT_EQ(h.state("migrate"), ServiceState::stopped);
}

HISTORY(Task, ThatIsDoneStopsWithTheDaemon) {
  h.begin(task());
  h.at(1s);
  h.dies(h.main("migrate"), exited(0));
  h.after(1s);
  h.happens(StopRequested{"SIGTERM"});
  h.after(5s);
  EXPECT_EQ(h.quit, 0);
}

// --- What counts as success, and the spread of the backoff

HISTORY(Success, MayBeAnotherCodeOrASignal) {
  for (const auto& [exit, next] :
       std::vector<std::pair<Exit, ServiceState>>{{exited(3), ServiceState::stopped},
                                                  {by_signal(SIGTERM), ServiceState::stopped},
                                                  {exited(0), ServiceState::backoff}}) {
    History one;
    Service service = bare();
    service.success = {3, 143};
    one.begin(service);
    one.at(5s);
    one.dies(one.main(), exit);
    one.after(100ms);
    EXPECT_EQ(to_text(one.state()), std::string{to_text(next)});
  }
  (void)h;
}

TEST(Jitter, SpreadsTheBackoffByItsShareAndNoFurther) {
  std::set<std::int64_t> waits;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    History h;
    Service service = bare();
    service.backoff = {1000ms, 1.0, 60s, 60s, Share{0.2}};
    Machine machine;
    machine.seed = seed;
    h.begin(plan_of_one(service), machine);
    h.at(1s);
    std::optional<Duration> again;
    h.on_spawn = [&](ProcessId) { again = h.elapsed(); };
    h.dies(h.main(), exited(1));
    h.after(3s);
    ASSERT_TRUE(again);
    waits.insert((*again - 1s).count());
  }
  EXPECT_GE(*waits.begin(), 800);
  EXPECT_LE(*waits.rbegin(), 1200);
  EXPECT_GT(waits.size(), 100u);
}

}  // namespace
}  // namespace plimsoll::core

// What operators ask for: every command is answered once, with its outcome, a reason, or its deadline.
#include <cerrno>

#include "tests/unit/core/cycle_plans.hpp"

namespace plimsoll::core {
namespace {

struct Worker {
  ProcessId worker;
  ProcessId engine;
};

Worker with_engine(History& h, Service service = app()) {
  h.begin(std::move(service));
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  return {worker, engine};
}

HISTORY(Command, RestartAfterAStopThatStillWaitsIsTheLastWord) {
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({bare("db"), web}));
  h.ignores_signals(h.main("web"));
  h.asks(CommandAct::stop, "db");
  EXPECT_EQ(h.state("db"), ServiceState::ready) << "it waits for web";
  const CommandId restart = h.asks(CommandAct::restart, "db");
  h.at(60s);
  EXPECT_EQ(h.status(restart), 200);
  EXPECT_EQ(h.state("db"), ServiceState::ready);
  EXPECT_EQ(h.run("db"), 2u);
}

HISTORY(Command, StartAfterAStopThatStillWaitsIsTheLastWord) {
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({bare("db"), web}));
  h.ignores_signals(h.main("web"));
  h.asks(CommandAct::stop, "db");
  const CommandId start = h.asks(CommandAct::start, "db");
  h.at(60s);
  EXPECT_EQ(h.status(start), 200);
  EXPECT_EQ(h.state("db"), ServiceState::ready);
  EXPECT_EQ(h.run("db"), 1u);
}

HISTORY(Command, ForAnUnknownServiceNamesTheKnownOnes) {
  h.begin(plan_of({bare("db"), bare("web")}));
  const CommandId id = h.asks(CommandAct::stop, "wbe");
  EXPECT_EQ(h.status(id), 404);
  EXPECT_NE(h.message(id).find("db, web"), std::string::npos);
}

HISTORY(Command, IsAnEventThatSaysWhoAsked) {
  h.begin(bare());
  h.asks(CommandAct::restart);
  ASSERT_EQ(h.count(EventKind::operator_), 1u);
  EXPECT_NE(h.of_kind(EventKind::operator_)[0].entry.why.find("restart, asked for by root"), std::string::npos);
}

HISTORY(Command, ThatNeedNotBeWaitedForIsAnsweredAtOnce) {
  h.begin(bare());
  h.at(1s);
  h.ignores_signals(h.main());
  const CommandId id = h.asks(CommandAct::stop, "app", [](CommandGiven& c) { c.wait = false; });
  EXPECT_EQ(h.status(id), 202);
}

HISTORY(Command, StartOfWhatRunsIsDoneAlready) {
  h.begin(bare());
  EXPECT_EQ(h.status(h.asks(CommandAct::start)), 200);
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(Command, StopOfWhatIsStoppedIsDoneAlready) {
  h.begin(bare());
  h.asks(CommandAct::stop);
  h.at(1s);
  EXPECT_EQ(h.status(h.asks(CommandAct::stop)), 200);
}

HISTORY(Command, StopIsAnsweredWhenNothingIsLeft) {
  h.begin(bare());
  h.at(1s);
  h.ignores_signals(h.main());
  const CommandId id = h.asks(CommandAct::stop);
  h.at(30s);
  EXPECT_EQ(h.status(id), 0);
  h.at(32s);
  EXPECT_EQ(h.status(id), 200);
}

HISTORY(Command, StopIsRefusedByALaterStart) {
  h.begin(bare());
  h.at(1s);
  h.ignores_signals(h.main());
  const CommandId stop = h.asks(CommandAct::stop);
  h.at(2s);
  const CommandId start = h.asks(CommandAct::start);
  h.at(40s);
  EXPECT_EQ(h.status(stop), 409);
  EXPECT_EQ(h.status(start), 200);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Command, RestartIsAnsweredByTheNextRun) {
  h.begin(bare());
  h.at(1s);
  const CommandId id = h.asks(CommandAct::restart);
  h.at(2s);
  EXPECT_EQ(h.status(id), 200);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.world.services.at("app").acts.size(), 0u) << "a command is no intervention";
  EXPECT_EQ(h.ledger(), std::vector<std::string>{});
}

HISTORY(Command, StartThatFailsSaysWhy) {
  h.begin(bare());
  h.asks(CommandAct::stop);
  h.at(1s);
  h.spawn_fails = SpawnFailed{"", 0, ENOENT, "exec", "No such file or directory"};
  const CommandId id = h.asks(CommandAct::start);
  h.at(2s);
  EXPECT_EQ(h.status(id), 500);
  EXPECT_EQ(h.message(id), "app does not start: exec: No such file or directory");
}

HISTORY(Command, StartThatWaitsForARequirementIsAnsweredAtItsDeadline) {
  Service db = bare("db");
  db.ready = Readiness{DelayProbe{1h}};
  db.ready->timeout = 2h;
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({db, web}));
  const CommandId id = h.asks(CommandAct::start, "web");
  h.at(99s);
  EXPECT_EQ(h.status(id), 0);
  h.at(110s);
  EXPECT_EQ(h.status(id), 500);
  EXPECT_EQ(h.message(id), "no outcome in time, it goes on: web is starting: waits for db (starting)");
}

HISTORY(Command, StartThatWaitsForARequirementThatFailsNamesItAndWhy) {
  h.spawn_fails = SpawnFailed{"", 0, ENOENT, "exec", "No such file or directory"};
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({bare("db"), web}));
  const CommandId id = h.asks(CommandAct::start, "web");
  h.at(1s);
  EXPECT_EQ(h.status(id), 500);
  EXPECT_EQ(h.message(id).find("web does not start yet: it waits for db, which is in backoff: exec: No such file"), 0u)
      << h.message(id);
}

HISTORY(Command, StartOfWhatIsOnItsWayIsNotAnsweredByTheEndOfWhatItRequired) {
  Service web = bare("web");
  web.required = {"db"};
  web.ready = Readiness{DelayProbe{20s}};
  h.begin(plan_of({bare("db"), web}));
  const CommandId id = h.asks(CommandAct::start, "web");
  h.at(5s);
  h.killed(h.main("db"));
  h.at(6s);
  EXPECT_EQ(h.status(id), 0) << "it waits for nobody any more";
  h.at(25s);
  EXPECT_EQ(h.status(id), 200);
}

HISTORY(Command, WhatAnOperatorStoppedStaysStoppedOverAReload) {
  h.begin(app());
  h.asks(CommandAct::stop);
  h.at(1s);
  Service changed = app();
  changed.command = {"/usr/bin/gunicorn", "other"};
  h.reloads(changed);
  h.at(60s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
  EXPECT_TRUE(h.well());
}

HISTORY(Command, ReconnectReplacesEveryEngineOneAfterTheOther) {
  const auto [worker, engine] = with_engine(h);
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId others = h.starts_engine(other);
  h.at(20s);
  replaces_when_asked(h);
  const CommandId id = h.asks(CommandAct::reconnect);
  h.at(20s + 500ms);
  EXPECT_EQ(h.hooks.size(), 1u);
  h.at(30s);
  EXPECT_EQ(h.status(id), 200);
  EXPECT_NE(h.message(id).find("2 engines"), std::string::npos);
  EXPECT_FALSE(h.alive(engine));
  EXPECT_FALSE(h.alive(others));
  EXPECT_TRUE(h.alive(worker));
  EXPECT_EQ(h.ledger(), std::vector<std::string>{}) << "a command is no intervention";
}

HISTORY(Command, ReconnectOfOnePidLeavesTheOthersAlone) {
  const auto [worker, engine] = with_engine(h);
  const ProcessId second = h.starts_engine(worker);
  h.at(20s);
  replaces_when_asked(h);
  const int pid = second.pid;
  const CommandId id = h.asks(CommandAct::reconnect, "app", [pid](CommandGiven& c) { c.pid = pid; });
  h.at(30s);
  EXPECT_EQ(h.status(id), 200);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_FALSE(h.alive(second));
}

HISTORY(Command, ReconnectThatFailsSaysWhy) {
  with_engine(h);
  h.on_hook = [&](const CallHook& call) { h.answers(call.id, HookResult::failed, "HTTP 404"); };
  const CommandId id = h.asks(CommandAct::reconnect);
  h.at(12s);
  EXPECT_EQ(h.status(id), 500);
  EXPECT_NE(h.message(id).find("HTTP 404"), std::string::npos);
}

HISTORY(Command, ReconnectIsDoneInObserveAndHeldToo) {
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId worker = h.starts_worker(h.main());
  h.starts_engine(worker);
  h.at(10s);
  h.asks(CommandAct::hold);
  replaces_when_asked(h);
  const CommandId id = h.asks(CommandAct::reconnect);
  h.at(20s);
  EXPECT_EQ(h.status(id), 200);
}

HISTORY(Command, ReconnectIsRefusedWhereNothingFits) {
  h.begin(app());
  h.at(1s);
  EXPECT_EQ(h.status(h.asks(CommandAct::reconnect)), 409);
  h.asks(CommandAct::stop);
  h.at(2s);
  EXPECT_EQ(h.status(h.asks(CommandAct::reconnect)), 409);
}

HISTORY(Command, ReconnectIsAnsweredWhenTheRunEndsMeanwhile) {
  with_engine(h);
  const CommandId id = h.asks(CommandAct::reconnect);
  EXPECT_EQ(h.status(h.asks(CommandAct::reconnect)), 409) << "one round at a time";
  h.killed(h.main());
  h.at(12s);
  EXPECT_EQ(h.status(id), 500);
}

HISTORY(Command, HookGoesToTheOneWorkerOrAsksWhich) {
  const auto [worker, engine] = with_engine(h);
  const auto reconnect = [](CommandGiven& c) { c.hook = "reconnect"; };
  const CommandId one = h.asks(CommandAct::hook, "app", reconnect);
  ASSERT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.hooks[0].target, worker);
  h.answers(h.hooks[0].id, HookResult::done);
  EXPECT_EQ(h.status(one), 200);
  const ProcessId other = h.starts_worker(h.main());
  const ProcessId others = h.starts_engine(other);
  h.at(20s);
  EXPECT_EQ(h.status(h.asks(CommandAct::hook, "app", reconnect)), 400);
  h.asks(CommandAct::hook, "app", [&](CommandGiven& c) {
    c.hook = "reconnect";
    c.pid = others.pid;
  });
  ASSERT_EQ(h.hooks.size(), 2u);
  EXPECT_EQ(h.hooks[1].target, other);
}

HISTORY(Command, HookGoesToAWorkerWhoseEngineIsLost) {
  const auto [worker, engine] = with_engine(h);
  h.at(20s);
  h.killed(engine);
  h.at(25s);
  ASSERT_EQ(h.engine(engine), EngineState::lost);
  h.asks(CommandAct::hook, "app", [&, pid = engine.pid](CommandGiven& c) {
    c.hook = "reconnect";
    c.pid = pid;
  });
  ASSERT_EQ(h.hooks.size(), 1u);
  EXPECT_EQ(h.hooks[0].target, worker);
}

HISTORY(Command, HookThatIsNotThereIsNotFound) {
  h.begin(app());
  const CommandId id = h.asks(CommandAct::hook, "app", [](CommandGiven& c) { c.hook = "drain"; });
  EXPECT_EQ(h.status(id), 404);
  EXPECT_NE(h.message(id).find("it has reconnect"), std::string::npos);
}

HISTORY(Command, HookOfATaskThatIsDoneHasNobodyToGoTo) {
  Service task = bare();
  task.kind = ServiceKind::task;
  task.hooks["drain"] = signal_hook("drain", HookTarget::service);
  h.begin(task);
  h.dies(h.main(), exited(0));
  h.at(1s);
  ASSERT_EQ(h.state(), ServiceState::ready);
  const CommandId id = h.asks(CommandAct::hook, "app", [](CommandGiven& c) { c.hook = "drain"; });
  EXPECT_EQ(h.status(id), 409);
  EXPECT_FALSE(h.holds([](const Effect& effect) { return std::holds_alternative<CallHook>(effect); }));
}

HISTORY(Command, HookThatIsNeverAnsweredHasADeadline) {
  with_engine(h);
  const CommandId id = h.asks(CommandAct::hook, "app", [](CommandGiven& c) { c.hook = "reconnect"; });
  h.at(26s);
  EXPECT_EQ(h.status(id), 0);
  h.at(28s);
  EXPECT_EQ(h.status(id), 500);
}

HISTORY(Command, HoldAndReleaseAreAnsweredAtOnceAndShown) {
  h.begin(app());
  EXPECT_EQ(h.status(h.asks(CommandAct::hold)), 200);
  EXPECT_FALSE(h.well());
  EXPECT_EQ(h.status(h.asks(CommandAct::release)), 200);
  EXPECT_TRUE(h.well());
}

HISTORY(Command, IsRefusedWhileTheDaemonStops) {
  h.begin(bare());
  h.at(1s);
  h.ignores_signals(h.main());
  h.happens(StopRequested{"SIGTERM"});
  EXPECT_EQ(h.status(h.asks(CommandAct::start)), 409);
  const CommandId stop = h.asks(CommandAct::stop);
  h.at(60s);
  EXPECT_EQ(h.status(stop), 200);
}

HISTORY(Command, StartAfterGivingUpBeginsANewSeries) {
  Service service = bare();
  service.give_up = GiveUp{1, 10min};
  h.begin(service);
  h.killed(h.main());
  h.at(5s);
  h.killed(h.main());
  h.at(10s);
  ASSERT_EQ(h.state(), ServiceState::failed);
  h.asks(CommandAct::start);
  h.at(11s);
  h.killed(h.main());
  h.at(20s);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

}  // namespace
}  // namespace plimsoll::core

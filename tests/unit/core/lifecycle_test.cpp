// The life of a service: its states, its restart policy, its backoff, what it requires, and how the daemon ends.
#include "daemon/core/lifecycle.hpp"

#include <cerrno>
#include <fstream>
#include <sstream>

#include "daemon/core/policy.hpp"
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

SpawnFailed no_such_file() {
  return {"", 0, ENOENT, "exec", "No such file or directory"};
}

// --- The state table of lifecycle.hpp
// -----------------------------------------------------------------------------------

/// Brings the service into a state, by the way that leads there.
void reach(History& h, ServiceState state) {
  Service service = bare();
  service.backoff = {5s, 2.0, 60s, 60s, {}};
  if (state == ServiceState::late) {
    service.ready = Readiness{TcpProbe{"127.0.0.1", "80"}, 1s, 3s, false};
    h.begin(service);
    h.at(5s);
    return;
  }
  if (state == ServiceState::failed) service.restart = RestartPolicy::never;
  if (state == ServiceState::starting) {
    h.leftovers = {{{77, 1}, "old", 1, 55}};
    h.begin(service);
    return;
  }
  h.begin(service);
  h.at(1s);
  const ProcessId child = h.starts_worker(h.main());
  switch (state) {
    case ServiceState::stopped:
      h.asks(CommandAct::stop);
      h.at(2s);
      break;
    case ServiceState::stopping:
      h.ignores_signals(h.main());
      h.asks(CommandAct::stop);
      break;
    case ServiceState::stuck:
      h.stuck(child);
      h.asks(CommandAct::stop);
      h.at(60s);
      break;
    case ServiceState::backoff:
    case ServiceState::failed:
      h.killed(h.main());
      h.after(100ms);
      break;
    case ServiceState::starting:
    case ServiceState::ready:
    case ServiceState::late: break;
  }
}

struct Transition {
  ServiceState from;
  const char* event;
  ServiceState to;
};

void apply(History& h, const std::string& event) {
  if (event == "start") h.asks(CommandAct::start);
  if (event == "stop") h.asks(CommandAct::stop);
  if (event == "restart") h.asks(CommandAct::restart);
  if (event == "main ends") h.killed(h.main());
  if (event == "reload")
    h.reloads([] {
      Service service = bare();
      service.command = {"/usr/bin/gunicorn", "other:app"};
      service.stop.grace = 1s;
      return service;
    }());
  if (event == "tree empties") {
    std::vector<ProcessId> all;
    for (const auto& [id, process] : h.kernel.all()) all.push_back(id);
    for (const ProcessId& id : all)
      h.alive(id) && h.kernel.find(id)->unkillable ? h.stuck(id, false) : h.dies(id, by_signal(SIGKILL));
  }
  if (event == "leftovers end") h.leftovers.clear();
  if (event == "it answers") h.on_probe = [&h](const AskProbe& question) { h.answers_probe(question.id, true); };
  h.after(500ms);
  if (event == "time passes") h.after(100s);
}

class StateTable : public testing::TestWithParam<Transition> {};

TEST_P(StateTable, HoldsForEveryEvent) {
  const Transition row = GetParam();
  play_both_ways([row](History& h) {
    reach(h, row.from);
    ASSERT_EQ(h.state(), row.from);
    apply(h, row.event);
    EXPECT_EQ(to_text(h.state()), std::string{to_text(row.to)}) << to_text(row.from) << " + " << row.event;
  });
}

using S = ServiceState;
INSTANTIATE_TEST_SUITE_P(
    Rows, StateTable,
    testing::Values(Transition{S::stopped, "start", S::ready}, Transition{S::stopped, "stop", S::stopped},
                    Transition{S::stopped, "restart", S::ready}, Transition{S::stopped, "reload", S::stopped},
                    Transition{S::stopped, "time passes", S::stopped}, Transition{S::starting, "start", S::starting},
                    Transition{S::starting, "stop", S::stopped}, Transition{S::starting, "restart", S::starting},
                    Transition{S::starting, "reload", S::starting}, Transition{S::starting, "leftovers end", S::ready},
                    Transition{S::starting, "time passes", S::starting}, Transition{S::ready, "start", S::ready},
                    Transition{S::ready, "stop", S::stopped}, Transition{S::ready, "restart", S::ready},
                    Transition{S::ready, "reload", S::ready}, Transition{S::ready, "main ends", S::backoff},
                    Transition{S::ready, "time passes", S::ready}, Transition{S::late, "start", S::late},
                    Transition{S::late, "stop", S::stopped}, Transition{S::late, "main ends", S::backoff},
                    Transition{S::late, "time passes", S::late}, Transition{S::stopping, "start", S::stopping},
                    Transition{S::stopping, "stop", S::stopping}, Transition{S::stopping, "restart", S::stopping},
                    Transition{S::stopping, "reload", S::stopping}, Transition{S::stopping, "tree empties", S::stopped},
                    Transition{S::stopping, "time passes", S::stopped}, Transition{S::stuck, "start", S::stuck},
                    Transition{S::stuck, "stop", S::stuck}, Transition{S::stuck, "restart", S::stuck},
                    Transition{S::stuck, "reload", S::stuck}, Transition{S::stuck, "tree empties", S::stopped},
                    Transition{S::stuck, "time passes", S::stuck}, Transition{S::backoff, "start", S::ready},
                    Transition{S::backoff, "stop", S::stopped}, Transition{S::backoff, "restart", S::ready},
                    Transition{S::backoff, "reload", S::ready}, Transition{S::backoff, "time passes", S::ready},
                    Transition{S::failed, "start", S::ready}, Transition{S::failed, "stop", S::stopped},
                    Transition{S::failed, "restart", S::ready}, Transition{S::failed, "reload", S::ready},
                    Transition{S::failed, "time passes", S::failed}));

TEST(StateTable, OfTheHeaderNamesEveryState) {
  std::ifstream file(std::string{PLIMSOLL_SOURCE_DIR} + "/daemon/core/lifecycle.hpp");
  std::stringstream text;
  text << file.rdbuf();
  for (const S state : {S::stopped, S::starting, S::ready, S::late, S::stopping, S::backoff, S::failed, S::stuck}) {
    const std::string row = std::string{"//   "} + to_text(state) + " ";
    EXPECT_NE(text.str().find(row), std::string::npos) << to_text(state);
  }
}

// --- Restart policy × exit
// ------------------------------------------------------------------------------------------------

struct PolicyRow {
  RestartPolicy policy;
  Exit exit;
  ServiceState next;
};

class Policy : public testing::TestWithParam<PolicyRow> {};

TEST_P(Policy, DecidesWhatFollowsAnExitNobodyAskedFor) {
  const PolicyRow row = GetParam();
  play_both_ways([row](History& h) {
    Service service = bare();
    service.restart = row.policy;
    h.begin(service);
    h.at(5s);
    h.dies(h.main(), row.exit);
    h.after(100ms);
    EXPECT_EQ(to_text(h.state()), std::string{to_text(row.next)});
  });
}

INSTANTIATE_TEST_SUITE_P(Rows, Policy,
                         testing::Values(PolicyRow{RestartPolicy::always, exited(0), S::backoff},
                                         PolicyRow{RestartPolicy::always, exited(1), S::backoff},
                                         PolicyRow{RestartPolicy::always, by_signal(SIGKILL), S::backoff},
                                         PolicyRow{RestartPolicy::on_failure, exited(0), S::stopped},
                                         PolicyRow{RestartPolicy::on_failure, exited(1), S::backoff},
                                         PolicyRow{RestartPolicy::on_failure, by_signal(SIGTERM), S::backoff},
                                         PolicyRow{RestartPolicy::on_failure, Exit{ExitKind::oom_killed, 0, 9, {}},
                                                   S::backoff},
                                         PolicyRow{RestartPolicy::never, exited(0), S::stopped},
                                         PolicyRow{RestartPolicy::never, exited(1), S::failed},
                                         PolicyRow{RestartPolicy::never, by_signal(SIGKILL), S::failed}));

// --- Backoff, give_up
// -------------------------------------------------------------------------------------------------------

HISTORY(Backoff, DoublesUpToItsMaximum) {
  Service service = bare();
  service.backoff = {1s, 2.0, 10s, 60s, {}};
  std::vector<Duration> spawned;
  h.on_spawn = [&](ProcessId) { spawned.push_back(h.elapsed()); };
  h.begin(service);
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 6; ++i) {
    const Duration died = h.elapsed();
    h.killed(h.main());
    h.after(12s);
    waits.push_back((spawned.back() - died).count() / 1'000);
  }
  EXPECT_EQ(waits, (std::vector<std::int64_t>{1, 2, 4, 8, 10, 10}));
}

HISTORY(Backoff, IsForgivenAfterALongRun) {
  Service service = bare();
  service.backoff = {1s, 2.0, 60s, 60s};
  h.begin(service);
  for (int i = 0; i < 4; ++i) {
    h.killed(h.main());
    h.after(9s);
  }
  h.after(61s);
  h.killed(h.main());
  h.after(1100ms);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Backoff, FollowsAFailureToSpawn) {
  h.spawn_fails = no_such_file();
  Service service = bare();
  h.begin(service);
  EXPECT_EQ(h.state(), ServiceState::backoff);
  h.at(20s);
  EXPECT_EQ(h.run(), 5u);
  EXPECT_TRUE(h.says("cannot start: exec: No such file or directory"));
  h.spawn_fails.reset();
  h.at(40s);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(GiveUp, FailsAfterSoManyRestartsWithinATime) {
  Service service = bare();
  service.give_up = GiveUp{3, 10min};
  h.begin(service);
  for (int i = 0; i < 3; ++i) {
    h.killed(h.main());
    h.after(20s);
    EXPECT_EQ(h.state(), ServiceState::ready);
  }
  h.killed(h.main());
  h.after(100s);
  EXPECT_EQ(h.state(), ServiceState::failed);
  EXPECT_FALSE(h.well());
  EXPECT_EQ(h.quit, std::nullopt);
}

HISTORY(GiveUp, ForgetsRestartsThatAreLongAgo) {
  Service service = bare();
  service.give_up = GiveUp{3, 1min};
  h.begin(service);
  for (int i = 0; i < 8; ++i) {
    h.killed(h.main());
    h.after(70s);
  }
  EXPECT_EQ(h.state(), ServiceState::ready);
}

// --- Essential, and the exit code
// ------------------------------------------------------------------------------------------------

struct EssentialRow {
  Exit exit;
  std::optional<GiveUp> give_up;
  RestartPolicy restart;
  int code;
};

class Essential : public testing::TestWithParam<EssentialRow> {};

TEST_P(Essential, EndsTheDaemonWithItsCode) {
  const EssentialRow row = GetParam();
  play_both_ways([row](History& h) {
    Service service = bare();
    service.essential = true;
    service.restart = row.restart;
    service.give_up = row.give_up;
    h.begin(plan_of({service, bare("other")}));
    h.at(5s);
    for (int i = 0; i < 3 && !h.quit; ++i) {
      h.dies(h.main(), row.exit);
      h.after(10s);
    }
    EXPECT_EQ(h.quit, row.code);
    EXPECT_EQ(h.state("other"), ServiceState::stopped);
  });
}

INSTANTIATE_TEST_SUITE_P(Rows, Essential,
                         testing::Values(EssentialRow{exited(0), {}, RestartPolicy::never, 0},
                                         EssentialRow{exited(7), {}, RestartPolicy::never, 7},
                                         EssentialRow{by_signal(SIGKILL), {}, RestartPolicy::never, 137},
                                         EssentialRow{exited(0), {}, RestartPolicy::on_failure, 0},
                                         EssentialRow{exited(3), GiveUp{1, 10min}, RestartPolicy::on_failure, 82}));

TEST(ExitCode, IsAsAShellWouldSayIt) {
  EXPECT_EQ(exit_code_of(std::nullopt), 0);
  EXPECT_EQ(exit_code_of(exited(0)), 0);
  EXPECT_EQ(exit_code_of(exited(78)), 78);
  EXPECT_EQ(exit_code_of(by_signal(SIGTERM)), 143);
  EXPECT_EQ(exit_code_of(Exit{ExitKind::oom_killed, 0, SIGKILL, {}}), 137);
  EXPECT_EQ(exit_code_of(Exit{ExitKind::spawn_failed, ENOENT, 0, {}}), 127);
  EXPECT_EQ(exit_code_of(Exit{ExitKind::spawn_failed, EACCES, 0, {}}), 126);
}

class Entrypoint : public testing::TestWithParam<std::pair<Exit, int>> {};

TEST_P(Entrypoint, EndsWithItsCommandsCode) {
  play_both_ways([](History& h) {
    Service service = bare();
    service.essential = true;
    service.restart = RestartPolicy::never;
    Plan plan = plan_of_one(service);
    plan.entrypoint = true;
    h.begin(plan);
    h.at(5s);
    const ProcessId worker = h.starts_worker(h.main());
    h.dies(h.main(), GetParam().first);
    h.at(60s);
    EXPECT_EQ(h.quit, GetParam().second);
    EXPECT_FALSE(h.alive(worker));
  });
}

INSTANTIATE_TEST_SUITE_P(Rows, Entrypoint,
                         testing::Values(std::pair{exited(0), 0}, std::pair{exited(3), 3},
                                         std::pair{by_signal(SIGSEGV), 139}));

HISTORY(Entrypoint, ThatCannotBeFoundEndsWith127) {
  Service service = bare();
  service.essential = true;
  service.restart = RestartPolicy::never;
  Plan plan = plan_of_one(service);
  plan.entrypoint = true;
  h.spawn_fails = no_such_file();
  h.begin(plan);
  h.at(1s);
  EXPECT_EQ(h.quit, 127);
}

HISTORY(Entrypoint, ForwardsSignalsToTheMainProcess) {
  Plan plan = plan_of_one(bare());
  plan.entrypoint = true;
  h.begin(plan);
  h.ignores_signals(h.main());
  h.happens(SignalToForward{SIGUSR1});
  EXPECT_EQ(h.signals_to(h.main()), std::vector<int>{SIGUSR1});
}

HISTORY(Entrypoint, ForwardsNothingToAMainProcessThatHasEnded) {
  Plan plan = plan_of_one(bare());
  plan.entrypoint = true;
  h.begin(plan);
  const ProcessId helper = h.starts(h.main(), {"/usr/bin/helper"});
  h.ignores_signals(helper);
  const ProcessId main = h.main();
  h.dies(main, exited(0));
  h.happens(SignalToForward{SIGUSR1});
  EXPECT_EQ(h.state(), ServiceState::stopping);
  EXPECT_EQ(h.signals_to(main), std::vector<int>{});
}

// --- Requires
// --------------------------------------------------------------------------------------------------------------------

Plan db_and_web() {
  Service web = bare("web");
  web.required = {"db"};
  return plan_of({bare("db"), web});
}

HISTORY(Requires, StartsInOrderAndWaits) {
  h.spawn_fails = no_such_file();
  h.begin(db_and_web());
  EXPECT_EQ(h.state("db"), ServiceState::backoff);
  EXPECT_EQ(h.state("web"), ServiceState::starting);
  h.spawn_fails.reset();
  h.at(3s);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
  const auto spawns = [&] {
    std::vector<std::string> order;
    for (const Effect& effect : h.effects) {
      if (const auto* spawn = std::get_if<Spawn>(&effect)) order.push_back(spawn->service);
    }
    return order;
  }();
  EXPECT_EQ(spawns, (std::vector<std::string>{"db", "db", "web"}));
}

HISTORY(Requires, StopsDependentsFirst) {
  h.begin(db_and_web());
  h.at(1s);
  h.ignores_signals(h.main("web"));
  const ProcessId db = h.main("db");
  const CommandId stop = h.asks(CommandAct::stop, "db");
  h.at(30s);
  EXPECT_EQ(h.signals_to(db), std::vector<int>{});
  EXPECT_EQ(h.state("web"), ServiceState::stopping);
  h.at(40s);
  EXPECT_EQ(h.state("web"), ServiceState::stopped);
  EXPECT_EQ(h.state("db"), ServiceState::stopped);
  EXPECT_EQ(h.status(stop), 200);
}

HISTORY(Requires, ACrashLeavesDependentsAlone) {
  h.begin(db_and_web());
  h.at(1s);
  h.killed(h.main("db"));
  h.at(10s);
  EXPECT_EQ(h.run("web"), 1u);
  EXPECT_EQ(h.run("db"), 2u);
}

HISTORY(Requires, StartStartsWhatItRequires) {
  h.begin(db_and_web());
  h.at(1s);
  h.asks(CommandAct::stop, "db");
  h.at(5s);
  const CommandId start = h.asks(CommandAct::start, "web");
  h.at(6s);
  EXPECT_EQ(h.state("db"), ServiceState::ready);
  EXPECT_EQ(h.state("web"), ServiceState::ready);
  EXPECT_EQ(h.status(start), 200);
}

}  // namespace
}  // namespace plimsoll::core

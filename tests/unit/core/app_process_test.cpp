// Words of docs/verdicts.md: which process of a run is the app, and that it is no engine meanwhile.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

HISTORY(AppProcess, IsTheMainProcessWhereWrappersLeadToSeveral) {
  Service service = bare();
  service.command = {"/bin/sh", "start.sh"};
  h.begin(service);
  h.looks();
  EXPECT_EQ(app_process(h.world, "app"), h.main());
  const ProcessId a = h.starts(h.main(), {"/usr/bin/node", "a.js"});
  EXPECT_EQ(app_process(h.world, "app"), a);
  h.starts(h.main(), {"/usr/bin/node", "b.js"});
  EXPECT_EQ(app_process(h.world, "app"), h.main());
}

Service under_a_shell() {
  Service service = app();
  service.command = {"/bin/sh", "start.sh"};
  service.engines[0].match = {"query-engine*", "server.js"};
  return service;
}

HISTORY(AppProcess, IsNoEngineForWhatItsShellDidBesideIt) {
  h.begin(under_a_shell());
  h.looks();
  const ProcessId server = h.starts(h.main(), {"/usr/bin/node", "server.js"});
  const ProcessId cleanup = h.starts(h.main(), {"/usr/bin/rm", "-r", "/tmp/cache"});
  h.at(500ms);
  h.dies(cleanup, exited(0));
  h.at(10s);
  EXPECT_EQ(h.engine(server), std::nullopt);
  EXPECT_EQ(app_process(h.world, "app"), server);
}

HISTORY(AppProcess, IsNotTheEngineThatIsLeftAlone) {
  h.begin(under_a_shell());
  h.looks();
  const ProcessId engine = h.starts_engine(h.main());
  const ProcessId web = h.starts(h.main(), {"/usr/bin/gunicorn", "app:app"});
  h.at(10s);
  ASSERT_TRUE(h.engine(engine));
  h.dies(web, exited(1));
  h.at(20s);
  EXPECT_TRUE(h.engine(engine));
  EXPECT_EQ(app_process(h.world, "app"), h.main());
}

HISTORY(AppProcess, OfAShellThatIsTheMainProcessNowIsNoOrphan) {
  Service service = under_a_shell();
  service.command = {"/usr/bin/python3", "app.py"};
  h.begin(service);
  const ProcessId first = h.starts_worker(h.main());
  const ProcessId shell = h.starts(first, {"/bin/sh", "-c", "server"});
  const ProcessId server = h.starts(shell, {"/usr/bin/node", "server.js"});
  h.at(500ms);
  Notified said;
  said.service = "app";
  said.run = 1;
  said.main = shell;
  h.happens(said);
  h.dies(first, by_signal(SIGTERM));
  h.at(30s);
  EXPECT_EQ(h.signals_to(server), std::vector<int>{});
  EXPECT_EQ(app_process(h.world, "app"), server);
}

HISTORY(AppProcess, IsNotTheEngineOfAShellThatIsTheMainProcessNow) {
  Service service = app();
  service.live = Liveness{};
  service.live->how = TcpProbe{};
  service.live->interval = 1s;
  service.live->failures = 2;
  service.on_hung = {rung(RungKind::end)};
  h.on_probe = [&](const AskProbe& ask) { h.answers_probe(ask.id, h.elapsed() < 10s); };
  h.begin(service);
  const ProcessId shell = h.starts(h.main(), {"/bin/sh", "-c", "engine"});
  const ProcessId engine = h.starts_engine(shell);
  h.at(10s);
  ASSERT_TRUE(h.engine(engine));
  Notified said;
  said.service = "app";
  said.run = 1;
  said.main = shell;
  h.happens(said);
  h.ignores_signals(shell);
  h.ignores_signals(engine);
  h.at(13s);
  EXPECT_EQ(h.signals_to(shell), std::vector<int>{SIGTERM}) << "the one that does not answer is the main process";
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
}

}  // namespace
}  // namespace plimsoll::core

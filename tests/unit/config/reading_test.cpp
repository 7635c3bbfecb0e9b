// What is written arrives in the Plan.
#include <csignal>

#include "loading.hpp"

namespace plimsoll::config {
namespace {

using namespace std::chrono_literals;

TEST(Reading, TakesEveryKeyOfTheDaemon) {
  const Daemon daemon = plan_of(R"toml([daemon]
name = "a.b-c_1"
socket = "/run/x.sock"
operators = ["ops", "root"]
observers = ["adm"]
mode = "observe"
stop_within = "2m"
census = "100ms"
)toml")
                            .daemon;
  EXPECT_EQ(daemon, (Daemon{"a.b-c_1", "/run/x.sock", {"ops", "root"}, {"adm"}, Mode::observe, 2min, Duration{100}}));
}

TEST(Reading, TakesEveryKeyOfAService) {
  const Service web = service_of(R"toml(
working_directory = "/srv"
environment = { A = "1", B = false, "C.D" = "" }
restart = "always"
backoff = { first = "2s", factor = 3, max = "10s", forgive = "5m" }
give_up = { after = 5, within = "10m" }
essential = true
stop = { signal = "SIGINT", grace = "0" }
memory = { metric = "rss", of = "tree", soft = "1GiB", for = "5s", hard = 2147483648, slack = "50MiB", interval = "10ms", growth = "2GB" }
container = { soft = "70%", for = "1m", hard = "85.5%", free = "1GiB" }
on_soft = ["log", "wait:30s", "end", "restart"]
on_hard = ["kill"]
budget = { acts = 1000, per = "1d" }
cool_down = "0s"
heal = "10s"
leftovers = "end"
)toml");
  EXPECT_EQ(web.working_directory, "/srv");
  EXPECT_EQ(web.environment->size(), 3U);
  EXPECT_EQ(web.environment->at("A"), "1");
  EXPECT_EQ(web.environment->at("B"), std::nullopt);
  EXPECT_EQ(web.environment->at("C.D"), "");
  EXPECT_EQ(web.restart, RestartPolicy::always);
  EXPECT_EQ(web.backoff, (Backoff{2s, 3.0, 10s, 5min}));
  EXPECT_EQ(web.give_up, (GiveUp{5, 10min}));
  EXPECT_TRUE(web.essential);
  EXPECT_EQ(web.stop, (StopPolicy{SIGINT, 0s}));
  EXPECT_EQ(web.memory, (MemoryPolicy{MemoryMetric::rss, MemoryScope::tree, Bytes{1U << 30U}, 5s, Bytes{2147483648},
                                      Bytes{50U << 20U}, 10ms, Bytes{2'000'000'000}}));
  EXPECT_EQ(web.container, (ContainerLines{Share{0.7}, 1min, Share{0.855}, Bytes{1U << 30U}}));
  ASSERT_EQ(web.on_soft->size(), 4U);
  EXPECT_EQ((*web.on_soft)[1].kind, RungKind::wait);
  EXPECT_EQ((*web.on_soft)[1].duration, 30s);
  EXPECT_EQ(web.on_hard->at(0).kind, RungKind::kill);
  EXPECT_EQ(web.budget, (Budget{1000, 24h}));
  EXPECT_EQ(web.cool_down, 0s);
  EXPECT_EQ(web.heal, 10s);
  EXPECT_EQ(web.leftovers, LeftoverPolicy::end);
}

TEST(Reading, TakesEachKindOfHook) {
  const auto hooks = service_of(R"toml(
[services.web.hooks.sig]
signal = "SIGRTMIN+1"
to = "service"
timeout = "3s"
[services.web.hooks.num]
signal = 12
[services.web.hooks.run]
exec = ["/bin/x", "{owner_pid}", "{\"json\": 1}", "{"]
[services.web.hooks.tcp]
http = { method = "GET", url = "http://127.0.0.1:8000/r?e={engine_pid}&r={rule}", headers = { A = "b c", T = { env = "TOK" } } }
[services.web.hooks.six]
http = { url = "http://[::1]:1" }
[services.web.hooks.local]
http.url = "http://localhost/x"
[services.web.hooks.unix]
http = { unix = "/run/{service}/{run}/{owner_pid}.sock", path = "/" }
)toml")
                         .hooks;
  EXPECT_EQ(hooks.at("sig"), (Hook{"sig", SignalHook{SIGRTMIN + 1}, HookTarget::service, 3s}));
  EXPECT_EQ(hooks.at("num"), (Hook{"num", SignalHook{SIGUSR2}, HookTarget::owner, 15s}));
  EXPECT_EQ(std::get<ExecHook>(hooks.at("run").how).argv, (Texts{"/bin/x", "{owner_pid}", "{\"json\": 1}", "{"}));
  EXPECT_EQ(std::get<HttpHook>(hooks.at("tcp").how), (HttpHook{"GET",
                                                               "127.0.0.1",
                                                               "8000",
                                                               "",
                                                               "/r?e={engine_pid}&r={rule}",
                                                               {{"A", {"b c", false}}, {"T", {"TOK", true}}}}));
  EXPECT_EQ(std::get<HttpHook>(hooks.at("six").how), (HttpHook{"POST", "::1", "1", "", "/", {}}));
  EXPECT_EQ(std::get<HttpHook>(hooks.at("local").how), (HttpHook{"POST", "localhost", "80", "", "/x", {}}));
  EXPECT_EQ(std::get<HttpHook>(hooks.at("unix").how),
            (HttpHook{"POST", "", "", "/run/{service}/{run}/{owner_pid}.sock", "/", {}}));
}

TEST(Reading, TakesEveryKeyOfAnEngine) {
  const EngineRule engine = service_of(R"toml(
[services.web.hooks.r]
signal = "USR2"
[services.web.engines.e]
match = ["q*", "/opt/*/index.js"]
owner = "worker"
settle = "2s"
memory = { soft = "400MiB", hard = "800MiB" }
stop = { signal = "INT", grace = "1s" }
reconnect = "hook:r"
expect = { below = "200MiB", within = "30s", successor = false }
on_soft = [{ do = "reconnect", timeout = "5s", expect = { within = "9s" } }, "hook:r", "worker"]
on_hard = ["end", "log"]
on_lost = []
orphan = { after = "0s", grace = "1s" }
)toml")
                                .engines.at(0);
  EXPECT_EQ(engine.match, (Texts{"q*", "/opt/*/index.js"}));
  EXPECT_EQ(engine.settle, 2s);
  EXPECT_EQ(engine.stop, (StopPolicy{SIGINT, 1s}));
  EXPECT_EQ(engine.reconnect, (Reconnect{Reconnect::How::hook, "r"}));
  EXPECT_EQ(engine.expect, (Expect{Bytes{200U << 20U}, Duration{30s}, false}));
  ASSERT_EQ(engine.on_soft->size(), 3U);
  EXPECT_EQ((*engine.on_soft)[0].kind, RungKind::reconnect);
  EXPECT_EQ((*engine.on_soft)[0].timeout, Duration{5s});
  EXPECT_EQ((*engine.on_soft)[1].hook, "r");
  EXPECT_EQ(engine.on_hard->size(), 2U);
  EXPECT_TRUE(engine.on_lost->empty());
  EXPECT_EQ(engine.orphan, (OrphanPolicy{Duration{0}, 1s}));
}

TEST(Reading, LetsARungInheritWhatItsExpectationDoesNotSay) {
  const EngineRule engine = service_of(R"toml(
[services.web.engines.e]
match = ["q"]
memory.soft = "4MiB"
reconnect = "worker"
expect = { successor = false }
on_soft = [{ do = "reconnect", expect = { within = "9s" } }]
)toml")
                                .engines.at(0);
  EXPECT_EQ(engine.reconnect, (Reconnect{Reconnect::How::worker, ""}));
  EXPECT_EQ(engine.on_soft->at(0).expect, (Expect{Bytes{4U << 20U}, Duration{9s}, false}));
}

TEST(Reading, TakesEveryKeyOfACycle) {
  const Service web = service_of(R"toml(
[services.web.engines.e]
match = ["q"]
reconnect = "end"
[[services.web.cycles]]
do = "reconnect"
cron = "0 4 * * *"
zone = "Europe/Berlin"
jitter = "12.5%"
between = "22:00-05:00"
only_if = { engine = "e", over = "250MiB" }
[[services.web.cycles]]
do = "restart"
every = "1d"
)toml");
  ASSERT_EQ(web.cycles.size(), 2U);
  const Cycle& cycle = web.cycles[0];
  EXPECT_EQ(cycle.act, CycleAct::reconnect);
  EXPECT_EQ(std::get<Cron>(cycle.when).text, "0 4 * * *");
  EXPECT_EQ(cycle.zone->name, "Europe/Berlin");
  EXPECT_EQ(cycle.jitter, Share{0.125});
  EXPECT_EQ(cycle.between, (Window{TimeOfDay{22 * 60}, TimeOfDay{5 * 60}}));
  EXPECT_EQ(cycle.only_if, (OnlyIf{"e", Bytes{250U << 20U}}));
  EXPECT_EQ(web.cycles[1].act, CycleAct::restart);
}

TEST(Reading, KeepsEnginesInTheOrderOfTheFile) {
  const Service web = service_of(
      "[services.web.engines.z]\nmatch = [\"z\"]\n[services.web.engines.a]\nmatch = [\"a\"]\n"
      "[services.web.engines.m]\nmatch = [\"m\"]\n");
  ASSERT_EQ(web.engines.size(), 3U);
  EXPECT_EQ(web.engines[0].name + web.engines[1].name + web.engines[2].name, "zam");
}

TEST(Reading, PutsEachServiceAfterAllThatItRequires) {
  const Plan plan = plan_of(R"toml(
[services.web]
command = ["x"]
requires = ["cache", "db"]
[services.other]
command = ["x"]
[services.db]
command = ["x"]
[services.cache]
command = ["x"]
requires = ["db"]
)toml");
  std::string order;
  for (const Service& service : plan.services) order += service.name + " ";
  EXPECT_EQ(order, "db cache web other ");
  EXPECT_EQ(find_service(plan, "web")->required, (Texts{"cache", "db"}));
}

TEST(Override, ReplacesAValueByTomlOrByABareWord) {
  const std::string text =
      "[daemon]\nmode = \"act\"\n[services.api]\ncommand = [\"x\"]\nmemory = { soft = \"1MiB\" }\n";
  const Plan plan = plan_of(text, {"services.api.memory.hard=1GiB", "services.api.memory.soft = \"2MiB\"",
                                   "services.api.command=[\"y\", \"z\"]", "services.api.essential=true",
                                   "daemon.mode=observe", "services.api.stop.signal=INT"});
  const Service& api = plan.services.at(0);
  EXPECT_EQ(api.memory.hard, Bytes{1U << 30U});
  EXPECT_EQ(api.memory.soft, Bytes{2U << 20U});
  EXPECT_EQ(api.command, (Texts{"y", "z"}));
  EXPECT_TRUE(api.essential);
  EXPECT_EQ(plan.daemon.mode, Mode::observe);
  EXPECT_EQ(api.stop.signal, SIGINT);
}

TEST(Override, ThatComesLaterWins) {
  EXPECT_EQ(plan_of("", {"daemon.name=a", "daemon.name=b"}).daemon.name, "b");
}

TEST(Override, TakesABareWordWithSpacesAndQuotes) {
  const Service web = service_of("", {"services.web.working_directory=/a b\\c\"d"});
  EXPECT_EQ(web.working_directory, "/a b\\c\"d");
}

TEST(Override, IsPlacedAtItsColumn) {
  EXPECT_EQ(problems_of("[services.web]\ncommand = [\"x\"]\nheal = 5\n",
                        {"services.web.memory.hard=1GiX", "daemon.nam=x", "services.web.memory.soft = \"y\""}),
            (Texts{"f.toml:3:8: services.web.heal: must be a duration with its unit, such as 30s or 5m, not '5'",
                   "--set:1:26: services.web.memory.hard: must be a size such as 400MiB, not '1GiX'",
                   "--set:1:8: daemon.nam: unknown key, did you mean 'name'?",
                   "--set:1:28: services.web.memory.soft: must be a size such as 400MiB, not 'y'"}));
}

TEST(Override, ThatIsNoAssignmentIsReportedAlone) {
  EXPECT_EQ(problems_of("[daemon]\nnam = 1\n", {"nope", "[daemon]", "daemon.mode=", "a=1\nb=2", "x=[1"}),
            (Texts{"--set:1:1: must be KEY=VALUE in one line, not 'nope'",
                   "--set:1:1: must be KEY=VALUE in one line, not '[daemon]'",
                   "--set:1:13: not TOML: Error while parsing key-value pair: encountered end-of-file",
                   "--set:1:1: must be KEY=VALUE in one line, not 'a=1?b=2'",
                   "--set:1:5: not TOML: Error while parsing array: encountered end-of-file"}));
}

}  // namespace
}  // namespace plimsoll::config

// Mistakes in the life of a service: order, tasks, stops, liveness, readiness.
#include "loading.hpp"

namespace plimsoll::config {
namespace {

TEST(Problem, OfADependencyLoopNamesThePath) {
  EXPECT_EQ(problems_of(R"toml(
[services.d]
command = ["x"]
requires = ["b"]
[services.b]
command = ["x"]
requires = ["c"]
[services.c]
command = ["x"]
requires = ["a"]
[services.a]
command = ["x"]
requires = ["b"]
)toml"),
            Texts{"f.toml:7:12: services.b: must not form a dependency loop (requires, after, engine_of), not "
                  "'b -> c -> a -> b'"});
  EXPECT_EQ(problem("requires = [\"web\"]"),
            "3:12: services.web: must not form a dependency loop (requires, after, engine_of), not 'web -> web'");
}

TEST(Problem, OfALoopThroughAfterAndAnEngine) {
  EXPECT_EQ(problems_of(R"toml(
[services.bridge]
command = ["x"]
engine_of = "web"
after = ["cron"]
[services.web]
command = ["x"]
[services.cron]
command = ["x"]
after = ["web"]
)toml"),
            Texts{"f.toml:5:9: services.bridge: must not form a dependency loop (requires, after, engine_of), not "
                  "'bridge -> cron -> web -> bridge'"});
}

TEST(Problem, OfAnEngineOfNobody) {
  EXPECT_EQ(problem("engine_of = \"other\""),
            "3:13: services.web.engine_of: must name another service of this file, not 'other'");
  EXPECT_EQ(problem("engine_of = { restarts_with_app = true }"), "3:13: services.web.engine_of: must have 'service'");
}

TEST(Problem, OfATask) {
  EXPECT_EQ(problem("kind = \"job\""), "3:8: services.web.kind: must be \"service\" or \"task\", not 'job'");
  EXPECT_EQ(problem("time_limit = \"5m\""),
            "3:14: services.web.time_limit: must be a task's (kind = \"task\"), not '5m'");
  EXPECT_EQ(problem("kind = \"task\"\nrestart = \"always\""),
            "4:11: services.web.restart: must not be a task's (it runs once and is done), not 'always'");
}

TEST(Problem, OfWhatCountsAsSuccess) {
  for (const std::string text : {"[]", "[256]", "[-1]", "0", "[\"0\"]"}) {
    const std::string said = problem("success = " + text);
    EXPECT_EQ(said.substr(0, said.find(", not")),
              "3:11: services.web.success: must be a list of exit codes, 0 to 255 (128 + n for the end by signal n)");
  }
}

TEST(Problem, OfTheStepsOfAStop) {
  EXPECT_EQ(problem("stop = { steps = [] }").substr(0, 60),
            "3:18: services.web.stop.steps: must be a list of { signal, g");
  EXPECT_EQ(problem("stop = { steps = [{ grace = \"5s\" }] }"), "3:19: services.web.stop.steps[0]: must have 'signal'");
  EXPECT_EQ(problem("stop = { grace = \"1s\", steps = [{ signal = \"SIGINT\" }] }"),
            "3:18: services.web.stop.grace: must not be beside steps, not '1s'");
  EXPECT_EQ(problem("stop = { steps = [{ signal = \"SIGKILL\" }] }"),
            "3:30: services.web.stop.steps[0].signal: must be a signal that asks (SIGKILL follows when the grace is "
            "over), not 'SIGKILL'");
  EXPECT_EQ(problem("stop = { drain = \"x\" }"),
            "3:18: services.web.stop.drain: must name a hook of this service, not 'x'");
}

TEST(Problem, OfLiveness) {
  EXPECT_EQ(problem("live = {}"),
            "3:8: services.web.live: must have exactly one of 'http', 'tcp', 'unix', 'exec' and 'notify'");
  EXPECT_EQ(problem("live = { exec = [\"x\"], failures = 0 }"),
            "3:35: services.web.live.failures: must be at least 1, not '0'");
  EXPECT_EQ(problem("live = { notify = true, failures = 2 }"),
            "3:36: services.web.live.failures: must not be here (one keep-alive that does not come in time is enough), "
            "not '2'");
  EXPECT_EQ(engine_problem("live = { http = \"http://127.0.0.1:1/\" }"),
            "9:17: services.web.engines.e.live.http: must be a path such as /status (an engine is asked on its own "
            "port), not 'http://127.0.0.1:1/'");
  EXPECT_EQ(engine_problem("live = { tcp = true, exec = [\"x\"] }"),
            "9:8: services.web.engines.e.live: must have exactly one of 'http', 'tcp' and 'exec'");
  EXPECT_EQ(engine_problem("on_hung = [\"log\"]"), "0 problems");
}

TEST(Problem, OfReadiness) {
  EXPECT_EQ(problem("ready = {}"),
            "3:9: services.web.ready: must have exactly one of 'http', 'tcp', 'unix', 'exec', 'notify', 'fd', 'log' "
            "and 'delay'");
  EXPECT_EQ(problem("ready = { tcp = \"127.0.0.1:1\", delay = \"1s\" }"),
            "3:9: services.web.ready: must have exactly one of 'http', 'tcp', 'unix', 'exec', 'notify', 'fd', 'log' "
            "and 'delay'");
  EXPECT_EQ(problem("ready = { tcp = \"db:5432\" }"),
            "3:17: services.web.ready.tcp: must be ADDRESS:PORT, an IP address or localhost and a port, not 'db:5432'");
  EXPECT_EQ(problem("ready = { tcp = \"127.0.0.1\" }"),
            "3:17: services.web.ready.tcp: must be ADDRESS:PORT, an IP address or localhost and a port, not "
            "'127.0.0.1'");
  EXPECT_EQ(problem("ready = { http = \"https://127.0.0.1/\" }"),
            "3:18: services.web.ready.http: must begin with http://, not 'https://127.0.0.1/'");
  EXPECT_EQ(problem("ready = { unix = \"app.sock\" }"),
            "3:18: services.web.ready.unix: must be the absolute path of a socket, not 'app.sock'");
  EXPECT_EQ(problem("ready = { delay = \"2m\" }"),
            "3:19: services.web.ready.delay: must be below timeout (1m), not '2m'");
  EXPECT_EQ(problem("ready = { log = \"*up*\", interval = \"1s\" }"),
            "3:36: services.web.ready.interval: must not be here (nothing is asked again and again), not '1s'");
  EXPECT_EQ(problem("ready = { exec = [\"true\"], on_timeout = \"kill\" }"),
            "3:41: services.web.ready.on_timeout: must be \"log\" or \"restart\", not 'kill'");
}

TEST(Problem, OfARequirementThatIsNamedTwice) {
  EXPECT_EQ(
      problems_of("[services.a]\ncommand = [\"x\"]\n[services.b]\ncommand = [\"x\"]\nrequires = [\"a\", \"a\"]\n"),
      Texts{"f.toml:5:12: services.b.requires: must name each service once, not 'a' again"});
}

}  // namespace
}  // namespace plimsoll::config

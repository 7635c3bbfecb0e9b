// Each kind of mistake, with the exact place and words that a person gets: the file, names, the daemon, memory.
#include "loading.hpp"

namespace plimsoll::config {
namespace {

TEST(Problem, OfSyntaxIsReportedAlone) {
  EXPECT_EQ(problems_of("[daemon]\nnam = 1\nmode = \n"),
            Texts{"f.toml:3:8: not TOML: Error while parsing key-value pair: expected value, saw '\\n'"});
  EXPECT_EQ(problems_of("a = [\n").size(), 1U);
  EXPECT_EQ(problems_of("[").size(), 1U);
  EXPECT_EQ(problems_of("[\n").size(), 1U);
  EXPECT_EQ(problems_of("a = 1\na = 2\n").size(), 1U);
  EXPECT_EQ(problems_of("a = \"\xff\"\n").size(), 1U);
  // Letters outside of ASCII where a key, a value or a space could be.
  EXPECT_EQ(problems_of("ü = 1\n").size(), 1U);
  EXPECT_EQ(problems_of("a = ü\n").size(), 1U);
  EXPECT_EQ(problems_of("a = [1ü]\n").size(), 1U);
  EXPECT_EQ(problems_of("[daemon]ü\n").size(), 1U);
}

TEST(Problem, OfALineThatNobodyWroteByHandIsReportedBeforeItIsParsed) {
  std::string deep = "a = 1\na";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  EXPECT_EQ(problems_of(deep + " = 1\n"), Texts{"f.toml:2:1: not read: a line may have 16 KiB, not more"});
}

TEST(Problem, IsReportedWithAllOthersInTheOrderOfTheLines) {
  EXPECT_EQ(problems_of(R"toml([daemon]
mode = "watch"
nam = "x"

[services.web]
comand = ["x"]
command = ["y"]
memory = { soft = "4 apples", hard = "1GiB", fro = "1m" }
on_soft = ["restart", "kill"]
requires = ["db"]

[services.web.engines.e]
match = "q"
[[services.web.cycles]]
do = "restart"
cron = "61 * * * *"
)toml"),
            (Texts{
                "f.toml:2:8: daemon.mode: must be \"act\" or \"observe\", not 'watch'",
                "f.toml:3:1: daemon.nam: unknown key, did you mean 'name'?",
                "f.toml:6:1: services.web.comand: unknown key, did you mean 'command'?",
                "f.toml:8:19: services.web.memory.soft: must be a size such as 400MiB, not '4 apples'",
                "f.toml:8:46: services.web.memory.fro: unknown key, did you mean 'for'?",
                "f.toml:9:23: services.web.on_soft[1]: must be a rung that asks (a soft line never begins with "
                "SIGKILL), not 'kill'",
                "f.toml:10:12: services.web.requires: must name services of this file, not 'db'",
                "f.toml:13:9: services.web.engines.e.match: must be a list of strings, not 'q'",
                "f.toml:16:8: services.web.cycles[0].cron: must have 0 to 59 in its minute field, as *, a number, a "
                "range, a step or a list, not '61 * * * *'",
            }));
}

TEST(Problem, OfAnUnknownKeySuggestsTheNearestOne) {
  EXPECT_EQ(problem("memroy = {}"), "3:1: services.web.memroy: unknown key, did you mean 'memory'?");
  EXPECT_EQ(problem("on-soft = []"), "3:1: services.web.on-soft: unknown key, did you mean 'on_soft'?");
  EXPECT_EQ(problem("Restart = \"never\""), "3:1: services.web.Restart: unknown key, did you mean 'restart'?");
  EXPECT_EQ(problem("xyzzy = 1"), "3:1: services.web.xyzzy: unknown key");
  EXPECT_EQ(problem("\"a b\" = 1"), "3:1: services.web.\"a b\": unknown key");
  EXPECT_EQ(problem("stop = { grase = \"1s\" }"), "3:10: services.web.stop.grase: unknown key, did you mean 'grace'?");
  EXPECT_EQ(problems_of("[service.web]\ncommand = [\"x\"]\n"),
            Texts{"f.toml:1:2: service: unknown key, did you mean 'services'?"});
}

TEST(Problem, OfATypeSaysWhichOneIsWanted) {
  EXPECT_EQ(problem("essential = \"yes\""), "3:13: services.web.essential: must be true or false, not 'yes'");
  EXPECT_EQ(problem("working_directory = 5"), "3:21: services.web.working_directory: must be a string, not '5'");
  EXPECT_EQ(problem("requires = \"db\""), "3:12: services.web.requires: must be a list of strings, not 'db'");
  EXPECT_EQ(problem("requires = [1, true]"),
            "3:12: services.web.requires: must be a list of strings only, not '[1, true]'");
  EXPECT_EQ(problem("memory = \"1GiB\""), "3:10: services.web.memory: must be a table, not '1GiB'");
  EXPECT_EQ(problem("memory.soft = {}"),
            "3:15: services.web.memory.soft: must be a size such as 400MiB, not 'a table'");
  EXPECT_EQ(problem("memory.soft = -1"), "3:15: services.web.memory.soft: must be a size such as 400MiB, not '-1'");
  EXPECT_EQ(problem("heal = 1979-05-27"),
            "3:8: services.web.heal: must be a duration such as 30s or 1h30m, not '1979-05-27'");
  EXPECT_EQ(problem("backoff.factor = \"2\""), "3:18: services.web.backoff.factor: must be a number, not '2'");
  EXPECT_EQ(problem("budget.acts = 1.5"), "3:15: services.web.budget.acts: must be a whole number, not '1.5'");
  EXPECT_EQ(problem("on_soft = \"log\""), "3:11: services.web.on_soft: must be a list of rungs, not 'log'");
  EXPECT_EQ(problem("cycles = 1"),
            "3:10: services.web.cycles: must be a list of tables, [[services.web.cycles]], not '1'");
  EXPECT_EQ(problem("cycles = [1]"), "3:11: services.web.cycles[0]: must be a table, not '1'");
  EXPECT_EQ(problem("hooks.h = 1"), "3:11: services.web.hooks.h: must be a table, not '1'");
  EXPECT_EQ(problem("engines = []"), "3:11: services.web.engines: must be a table, not '[]'");
  EXPECT_EQ(problem("working_directory = \"/a\\u0000b\""),
            "3:21: services.web.working_directory: must be a string without a zero byte, not '/a?b'");
  EXPECT_EQ(problems_of("services = 1\n"), Texts{"f.toml:1:12: services: must be a table, not '1'"});
  EXPECT_EQ(problems_of("daemon = 1\n"), Texts{"f.toml:1:10: daemon: must be a table, not '1'"});
  EXPECT_EQ(problems_of("services.web = 1\n"), Texts{"f.toml:1:16: services.web: must be a table, not '1'"});
}

TEST(Problem, ShowsALongValueShortened) {
  EXPECT_EQ(problem("heal = \"" + std::string(100, 'x') + "\""),
            "3:8: services.web.heal: must be a duration such as 30s or 1h30m, not '" + std::string(60, 'x') + "...'");
}

TEST(Problem, OfTheDaemon) {
  const auto daemon = [](const std::string& line) { return problems_of("[daemon]\n" + line + "\n"); };
  const std::string name = "must be a name of 1 to 64 letters, digits, '_', '.' or '-'";
  EXPECT_EQ(daemon("name = \"a/b\""), Texts{"f.toml:2:8: daemon.name: " + name + ", not 'a/b'"});
  EXPECT_EQ(daemon("name = \"\""), Texts{"f.toml:2:8: daemon.name: " + name + ", not ''"});
  EXPECT_EQ(daemon("socket = \"x.sock\""),
            Texts{"f.toml:2:10: daemon.socket: must be an absolute path of at most 107 bytes, not 'x.sock'"});
  EXPECT_EQ(daemon("socket = \"/" + std::string(107, 'x') + "\"").size(), 1U);
  EXPECT_TRUE(daemon("socket = \"/" + std::string(106, 'x') + "\"").empty());
  EXPECT_EQ(daemon("stop_within = \"0s\""), Texts{"f.toml:2:15: daemon.stop_within: must be more than 0s, not '0s'"});
  EXPECT_EQ(daemon("census = \"9ms\""), Texts{"f.toml:2:10: daemon.census: must be at least 10ms, not '9ms'"});
  EXPECT_EQ(daemon("listen = \"127.0.0.1:9700\""), Texts{"f.toml:2:1: daemon.listen: not yet supported"});
  EXPECT_EQ(daemon("memory = {}"), Texts{"f.toml:2:1: daemon.memory: not yet supported"});
}

TEST(Problem, OfANameNamesTheRule) {
  const std::string rule = "must be a name of 1 to 64 letters, digits, '_', '.' or '-'";
  EXPECT_EQ(problems_of("[services.\"a b\"]\ncommand = [\"x\"]\n"), Texts{"f.toml:1:11: services.\"a b\": " + rule});
  EXPECT_EQ(problem("hooks.\"/\".signal = \"HUP\""), "3:7: services.web.hooks.\"/\": " + rule);
  EXPECT_EQ(problem("engines.\"\".match = [\"q\"]"), "3:9: services.web.engines.\"\": " + rule);
  EXPECT_TRUE(problems_of("[services.\"a.b\"]\ncommand = [\"x\"]\n").empty());
  EXPECT_EQ(problems_of("[services." + std::string(65, 'a') + "]\ncommand = [\"x\"]\n").size(), 1U);
}

TEST(Problem, OfACommand) {
  EXPECT_EQ(problems_of("[services.web]\n"), Texts{"f.toml:1:1: services.web: must have 'command'"});
  EXPECT_EQ(problems_of("[services.web]\ncommand = []\n"),
            Texts{"f.toml:2:11: services.web.command: must be a program and its arguments, not '[]'"});
  EXPECT_EQ(problems_of("[services.web]\ncommand = [\"\", \"a\"]\n"),
            Texts{"f.toml:2:11: services.web.command: must be a program and its arguments, not '[\"\", \"a\"]'"});
  EXPECT_EQ(problem("working_directory = \"srv\""),
            "3:21: services.web.working_directory: must be an absolute path, not 'srv'");
}

TEST(Problem, OfTheEnvironmentSaysQuoteIt) {
  EXPECT_EQ(problem("environment.A = 1"),
            "3:17: services.web.environment.A: must be a string (quote it), or false to unset it");
  EXPECT_EQ(problem("environment.A = true"),
            "3:17: services.web.environment.A: must be a string (quote it), or false to unset it");
  EXPECT_EQ(problem("environment.A = []"), "3:17: services.web.environment.A: must be a string");
  EXPECT_EQ(problem("environment.\"A=B\" = \"1\""),
            "3:21: services.web.environment.\"A=B\": must have the name of an environment variable");
  EXPECT_EQ(problem("environment.PLIMSOLL_RUN = false"),
            "3:28: services.web.environment.PLIMSOLL_RUN: must not be set (the daemon marks its runs with it)");
}

TEST(Problem, OfABound) {
  EXPECT_EQ(problem("backoff = { first = \"2m\" }"),
            "3:21: services.web.backoff.first: must not be above max (1m), not '2m'");
  EXPECT_EQ(problem("backoff = { first = \"2s\", max = \"1s\" }"),
            "3:33: services.web.backoff.max: must not be below first (2s), not '1s'");
  EXPECT_EQ(problem("backoff.factor = 0.5"), "3:18: services.web.backoff.factor: must be 1 to 1000, not '0.5'");
  EXPECT_EQ(problem("backoff.factor = nan"), "3:18: services.web.backoff.factor: must be 1 to 1000, not 'nan'");
  EXPECT_EQ(problem("give_up = { after = 5 }"), "3:11: services.web.give_up: must have 'after' and 'within'");
  EXPECT_EQ(problem("give_up = { after = 0, within = \"1m\" }"),
            "3:21: services.web.give_up.after: must be at least 1, not '0'");
  EXPECT_EQ(problem("give_up = { after = 1, within = 0 }"),
            "3:33: services.web.give_up.within: must be more than 0s, not '0'");
  EXPECT_EQ(problem("budget.acts = 0"), "3:15: services.web.budget.acts: must be 1 to 1000000, not '0'");
  EXPECT_EQ(problem("budget.per = \"0s\""), "3:14: services.web.budget.per: must be more than 0s, not '0s'");
  EXPECT_EQ(problem("heal = \"0s\""), "3:8: services.web.heal: must be more than 0s, not '0s'");
  EXPECT_EQ(problem("stop.signal = \"SIGKILL\""),
            "3:15: services.web.stop.signal: must be a signal that asks (SIGKILL follows when the grace is over), "
            "not 'SIGKILL'");
  EXPECT_EQ(problem("stop.signal = \"SIGFOO\""),
            "3:15: services.web.stop.signal: must be a signal such as SIGTERM or SIGRTMIN+1, not 'SIGFOO'");
  EXPECT_EQ(problem("restart = \"sometimes\""),
            "3:11: services.web.restart: must be \"always\", \"on-failure\" or \"never\", not 'sometimes'");
  EXPECT_EQ(problem("leftovers = \"kill\""), "3:13: services.web.leftovers: must be \"hold\" or \"end\", not 'kill'");
}

TEST(Problem, OfTheContainersLines) {
  EXPECT_EQ(problem("container = \"80%\""), "3:13: services.web.container: must be a table, not '80%'");
  EXPECT_EQ(problem("container = { soft = \"1GiB\" }"),
            "3:22: services.web.container.soft: must be a percentage of 0% to 100%, such as 10%, not '1GiB'");
  EXPECT_EQ(problem("container = { soft = \"0%\" }"), "3:22: services.web.container.soft: must be above 0%, not '0%'");
  EXPECT_EQ(problem("container = { hard = \"101%\" }"),
            "3:22: services.web.container.hard: must be a percentage of 0% to 100%, such as 10%, not '101%'");
  EXPECT_EQ(problem("container = { hard = \"80%\" }"),
            "3:22: services.web.container.hard: must be above soft (80%), not '80%'");
  EXPECT_EQ(problem("container = { soft = \"95%\" }"),
            "3:22: services.web.container.soft: must be below hard (92%), not '95%'");
  EXPECT_EQ(problem("container = { free = \"10%\" }"),
            "3:22: services.web.container.free: must be a size such as 400MiB, not '10%'");
  EXPECT_EQ(problem("container = { frees = \"1MiB\" }"),
            "3:15: services.web.container.frees: unknown key, did you mean 'free'?");
  EXPECT_EQ(problem("kind = \"task\"\ncontainer = {}"),
            "4:13: services.web.container: must not be a task's (it runs once and is done), not 'a table'");
}

TEST(Problem, OfTheMemoryLines) {
  EXPECT_EQ(problem("memory = { soft = \"2GiB\", hard = \"1GiB\" }"),
            "3:34: services.web.memory.hard: must be above soft (2GiB), not '1GiB'");
  EXPECT_EQ(problem("memory = { soft = \"1GiB\", hard = \"1GiB\" }"),
            "3:34: services.web.memory.hard: must be above soft (1GiB), not '1GiB'");
  EXPECT_EQ(problem("memory.soft = 0"), "3:15: services.web.memory.soft: must be more than 0B, not '0'");
  EXPECT_EQ(problem("memory.hard = \"0MiB\""), "3:15: services.web.memory.hard: must be more than 0B, not '0MiB'");
  EXPECT_EQ(problem("memory.hard = \"80%\""), "3:15: services.web.memory.hard: '80%' is not yet supported");
  EXPECT_EQ(problem("memory.soft = \"container - 64MiB\""),
            "3:15: services.web.memory.soft: 'container - 64MiB' is not yet supported");
  EXPECT_EQ(problem("memory.metric = \"pss\""), "3:17: services.web.memory.metric: 'pss' is not yet supported");
  EXPECT_EQ(problem("memory.metric = \"vsz\""), "3:17: services.web.memory.metric: must be \"rss\", not 'vsz'");
  EXPECT_EQ(problem("memory.of = \"all\""), "3:13: services.web.memory.of: must be \"process\" or \"tree\", not 'all'");
  EXPECT_EQ(problem("memory.interval = \"1ms\""),
            "3:19: services.web.memory.interval: must be at least 2ms, not '1ms'");
  EXPECT_EQ(problem("memory.growth = 0"),
            "3:17: services.web.memory.growth: must be more than 0B (per second), not '0'");
  EXPECT_EQ(problem("memory.slack = \"200%\""),
            "3:16: services.web.memory.slack: must be a percentage such as 10% or a size such as 50MiB, not '200%'");
  EXPECT_EQ(problem("memory.total = \"1GiB\""), "3:8: services.web.memory.total: not yet supported");
}

TEST(Problem, OfAKeyThatALaterReleaseTakes) {
  for (const std::string key : {"preset", "workers", "tasks"}) {
    EXPECT_EQ(problem(key + " = \"x\""), "3:1: services.web." + key + ": not yet supported");
  }
  for (const std::string key : {"kind"}) {
    EXPECT_EQ(engine_problem(key + " = []"), "9:1: services.web.engines.e." + key + ": not yet supported");
  }
}

}  // namespace
}  // namespace plimsoll::config

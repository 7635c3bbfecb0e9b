// Each kind of mistake, with the exact place and words that a person gets.
#include "loading.hpp"

namespace plimsoll::config {
namespace {

const std::string web = "services.web";

/// One key in line 3; what is wrong with it, without the file's name.
std::string problem(const std::string& line) {
  const Texts problems = service_problems(line + "\n");
  if (problems.size() != 1) {
    for (const std::string& text : problems) ADD_FAILURE() << text;
    return std::to_string(problems.size()) + " problems";
  }
  return problems[0].substr(std::string{"f.toml:"}.size());
}

/// One line in an engine's table, in line 9: there is a hook "own" for owners and a hook "app" for the service.
std::string engine_problem(const std::string& line) {
  return problem(
      "[services.web.hooks.own]\nsignal = \"USR2\"\n[services.web.hooks.app]\nexec = [\"x\"]\n"
      "[services.web.engines.e]\nmatch = [\"q\"]\n" +
      line);
}

std::string hook_problem(const std::string& line) {
  return problem("[services.web.hooks.h]\n" + line);
}
std::string cycle_problem(const std::string& lines) {
  return problem("[services.web.engines.e]\nmatch = [\"q\"]\n[[services.web.cycles]]\n" + lines);
}

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

TEST(Problem, OfARung) {
  const std::string rung = "must be log, hook:NAME, reconnect, end, kill, worker, restart or wait:DURATION";
  EXPECT_EQ(problem("on_soft = [\"restrt\"]"), "3:12: services.web.on_soft[0]: " + rung + ", not 'restrt'");
  EXPECT_EQ(problem("on_soft = [\"hook:\"]"), "3:12: services.web.on_soft[0]: " + rung + ", not 'hook:'");
  EXPECT_EQ(problem("on_soft = [1]"), "3:12: services.web.on_soft[0]: " + rung + ", not '1'");
  for (const std::string word : {"relieve", "drain", "exit", "run"}) {
    EXPECT_EQ(problem("on_hard = [\"end\", \"" + word + "\"]"),
              "3:19: services.web.on_hard[1]: '" + word + "' is not yet supported");
  }
  EXPECT_EQ(problem("on_soft = [\"wait:30\"]"),
            "3:12: services.web.on_soft[0]: must be wait: and a duration, such as wait:30s, not 'wait:30'");
  EXPECT_EQ(problem("on_soft = [\"wait:0s\"]"),
            "3:12: services.web.on_soft[0]: must be wait: and a duration, such as wait:30s, not 'wait:0s'");
  EXPECT_EQ(problem("on_soft = [\"hook:x\"]"),
            "3:12: services.web.on_soft[0]: must name a hook of this service, not 'hook:x'");
  EXPECT_EQ(problem("on_soft = [\"worker\"]"),
            "3:12: services.web.on_soft[0]: must be a rung that a service has (reconnect and worker are for engines), "
            "not 'worker'");
  EXPECT_EQ(problem("on_hard = [\"log\", \"wait:1s\"]"),
            "3:11: services.web.on_hard: must have a rung that acts, not '[\"log\", \"wait:1s\"]'");
  EXPECT_EQ(problem("on_hard = []"), "3:11: services.web.on_hard: must have a rung that acts, not '[]'");
  EXPECT_EQ(engine_problem("on_soft = [\"reconnect\"]"),
            "9:12: services.web.engines.e.on_soft[0]: must be a rung that this engine has (the key reconnect says what "
            "it means; it is not written), not 'reconnect'");
  EXPECT_EQ(engine_problem("on_soft = [\"kill\"]"),
            "9:12: services.web.engines.e.on_soft[0]: must be a rung that asks (a soft line never begins with "
            "SIGKILL), not 'kill'");
}

TEST(Problem, OfARungThatIsATable) {
  EXPECT_EQ(problem("on_soft = [{}]"), "3:12: services.web.on_soft[0]: must have 'do'");
  EXPECT_EQ(problem("on_soft = [{ do = \"x\" }]").substr(0, 35), "3:19: services.web.on_soft[0].do: m");
  EXPECT_EQ(problem("on_soft = [{ do = \"end\", timeout = \"1s\" }]"),
            "3:36: services.web.on_soft[0].timeout: must not be here (only hooks and reconnect have one), not '1s'");
  EXPECT_EQ(problem("on_soft = [{ do = \"log\", expect = {} }]"),
            "3:35: services.web.on_soft[0].expect: must not be here (log and wait achieve nothing), not 'a table'");
  EXPECT_EQ(problem("on_soft = [{ do = \"end\", expct = {} }]"),
            "3:26: services.web.on_soft[0].expct: unknown key, did you mean 'expect'?");
  EXPECT_EQ(problem("on_soft = [{ do = \"end\", expect.within = 0 }]"),
            "3:42: services.web.on_soft[0].expect.within: must be more than 0s, not '0'");
}

TEST(Problem, OfAHook) {
  const std::string hook = "services.web.hooks.h";
  EXPECT_EQ(hook_problem("to = \"owner\""), "3:1: " + hook + ": must have one of 'http', 'signal' and 'exec'");
  EXPECT_EQ(hook_problem("signal = \"HUP\"\nexec = [\"x\"]"),
            "3:1: " + hook + ": must have one of 'http', 'signal' and 'exec'");
  EXPECT_EQ(hook_problem("signal = \"SIGKILL\""),
            "4:10: " + hook + ".signal: must be a signal that a process can catch, not 'SIGKILL'");
  EXPECT_EQ(hook_problem("signal = \"STOP\""),
            "4:10: " + hook + ".signal: must be a signal that a process can catch, not 'STOP'");
  EXPECT_EQ(hook_problem("exec = []"), "4:8: " + hook + ".exec: must be a command and its arguments, not '[]'");
  EXPECT_EQ(hook_problem("exec = [\"x\", \"{pid}\"]"),
            "4:8: " + hook +
                ".exec: must have no placeholder but {engine_pid}, {owner_pid}, {service}, {rule} and {run}, not "
                "'[\"x\", \"{pid}\"]'");
  EXPECT_EQ(hook_problem("signal = \"HUP\"\nto = \"app\""),
            "5:6: " + hook + ".to: must be \"owner\" or \"service\", not 'app'");
  EXPECT_EQ(hook_problem("signal = \"HUP\"\ntimeout = 0"), "5:11: " + hook + ".timeout: must be more than 0s, not '0'");
  EXPECT_EQ(hook_problem("signal = \"HUP\"\ntimout = \"1s\""),
            "5:1: " + hook + ".timout: unknown key, did you mean 'timeout'?");
}

TEST(Problem, OfAUrl) {
  const auto url = [](const std::string& text) {
    const std::string found = hook_problem("http.url = \"" + text + "\"");
    const std::string start = "4:12: services.web.hooks.h.http.url: ";
    const std::string end = ", not '" + text + "'";
    EXPECT_TRUE(found.starts_with(start) && found.ends_with(end)) << found;
    return found.substr(start.size(), found.size() - start.size() - end.size());
  };
  const std::string host = "must have an IP address or localhost as its host (looking up a name would block)";
  const std::string port = "must have a port of 1 to 65535";
  EXPECT_EQ(url("https://127.0.0.1/x"), "must begin with http://");
  EXPECT_EQ(url("127.0.0.1/x"), "must begin with http://");
  EXPECT_EQ(url("http://api.local:80/x"), host);
  EXPECT_EQ(url("http://:80/x"), host);
  EXPECT_EQ(url("http:///x"), host);
  EXPECT_EQ(url("http://256.0.0.1/x"), host);
  EXPECT_EQ(url("http://user@127.0.0.1/x"), host);
  EXPECT_EQ(url("http://[127.0.0.1]/x"), host);
  EXPECT_EQ(url("http://[::g]:1/x"), host);
  EXPECT_EQ(url("http://[::1/x"), "must close the '[' of its address");
  EXPECT_EQ(url("http://[::1]x80/x"), "must be http://HOST:PORT/PATH");
  EXPECT_EQ(url("http://127.0.0.1:0/x"), port);
  EXPECT_EQ(url("http://127.0.0.1:65536/x"), port);
  EXPECT_EQ(url("http://127.0.0.1:/x"), port);
  EXPECT_EQ(url("http://127.0.0.1:8x/x"), port);
  EXPECT_EQ(url("http://127.0.0.1/a b"), "must be a path that begins with '/' and has neither spaces nor '#'");
  EXPECT_EQ(url("http://127.0.0.1/a#b"), "must be a path that begins with '/' and has neither spaces nor '#'");
  EXPECT_EQ(url("http://127.0.0.1/{worker}"),
            "must have no placeholder but {engine_pid}, {owner_pid}, {service}, {rule} and {run}");
}

TEST(Problem, OfAnHttpHook) {
  const std::string http = "services.web.hooks.h.http";
  EXPECT_EQ(hook_problem("http = {}"), "4:8: " + http + ": must have 'url', or 'unix' and 'path'");
  EXPECT_EQ(hook_problem("http = { unix = \"/s\" }"), "4:8: " + http + ": must have 'path' beside 'unix'");
  EXPECT_EQ(hook_problem("http = { unix = \"s\", path = \"/\" }"),
            "4:17: " + http + ".unix: must be the absolute path of a socket, not 's'");
  EXPECT_EQ(hook_problem("http = { unix = \"/s\", path = \"x\" }"),
            "4:30: " + http + ".path: must be a path that begins with '/' and has neither spaces nor '#', not 'x'");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", path = \"/x\" }"),
            "4:40: " + http + ".path: must not be beside url, which has its own, not '/x'");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", unix = \"/x\" }"),
            "4:40: " + http + ".unix: must not be beside url, not '/x'");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", method = \"post\" }"),
            "4:42: " + http + ".method: must be a method such as POST, not 'post'");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", headers = { A = 1 } }"),
            "4:49: " + http + ".headers.A: must be a string or { env = \"NAME\" }, not '1'");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", headers = { A = \"b\\r\\nC: d\" } }"),
            "4:49: " + http + ".headers.A: must be one line, not 'b??C: d'");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", headers = { A = {} } }"),
            "4:49: " + http + ".headers.A: must have 'env', the name of an environment variable");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", headers = { A = { env = \"\" } } }"),
            "4:57: " + http + ".headers.A.env: must be the name of an environment variable, not ''");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", headers = { \"a b\" = \"c\" } }"),
            "4:53: " + http +
                ".headers.\"a b\": must have a name that a header can have here (the daemon frames the request), "
                "not 'c'");
  EXPECT_EQ(hook_problem("http = { url = \"http://[::1]/\", headers = { Content-Length = \"1\" } }").substr(0, 5),
            "4:62:");
}

TEST(Problem, OfAnEngine) {
  const std::string engine = "services.web.engines.e";
  EXPECT_EQ(problem("[services.web.engines.e]"), "3:1: " + engine + ": must have 'match' or 'preset'");
  EXPECT_EQ(problem("[services.web.engines.e]\nmatch = []"),
            "4:9: " + engine + ".match: must be a list of globs, none of them empty, not '[]'");
  EXPECT_EQ(problem("[services.web.engines.e]\npreset = \"prism\""),
            "4:10: " + engine + ".preset: must be \"prisma\", \"prisma-js\" or \"prisma-bridge\", not 'prism'");
  EXPECT_EQ(problem("[services.web.engines.e]\npreset = \"litellm\""),
            "4:10: " + engine + ".preset: 'litellm' is not yet supported");
  EXPECT_EQ(engine_problem("owner = \"me\""), "9:9: " + engine + ".owner: must be \"worker\" or \"service\", not 'me'");
  EXPECT_EQ(engine_problem("reconnect = \"restart\""),
            "9:13: " + engine + ".reconnect: must be hook:NAME, end or worker, not 'restart'");
  EXPECT_EQ(engine_problem("reconnect = \"hook:x\""),
            "9:13: " + engine + ".reconnect: must name a hook of this service, not 'hook:x'");
  EXPECT_EQ(engine_problem("reconnect = \"hook:own\"\nowner = \"service\""),
            "9:13: " + engine +
                ".reconnect: must be a hook with to = \"service\" (no worker owns this engine), not "
                "'hook:own'");
  EXPECT_EQ(engine_problem("expect.below = \"2MiB\"\nmemory.soft = \"1MiB\""),
            "9:16: " + engine + ".expect.below: must not be above soft (1MiB), not '2MiB'");
  EXPECT_EQ(engine_problem("expect.below = 0"), "9:16: " + engine + ".expect.below: must be more than 0B, not '0'");
  EXPECT_EQ(engine_problem("orphan.before = \"1s\""), "9:8: " + engine + ".orphan.before: unknown key");
}

TEST(Problem, OfAServicesLadderThatAsksForAnEngine) {
  EXPECT_EQ(
      problem("on_soft = [\"hook:h\"]\nhooks.h.exec = [\"x\", \"{engine_pid}\"]"),
      "3:12: services.web.on_soft[0]: must be a hook without {engine_pid} and {rule} (a service's own line has no "
      "engine), not 'hook:h'");
}

TEST(Problem, OfACycle) {
  const std::string cycle = "services.web.cycles[0]";
  EXPECT_EQ(cycle_problem("every = \"1h\""), "5:1: " + cycle + ": must have 'do'");
  EXPECT_EQ(cycle_problem("do = \"drain\"\nevery = \"1h\""),
            "6:6: " + cycle + ".do: must be \"reconnect\" or \"restart\", not 'drain'");
  EXPECT_EQ(cycle_problem("do = \"reconnect\"\nevery = \"1h\""),
            "6:6: " + cycle + ".do: must be restart (no engine of this service has reconnect), not 'reconnect'");
  EXPECT_EQ(cycle_problem("do = \"restart\""), "5:1: " + cycle + ": must have one of 'every' and 'cron'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\nevery = \"1h\"\ncron = \"@daily\""),
            "5:1: " + cycle + ": must have one of 'every' and 'cron'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\nevery = \"999ms\""),
            "7:9: " + cycle + ".every: must be at least 1s, not '999ms'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\ncron = \"4 am\""),
            "7:8: " + cycle + ".cron: must be a cron expression such as '0 4 * * *' or @daily, not '4 am'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\ncron = \"0 0 30 2 *\""),
            "7:8: " + cycle + ".cron: must be a date that comes, not '0 0 30 2 *'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\ncron = \"@daily\"\nbetween = \"1-5\""),
            "8:11: " + cycle + ".between: must be a window of the day such as 01:00-05:00, not '1-5'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\nevery = \"1h\"\njitter = 10"),
            "8:10: " + cycle + ".jitter: must be a percentage of 0% to 100%, such as 10%, not '10'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\nevery = \"1h\"\nonly_if = { engine = \"e\" }"),
            "8:11: " + cycle + ".only_if: must have 'engine' and 'over'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\nevery = \"1h\"\nonly_if = { engine = \"f\", over = \"1MiB\" }"),
            "8:22: " + cycle + ".only_if.engine: must name an engine of this service, not 'f'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\nevery = \"1h\"\nonly_if = { engine = \"e\", over = 0 }"),
            "8:34: " + cycle + ".only_if.over: must be more than 0B, not '0'");
}

TEST(Problem, OfACycleWhoseEngineCannotReconnect) {
  EXPECT_EQ(problem("[services.web.engines.a]\nmatch = [\"a\"]\nreconnect = \"end\"\n[services.web.engines.b]\n"
                    "match = [\"b\"]\n[[services.web.cycles]]\ndo = \"reconnect\"\nevery = \"1h\"\n"
                    "only_if = { engine = \"b\", over = \"1MiB\" }"),
            "11:22: services.web.cycles[0].only_if.engine: must name an engine that has reconnect, not 'b'");
}

TEST(Problem, OfAZoneThatThisMachineDoesNotKnow) {
  for (const std::string zone :
       {"Mars/Base", "", "/etc/passwd", "../../../etc/localtime", "/dev/null", "libc:localtime"}) {
    EXPECT_EQ(cycle_problem("do = \"restart\"\ncron = \"@daily\"\nzone = \"" + zone + "\""),
              "8:8: services.web.cycles[0].zone: must be a time zone of this machine, such as Europe/Berlin, not '" +
                  zone + "'");
  }
}

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
            "3:8: services.web.live: must have one of 'http', 'tcp', 'unix', 'exec' and 'notify'");
  EXPECT_EQ(problem("live = { exec = [\"x\"], failures = 0 }"),
            "3:35: services.web.live.failures: must be at least 1, not '0'");
  EXPECT_EQ(problem("live = { notify = true, failures = 2 }"),
            "3:36: services.web.live.failures: must not be here (one keep-alive that does not come in time is enough), "
            "not '2'");
  EXPECT_EQ(engine_problem("live = { http = \"http://127.0.0.1:1/\" }"),
            "9:17: services.web.engines.e.live.http: must be a path such as /status (an engine is asked on its own "
            "port), not 'http://127.0.0.1:1/'");
  EXPECT_EQ(engine_problem("live = { tcp = true, exec = [\"x\"] }"),
            "9:8: services.web.engines.e.live: must have one of 'http', 'tcp' and 'exec'");
  EXPECT_EQ(engine_problem("on_hung = [\"log\"]"), "0 problems");
}

TEST(Problem, OfReadiness) {
  EXPECT_EQ(
      problem("ready = {}"),
      "3:9: services.web.ready: must have one of 'http', 'tcp', 'unix', 'exec', 'notify', 'fd', 'log' and 'delay'");
  EXPECT_EQ(
      problem("ready = { tcp = \"127.0.0.1:1\", delay = \"1s\" }"),
      "3:9: services.web.ready: must have one of 'http', 'tcp', 'unix', 'exec', 'notify', 'fd', 'log' and 'delay'");
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

// Mistakes in what is done about an engine: rungs, hooks, engines, cycles.
#include "loading.hpp"

namespace plimsoll::config {
namespace {

std::string hook_problem(const std::string& line) {
  return problem("[services.web.hooks.h]\n" + line);
}
std::string cycle_problem(const std::string& lines) {
  return problem("[services.web.engines.e]\nmatch = [\"q\"]\n[[services.web.cycles]]\n" + lines);
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
  EXPECT_EQ(hook_problem("to = \"owner\""), "3:1: " + hook + ": must have exactly one of 'http', 'signal' and 'exec'");
  EXPECT_EQ(hook_problem("signal = \"HUP\"\nexec = [\"x\"]"),
            "3:1: " + hook + ": must have exactly one of 'http', 'signal' and 'exec'");
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
  for (const char* misspelt : {"{worker}", "{owner-pid}", "{Run}"}) {
    EXPECT_EQ(url(std::string("http://127.0.0.1/") + misspelt),
              "must have no placeholder but {engine_pid}, {owner_pid}, {service}, {rule} and {run}");
  }
  EXPECT_EQ(hook_problem("exec = [\"sh\", \"-c\", \"echo ${HOME} a{2} {\\\"json\\\":1}\"]"), "0 problems");
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
  EXPECT_EQ(cycle_problem("do = \"restart\""), "5:1: " + cycle + ": must have exactly one of 'every' and 'cron'");
  EXPECT_EQ(cycle_problem("do = \"restart\"\nevery = \"1h\"\ncron = \"@daily\""),
            "5:1: " + cycle + ": must have exactly one of 'every' and 'cron'");
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

}  // namespace
}  // namespace plimsoll::config

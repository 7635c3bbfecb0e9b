// Whole files: what is shipped loads, what is printed loads again.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/presets.hpp"
#include "loading.hpp"

namespace plimsoll::config {
namespace {

namespace fs = std::filesystem;

/// A folder of this test's own, gone with it.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "plimsoll-config-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, const std::string& text) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream{file} << text;
    return file.string();
  }

 private:
  fs::path path_;
};

std::vector<std::string> shipped() {
  const fs::path config = fs::path{PLIMSOLL_SOURCE_DIR} / "config";
  std::vector<std::string> files{(config / "plimsoll.toml").string()};
  for (const fs::directory_entry& entry : fs::directory_iterator{config / "examples"})
    files.push_back(entry.path().string());
  return files;
}

void expect_round_trip(const Plan& plan) {
  const std::string text = to_toml(plan);
  const Loaded again = load_text(text, "printed");
  for (const Problem& problem : again.problems) ADD_FAILURE() << to_text(problem) << "\n" << text;
  EXPECT_EQ(again.plan, plan) << text;
  EXPECT_EQ(to_toml(again.plan), text);
}

TEST(Files, ThatAreShippedLoadAndComeBackFromTheirPrint) {
  const std::vector<std::string> files = shipped();
  EXPECT_GE(files.size(), 5U);
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    const Loaded loaded = load_file(file);
    for (const Problem& problem : loaded.problems) ADD_FAILURE() << to_text(problem);
    expect_round_trip(loaded.plan);
  }
}

TEST(Files, ShippedAsDefaultWorksWithItsExampleUncommented) {
  std::ifstream file{fs::path{PLIMSOLL_SOURCE_DIR} / "config/plimsoll.toml"};
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const bool example = line.starts_with("# ") && (line.find(" = ") != std::string::npos || line.starts_with("# ["));
    text += (example ? line.substr(2) : line) + "\n";
  }
  const Plan plan = plan_of(text);
  ASSERT_EQ(plan.services.size(), 1U);
  EXPECT_EQ(plan.services[0].engines.size(), 1U);
  EXPECT_EQ(plan.services[0].cycles.size(), 1U);
}

TEST(Files, InTheDocumentationAreOneFileThatLoads) {
  std::ifstream page{fs::path{PLIMSOLL_SOURCE_DIR} / "docs/configuration.md"};
  std::string text = "[services.db]\ncommand = [\"x\"]\n";
  int blocks = 0;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line == "```toml") ++blocks;
    if (line.starts_with("```")) {
      inside = line == "```toml";
    } else if (inside) {
      text += line + "\n";
    }
  }
  EXPECT_GE(blocks, 8);
  EXPECT_GE(plan_of(text).services.size(), 6U);
}

TEST(Print, OfEveryKeyLoadsAsAnEqualPlan) {
  expect_round_trip(plan_of(R"toml([daemon]
name = "n"
socket = "/s"
operators = ["a\"b", "\\", "tab\there"]
observers = ["ü"]
mode = "observe"
stop_within = "1d2h3m4s5ms"
census = "20ms"
[services."a.b"]
command = ["x", "", "new\nline", "del\u007f", "quote\"'"]
working_directory = "/w"
environment = { "A B" = "1", C = false, "ü" = "2" }
inherit = ["PATH", "LANG"]
environment_file = ["/etc/one", "-/etc/two \"quoted\""]
user = "www"
group = 33
groups = ["adm", "1000"]
umask = "0027"
nice = -5
ionice = { class = "realtime", level = 7 }
oom_score_adj = -1000
rlimits = { nofile = { soft = 1024, hard = "infinity" }, core = 0, as = "1.5GiB", cpu = "90s", rttime = "20ms", nproc = { hard = 5 } }
session = "group"
no_new_privs = true
capabilities = ["CAP_NET_BIND_SERVICE", "CHOWN"]
requires = ["z"]
after = ["bridge"]
ready = { http = { unix = "/h", path = "/ready" }, interval = "20ms", timeout = "7s", on_timeout = "restart" }
restart = "never"
success = [0, 3, 143]
stop = { drain = "s", steps = [{ signal = "SIGINT", grace = "1s" }, { signal = "SIGTERM", grace = "2s" }] }
backoff = { first = "0s", factor = 1.1, max = "0s", forgive = "0s", jitter = "20%" }
give_up = { after = 1, within = "1ms" }
memory = { of = "tree", soft = "1000001B", hard = "1.5GiB", slack = "3MiB" }
container = { soft = "33.3%", for = "0s", hard = "99%", free = "0B" }
on_soft = [{ do = "end", expect = { within = "1s" } }, "wait:5m", "hook:s"]
on_hard = ["kill"]
[services."a.b".hooks.h]
http = { url = "http://[::1]:99/x?{engine_pid}", headers = { A = "b", B = { env = "C" } } }
[services."a.b".hooks.s]
exec = ["y", "{run}"]
to = "service"
[services."a.b".hooks."u.1"]
http = { method = "PUT", unix = "/u", path = "/p" }
[services."a.b".engines.z]
preset = "prisma-js"
reconnect = "hook:h"
on_lost = [{ do = "hook:h", timeout = "1s" }]
orphan.after = "1s"
live = { http = "/status", interval = "1m" }
on_hung = ["end", "kill"]
[services."a.b".engines.a]
match = ["a"]
reconnect = "worker"
live = { tcp = true }
[[services."a.b".cycles]]
do = "reconnect"
cron = "*/5 * * * MON-FRI"
zone = "America/New_York"
jitter = "33.3%"
between = "23:59-00:01"
only_if = { engine = "a", over = "1B" }
[[services."a.b".cycles]]
do = "restart"
every = "90m"
[services.z]
command = ["y"]
live = { tcp = "127.0.0.1:1", interval = "1s", timeout = "2s", failures = 4, successes = 2 }
on_hung = ["log", "restart"]
ready = { tcp = "[::1]:80" }
[services.bridge]
command = ["y"]
engine_of = { service = "a.b", restarts_with_app = true }
ready = { log = "*up*", timeout = "2s" }
[services.migrate]
kind = "task"
command = ["y"]
time_limit = "9m"
[services.u]
command = ["y"]
ready = { unix = "/u.sock" }
[services.e]
command = ["y"]
ready = { exec = ["test", "-e", "/up"] }
[services.d]
command = ["y"]
ready = { delay = "3s" }
)toml"));
}

TEST(Print, WritesEveryDefault) {
  const std::string text = to_toml(plan_of("[services.web]\ncommand = [\"x\"]\n"));
  for (const char* line : {"stop_within = \"1m20s\"", "restart = \"on-failure\"", "heal = \"1m30s\"",
                           "on_soft = [\"log\"]", "budget = { acts = 6, per = \"1h\" }", "leftovers = \"hold\""}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST(Entrypoint, NamesServiceAndDaemonAfterTheCommand) {
  EXPECT_EQ(entrypoint_plan({"/usr/bin/python3.11", "-m", "app"}, false).services.at(0).name, "python3.11");
  EXPECT_EQ(entrypoint_plan({"my app"}, false).daemon.name, "my-app");
  EXPECT_EQ(entrypoint_plan({"/opt/x/"}, false).daemon.name, "main");
  EXPECT_EQ(entrypoint_plan({""}, false).daemon.name, "main");
  EXPECT_EQ(entrypoint_plan({std::string(200, 'a')}, false).daemon.name, std::string(64, 'a'));
  EXPECT_EQ(entrypoint_plan({"/x/a\"]\xff"}, false).daemon.name, "a---");
}

TEST(Entrypoint, PromisesLittleAndKeepsIt) {
  const Plan plan = entrypoint_plan({"gunicorn", "app:app"}, false);
  EXPECT_TRUE(plan.entrypoint);
  EXPECT_EQ(plan.daemon.mode, Mode::act);
  const Service& service = plan.services.at(0);
  EXPECT_EQ(service.command, (Texts{"gunicorn", "app:app"}));
  EXPECT_TRUE(service.essential);
  EXPECT_EQ(service.restart, RestartPolicy::never);
  EXPECT_EQ(service.heal, Duration{90'000});
  EXPECT_EQ(service.budget, (Budget{1, Duration{1'800'000}}));
  EXPECT_EQ(service.memory, MemoryPolicy{});
  EXPECT_TRUE(service.cycles.empty());
  EXPECT_TRUE(service.environment->empty());
  const EngineRule& engine = service.engines.at(0);
  EXPECT_EQ(engine.preset, "prisma");
  EXPECT_EQ(engine.memory, MemoryPolicy{});
  EXPECT_EQ(engine.on_lost, (Ladder{Rung{RungKind::restart, {}, {}, {}, {}}}));
  EXPECT_EQ(entrypoint_plan({"x"}, true).daemon.mode, Mode::observe);
}

TEST(Entrypoint, IsPrintedAsAFileThatLoads) {
  for (const bool observe : {false, true}) {
    Plan plan = entrypoint_plan({"/usr/bin/python3.11", "-c", "print(\"{}\")\n"}, observe);
    const Plan again = plan_of(to_toml(plan));
    EXPECT_FALSE(again.entrypoint);
    plan.entrypoint = false;
    EXPECT_EQ(again, plan);
  }
}

TEST(Presets, AreTomlWithKeysThatAnEngineTakes) {
  ASSERT_EQ(engine_presets().size(), 3U);
  for (const EnginePreset& preset : engine_presets()) {
    EXPECT_EQ(service_problems("[services.web.engines.e]\n" + std::string{preset.text}), Texts{}) << preset.name;
  }
}

TEST(Files, ThatCannotBeReadSayWhy) {
  const Loaded missing = load_file("/nowhere/plimsoll.toml");
  ASSERT_EQ(missing.problems.size(), 1U);
  EXPECT_EQ(to_text(missing.problems[0]), "/nowhere/plimsoll.toml: cannot be read: No such file or directory");
  const Loaded folder = load_file("/");
  ASSERT_EQ(folder.problems.size(), 1U);
  EXPECT_EQ(to_text(folder.problems[0]), "/: cannot be read: Is a directory");
}

TEST(Files, ThatAreNoConfigurationByTheirSizeAreNotParsed) {
  const Folder folder;
  const std::string file = folder.write("big.toml", std::string(5U << 20U, '\n'));
  EXPECT_EQ(to_text(load_file(file).problems.at(0)), file + ": cannot be read: File too large");
}

TEST(ConfD, AddsItsFilesInTheOrderOfTheirNames) {
  const Folder folder;
  const std::string file = folder.write("plimsoll.toml", "[daemon]\nname = \"n\"\n[services.a]\ncommand = [\"a\"]\n");
  const std::string second = folder.write("conf.d/20-c.toml", "[services.c]\ncommand = [\"c\"]\nrequires = [\"b\"]\n");
  const std::string first = folder.write("conf.d/10-b.toml", "[services.b]\ncommand = [\"b\"]\n");
  folder.write("conf.d/README", "not TOML at all");
  folder.write("conf.d/.30-d.toml.toml", "neither");
  const Loaded loaded = load_file(file);
  ASSERT_TRUE(loaded.ok()) << to_text(loaded.problems.at(0));
  EXPECT_EQ(loaded.files, (std::vector<std::string>{file, first, second}));
  ASSERT_EQ(loaded.plan.services.size(), 3U);
  EXPECT_EQ(loaded.plan.services.back().name, "c") << "references go from file to file";
}

TEST(ConfD, MayHaveTheDaemonsTable) {
  const Folder folder;
  const std::string file = folder.write("plimsoll.toml", "[services.a]\ncommand = [\"a\"]\n");
  folder.write("conf.d/site.toml", "[daemon]\nname = \"site\"\n");
  EXPECT_EQ(load_file(file).plan.daemon.name, "site");
}

TEST(ConfD, WithATableThatStandsInAnotherFileNamesBoth) {
  const Folder folder;
  const std::string file = folder.write("plimsoll.toml", "[services.a]\ncommand = [\"a\"]\n[daemon]\n");
  const std::string other = folder.write(
      "conf.d/10.toml", "[services.a.hooks.h]\nsignal = \"HUP\"\n[services.b]\ncommand = [\"b\"]\n[daemon]\n");
  const std::string third = folder.write("conf.d/20.toml", "\n[services.b]\n");
  const Loaded loaded = load_file(file);
  Texts texts;
  for (const Problem& problem : loaded.problems) texts.push_back(to_text(problem));
  EXPECT_EQ(texts, (Texts{other + ":1:11: services.a: is in " + file + ":1 too; a table stands in one file, whole",
                          other + ":5:2: daemon: is in " + file + ":3 too; a table stands in one file, whole",
                          third + ":2:11: services.b: is in " + other + ":3 too; a table stands in one file, whole"}));
}

TEST(ConfD, HasItsMistakesPlacedInItsOwnFiles) {
  const Folder folder;
  const std::string file = folder.write("plimsoll.toml", "[services.a]\ncommand = 3\n");
  const std::string other = folder.write("conf.d/10.toml", "[services.b]\ncommand = [\"b\"]\nmemroy = {}\n");
  const Loaded loaded = load_file(file, {"services.b.heal=soon"});
  ASSERT_EQ(loaded.problems.size(), 3U);
  EXPECT_EQ(loaded.problems[0].file, file);
  EXPECT_EQ(loaded.problems[1].file, other);
  EXPECT_EQ(loaded.problems[1].line, 3);
  EXPECT_EQ(loaded.problems[2].file, "--set");
}

TEST(ConfD, WhoseFilesAreNoTomlOrCannotBeReadAreAllNamed) {
  const Folder folder;
  const std::string file = folder.write("plimsoll.toml", "[services.a\n");
  const std::string other = folder.write("conf.d/10.toml", "x = = 1\n");
  const Loaded loaded = load_file(file);
  ASSERT_EQ(loaded.problems.size(), 2U);
  EXPECT_EQ(loaded.problems[0].file, file);
  EXPECT_EQ(loaded.problems[1].file, other);
  folder.write("conf.d/20.toml/inside", "");
  const Loaded unread = load_file(file);
  ASSERT_EQ(unread.problems.size(), 1U);
  EXPECT_NE(to_text(unread.problems[0]).find("20.toml: cannot be read: Is a directory"), std::string::npos);
}

TEST(Describe, ShowsTheNextFiveRunsOfEachCron) {
  const Plan plan = plan_of(R"toml([services.web]
command = ["x"]
[[services.web.cycles]]
do = "restart"
every = "6h"
[[services.web.cycles]]
do = "restart"
cron = "30 2 * * *"
zone = "Europe/Berlin"
between = "02:00-03:00"
)toml");
  const WallSeconds now{std::chrono::sys_days{std::chrono::year{2026} / 3 / 27} + std::chrono::hours{12}};
  EXPECT_EQ(describe(plan, now),
            "ok\n"
            "services.web.cycles[1]: restart at '30 2 * * *' in Europe/Berlin, next:\n"
            "  Sat 2026-03-28 02:30 +01:00\n"
            "  Sun 2026-03-29 03:00 +02:00, waits for 02:00-03:00\n"
            "  Mon 2026-03-30 02:30 +02:00\n"
            "  Tue 2026-03-31 02:30 +02:00\n"
            "  Wed 2026-04-01 02:30 +02:00\n");
  EXPECT_EQ(describe(Plan{}, now), "ok\n");
}

}  // namespace
}  // namespace plimsoll::config

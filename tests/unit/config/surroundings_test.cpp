// The keys that say what a service's processes find around them: what they mean, and each way to get one wrong.
#include "loading.hpp"

namespace plimsoll::config {
namespace {

/// What is wrong with one key in line 3, without the file's and the service's name.
std::string problem(const std::string& line) {
  const Texts problems = service_problems(line + "\n");
  if (problems.size() != 1) return std::to_string(problems.size()) + " problems";
  const std::string& text = problems[0];
  const std::string service = "services.web.";
  const std::size_t at = text.find(service);
  return at == std::string::npos ? text : text.substr(7, at - 7) + text.substr(at + service.size());
}

Surroundings read(const std::string& keys) {
  return service_of(keys + "\n").surroundings;
}

TEST(Surroundings, AreTheDaemonsOwnWhenNothingIsWritten) {
  EXPECT_EQ(read(""), Surroundings{});
  EXPECT_EQ(Surroundings{}.inherit, Inherit{true});
  EXPECT_EQ(Surroundings{}.session, Session::own);
}

TEST(Surroundings, TakeAccountsByNameOrNumber) {
  EXPECT_EQ(read("user = \"www-data\"").user, "www-data");
  EXPECT_EQ(read("user = 1000").user, "1000");
  EXPECT_EQ(read("group = 0").group, "0");
  EXPECT_EQ(read("groups = []").groups, std::vector<std::string>{});
  EXPECT_EQ(read("groups = [\"adm\", 4]").groups, (std::vector<std::string>{"adm", "4"}));
}

TEST(Surroundings, RefuseWhatCannotBeAnAccount) {
  EXPECT_EQ(problem("user = \"\""), "3:8: user: must be a name or a number, not ''");
  EXPECT_EQ(problem("user = true"), "3:8: user: must be a name or a number, not 'true'");
  EXPECT_EQ(problem("user = -1"), "3:8: user: must be a name or a number, not '-1'");
  EXPECT_EQ(problem("group = 4294967295"), "3:9: group: must be a name or a number, not '4294967295'");
  EXPECT_EQ(problem("group = \"99999999999\""), "3:9: group: must be a name or a number, not '99999999999'");
  EXPECT_EQ(problem("groups = \"adm\""), "3:10: groups: must be a list of groups, not 'adm'");
  EXPECT_EQ(problem("groups = [\"adm\", \"\"]"),
            "3:10: groups: each must be a name or a number, not '[\"adm\", \"\"]'");
}

TEST(Surroundings, TakeAnOctalUmaskInQuotesOnly) {
  EXPECT_EQ(read("umask = \"027\"").umask, 027);
  EXPECT_EQ(read("umask = \"0777\"").umask, 0777);
  const std::string rule = "must be three octal digits in quotes such as \"027\", not '";
  EXPECT_EQ(problem("umask = 22"), "3:9: umask: " + rule + "22'");
  EXPECT_EQ(problem("umask = 0o27"), "3:9: umask: " + rule + "23'");
  for (const std::string text : {"", "27", "028", "1777", "00027", "-27", "0x7"}) {
    EXPECT_EQ(problem("umask = \"" + text + "\""), "3:9: umask: " + rule + text + "'");
  }
}

TEST(Surroundings, TakePrioritiesWithinTheKernelsBounds) {
  EXPECT_EQ(read("nice = -20").nice, -20);
  EXPECT_EQ(read("nice = 19").nice, 19);
  EXPECT_EQ(problem("nice = 20"), "3:8: nice: must be -20 to 19, not '20'");
  EXPECT_EQ(problem("nice = \"5\""), "3:8: nice: must be a whole number, not '5'");
  EXPECT_EQ(read("oom_score_adj = 1000").oom_score_adj, 1000);
  EXPECT_EQ(problem("oom_score_adj = -1001"), "3:17: oom_score_adj: must be -1000 to 1000, not '-1001'");
}

TEST(Surroundings, TakeAnIoPriorityOfItsClass) {
  EXPECT_EQ(read("ionice = { class = \"best-effort\" }").ionice, (IoPriority{IoClass::best_effort, 4}));
  EXPECT_EQ(read("ionice = { class = \"realtime\", level = 0 }").ionice, (IoPriority{IoClass::realtime, 0}));
  EXPECT_EQ(read("ionice = { class = \"idle\" }").ionice, (IoPriority{IoClass::idle, 0}));
  EXPECT_EQ(problem("ionice = \"idle\""), "3:10: ionice: must be a table, not 'idle'");
  EXPECT_EQ(problem("ionice = { level = 3 }"), "3:10: ionice: must have 'class'");
  EXPECT_EQ(problem("ionice = { class = \"slow\" }"),
            "3:20: ionice.class: must be \"realtime\", \"best-effort\" or \"idle\", not 'slow'");
  EXPECT_EQ(problem("ionice = { class = \"realtime\", level = 8 }"),
            "3:40: ionice.level: must be 0 (first) to 7, not '8'");
  EXPECT_EQ(problem("ionice = { class = \"idle\", level = 3 }"),
            "3:36: ionice.level: must not be written, the class \"idle\" has none, not '3'");
  EXPECT_EQ(problem("ionice = { class = \"idle\", lvel = 3 }"),
            "3:28: ionice.lvel: unknown key, did you mean 'level'?");
}

TEST(Surroundings, TakeRlimitsInTheirOwnUnits) {
  const auto limits =
      read(
          "rlimits = { nofile = 1024, core = 0, as = \"1GiB\", cpu = \"2m\", rttime = \"5ms\", "
          "nproc = \"infinity\", stack = { soft = \"8MiB\", hard = \"infinity\" }, data = { hard = 4096 } }")
          .rlimits;
  using Limits = std::map<std::string, Rlimit>;
  constexpr std::uint64_t infinity = Rlimit::infinity;
  EXPECT_EQ(limits, (Limits{{"nofile", {1024, 1024}},
                            {"core", {0, 0}},
                            {"as", {1U << 30, 1U << 30}},
                            {"cpu", {120, 120}},
                            {"rttime", {5'000, 5'000}},
                            {"nproc", {infinity, infinity}},
                            {"stack", {8U << 20, infinity}},
                            {"data", {{}, 4096}}}));
}

TEST(Surroundings, RefuseRlimitsThatMeanNothing) {
  EXPECT_EQ(problem("rlimits = 5"), "3:11: rlimits: must be a table, not '5'");
  EXPECT_EQ(problem("rlimits.nofiles = 5"), "3:9: rlimits.nofiles: unknown key, did you mean 'nofile'?");
  EXPECT_EQ(problem("rlimits.nofile = \"1k\""),
            "3:18: rlimits.nofile: must be a whole number or \"infinity\", or { soft, hard }, not '1k'");
  EXPECT_EQ(problem("rlimits.nproc = -1"),
            "3:17: rlimits.nproc: must be a whole number or \"infinity\", or { soft, hard }, not '-1'");
  EXPECT_EQ(problem("rlimits.as = \"much\""),
            "3:14: rlimits.as: must be a size such as 400MiB or \"infinity\", or { soft, hard }, not 'much'");
  EXPECT_EQ(problem("rlimits.cpu = \"1500ms\""),
            "3:15: rlimits.cpu: must be a duration of whole seconds or \"infinity\", or { soft, hard }, not '1500ms'");
  EXPECT_EQ(problem("rlimits.core = {}"), "3:16: rlimits.core: must have 'soft' or 'hard'");
  EXPECT_EQ(problem("rlimits.core = { soft = 2, hard = 1 }"),
            "3:25: rlimits.core.soft: must not be above hard, not '2'");
  EXPECT_EQ(problem("rlimits.core = { soft = \"x\" }"),
            "3:25: rlimits.core.soft: must be a size such as 400MiB or \"infinity\", not 'x'");
  EXPECT_EQ(problem("rlimits.core = { sof = 1, hard = 2 }"),
            "3:18: rlimits.core.sof: unknown key, did you mean 'soft'?");
}

TEST(Surroundings, InheritAllNoneOrTheVariablesOfThatName) {
  EXPECT_EQ(read("inherit = false").inherit, Inherit{false});
  EXPECT_EQ(read("inherit = [\"PATH\"]").inherit, Inherit{std::vector<std::string>{"PATH"}});
  const std::string rule = "3:11: inherit: must be true, false or a list of names of variables, not '";
  EXPECT_EQ(problem("inherit = \"PATH\""), rule + "PATH'");
  EXPECT_EQ(problem("inherit = [\"A=B\"]"), rule + "[\"A=B\"]'");
  EXPECT_EQ(problem("inherit = [1]"), rule + "[1]'");
}

TEST(Surroundings, TakeOneEnvironmentFileOrSeveral) {
  using Files = std::vector<EnvironmentFile>;
  EXPECT_EQ(read("environment_file = \"/a\"").environment_file, (Files{{"/a", false}}));
  EXPECT_EQ(read("environment_file = [\"/a\", \"-/b\"]").environment_file, (Files{{"/a", false}, {"/b", true}}));
  EXPECT_EQ(problem("environment_file = 1"),
            "3:20: environment_file: must be an absolute path or a list of them, not '1'");
  const std::string rule =
      "3:20: environment_file: must be an absolute path, with '-' before it if it may be missing, not '";
  EXPECT_EQ(problem("environment_file = \"a\""), rule + "a'");
  EXPECT_EQ(problem("environment_file = [\"/a\", \"--/b\"]"), rule + "[\"/a\", \"--/b\"]'");
}

TEST(Surroundings, TakeSessionPrivilegesAndCapabilities) {
  EXPECT_EQ(read("session = \"group\"").session, Session::group);
  EXPECT_EQ(problem("session = \"none\""), "3:11: session: must be \"own\" or \"group\", not 'none'");
  EXPECT_TRUE(read("no_new_privs = true").no_new_privs);
  EXPECT_EQ(problem("no_new_privs = 1"), "3:16: no_new_privs: must be true or false, not '1'");
  EXPECT_EQ(read("capabilities = []").capabilities, CapabilitySet{0});
  EXPECT_EQ(read("capabilities = [\"CAP_CHOWN\", \"CHECKPOINT_RESTORE\"]").capabilities,
            CapabilitySet{1} | CapabilitySet{1} << 40U);
  EXPECT_EQ(problem("capabilities = [\"CAP_FLY\"]"),
            "3:16: capabilities: must name capabilities such as CAP_NET_BIND_SERVICE, not '[\"CAP_FLY\"]'");
}

TEST(Surroundings, KeepTheValueOfAVariableOutOfEveryMessage) {
  for (const std::string line :
       {"environment.A = 123456789", "environment.\"A=B\" = \"123456789\"", "environment.PLIMSOLL_RUN = \"123456789\"",
        "environment.PLIMSOLL_SERVICE = \"123456789\"", "environment.A = [\"123456789\"]",
        "environment.A = { b = \"123456789\" }"}) {
    const Texts problems = service_problems(line + "\n");
    ASSERT_EQ(problems.size(), 1U) << line;
    EXPECT_EQ(problems[0].find("123456789"), std::string::npos) << problems[0];
  }
}

}  // namespace
}  // namespace plimsoll::config

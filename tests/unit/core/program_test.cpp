// What a process runs: wrappers, interpreters and their scripts, globs.
#include "daemon/core/program.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace plimsoll::core {
namespace {

CommandLine line(std::vector<std::string> argv, std::string exe = {}, std::string comm = {},
                 std::string cwd = "/srv/app") {
  return {std::move(comm), std::move(exe), std::move(cwd), std::move(argv)};
}

TEST(Glob, MatchesTheWholeText) {
  EXPECT_TRUE(glob_matches("query-engine", "query-engine"));
  EXPECT_FALSE(glob_matches("query-engine", "query-engine-debian"));
  EXPECT_FALSE(glob_matches("engine", "query-engine"));
  EXPECT_TRUE(glob_matches("query-engine*", "query-engine"));
  EXPECT_TRUE(glob_matches("query-engine*", "query-engine-debian-openssl-3.0.x"));
  EXPECT_TRUE(glob_matches("*bridge*/index.js", "/srv/my-bridge-2/dist/index.js"));
  EXPECT_FALSE(glob_matches("*bridge*/index.js", "/srv/app/dist/index.js"));
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_TRUE(glob_matches("**", "a"));
  EXPECT_FALSE(glob_matches("?", ""));
  EXPECT_TRUE(glob_matches("[a-c]?[!x]", "bzy"));
  EXPECT_FALSE(glob_matches("[a-c]?[!x]", "bzx"));
  EXPECT_TRUE(glob_matches("[]]", "]"));
  EXPECT_TRUE(glob_matches("a[", "a[")) << "a bracket that is not closed is a character";
  EXPECT_TRUE(glob_matches("[a-]", "-"));
}

/// The plainest definition there is, to compare with.
bool matches_by_definition(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (glob.front() == '*')
    return matches_by_definition(glob.substr(1), text) ||
           (!text.empty() && matches_by_definition(glob, text.substr(1)));
  return !text.empty() && (glob.front() == '?' || glob.front() == text.front()) &&
         matches_by_definition(glob.substr(1), text.substr(1));
}

TEST(Glob, IsAsItsDefinitionForAllShortGlobsAndTexts) {
  const std::string letters = "a*?b";
  std::vector<std::string> globs{""};
  for (std::size_t i = 0; i < globs.size() && globs[i].size() < 4; ++i) {
    for (const char c : letters) globs.push_back(globs[i] + c);
  }
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < texts.size() && texts[i].size() < 4; ++i) {
    for (const char c : {'a', 'b'}) texts.push_back(texts[i] + c);
  }
  for (const std::string& glob : globs) {
    for (const std::string& text : texts)
      ASSERT_EQ(glob_matches(glob, text), matches_by_definition(glob, text)) << glob << " " << text;
  }
}

TEST(Wrapper, IsKnownByCommByArgv0OrByItsScript) {
  for (const char* name : {"sh",      "bash", "dash",  "ash",  "busybox",   "env",         "npm",      "npx",
                           "pnpm",    "yarn", "uv",    "uvx",  "poetry",    "su",          "sudo",     "runuser",
                           "setpriv", "gosu", "nohup", "tini", "dumb-init", "docker-init", "catatonit"}) {
    EXPECT_TRUE(program_of(line({"whatever"}, "", name)).wrapper) << name;
    EXPECT_TRUE(program_of(line({std::string{"/usr/bin/"} + name, "x"})).wrapper) << name;
  }
  EXPECT_TRUE(program_of(line({"npm start"}, "/usr/bin/node", "npm start")).wrapper);
  EXPECT_TRUE(
      program_of(line({"/usr/bin/node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "start"}, "/usr/bin/node", "node"))
          .wrapper);
  EXPECT_FALSE(program_of(line({"gunicorn: master [app]"}, "/usr/bin/python3.11", "gunicorn")).wrapper);
  EXPECT_FALSE(program_of(line({"/usr/bin/node", "server.js"}, "/usr/bin/node", "node")).wrapper);
  EXPECT_FALSE(program_of(line({"shell-server"}, "/usr/bin/shell-server", "shell-server")).wrapper);
}

TEST(Program, HasTheNamesOfItsExecutableOfArgv0AndOfItsScript) {
  const Program program =
      program_of(line({"node", "dist/index.js", "--port", "1"}, "/usr/bin/node", "node", "/srv/bridge"));
  EXPECT_EQ(program.names, (std::vector<std::string>{"node", "index.js"}));
  EXPECT_EQ(program.paths, (std::vector<std::string>{"/usr/bin/node", "/srv/bridge/dist/index.js"}));
  EXPECT_EQ(program.script, "/srv/bridge/dist/index.js");
}

TEST(Program, TakesTheFirstArgumentThatIsNoOptionForTheScript) {
  EXPECT_EQ(program_of(line({"node", "--max-old-space-size=100", "a.js", "b.js"}, "/usr/bin/node")).script,
            "/srv/app/a.js");
  EXPECT_EQ(program_of(line({"python3.11", "-u", "./run.py"}, "/usr/bin/python3.11")).script, "/srv/app/run.py");
  EXPECT_EQ(program_of(line({"python3", "-c", "import x"}, "/usr/bin/python3")).script, "");
  EXPECT_EQ(program_of(line({"python3", "-m", "http.server"}, "/usr/bin/python3")).script, "");
  EXPECT_EQ(program_of(line({"ruby", "-e", "1"}, "/usr/bin/ruby")).script, "");
  EXPECT_EQ(program_of(line({"/srv/query-engine", "a.js"}, "/srv/query-engine")).script, "") << "no interpreter";
  EXPECT_EQ(program_of(line({"pythonic", "a.py"}, "/usr/bin/pythonic")).script, "");
}

TEST(Program, FallsBackToArgv0WhereTheExecutableCannotBeRead) {
  const Program program = program_of(line({"./query-engine-debian", "-p", "1"}, "", "query-engine-de"));
  EXPECT_EQ(program.names, std::vector<std::string>{"query-engine-debian"});
  EXPECT_EQ(program.paths, std::vector<std::string>{"/srv/app/query-engine-debian"});
}

TEST(Program, WithOnlyVersionIsALookAtTheBinary) {
  EXPECT_TRUE(program_of(line({"/srv/query-engine", "--version"}, "/srv/query-engine")).version_only);
  EXPECT_TRUE(program_of(line({"node", "engine.js", "--version"}, "/usr/bin/node")).version_only);
  EXPECT_FALSE(program_of(line({"/srv/query-engine", "-p", "1", "--version"}, "/srv/query-engine")).version_only);
  EXPECT_FALSE(program_of(line({"/srv/query-engine"}, "/srv/query-engine")).version_only);
}

TEST(Program, NeedsItsFolderWhereAPathIsRelativeAndNowhereElse) {
  const auto without = [](CommandLine whole) {
    whole.cwd.clear();
    return whole;
  };
  const std::vector<std::pair<CommandLine, bool>> lines{
      {line({"/srv/query-engine", "12"}, "/srv/query-engine"), false},
      {line({"./query-engine"}, "/srv/query-engine"), false},
      {line({"./query-engine"}, ""), true},
      {line({"query-engine"}, ""), false},
      {line({"/srv/query-engine"}, ""), false},
      {line({"node", "dist/index.js"}, "/usr/bin/node"), true},
      {line({"node", "--inspect", "/srv/index.js"}, "/usr/bin/node"), false},
      {line({"node", "dist/index.js"}, ""), true},
      {line({"python3", "-m", "http.server"}, "/usr/bin/python3"), false},
      {line({}, ""), false},
  };
  for (const auto& [whole, needs] : lines) {
    SCOPED_TRACE(whole.argv.empty() ? "nothing" : whole.argv.front() + " of '" + whole.exe + "'");
    EXPECT_EQ(needs_cwd(without(whole)), needs);
    EXPECT_EQ(program_of(without(whole)) != program_of(whole), needs);
  }
}

TEST(Program, MayHaveNoArgvAtAll) {
  const Program program = program_of(line({}, "", "kworker"));
  EXPECT_TRUE(program.names.empty());
  EXPECT_FALSE(program.wrapper);
}

TEST(Match, ComparesNamesUnlessTheGlobHasASlash) {
  EngineRule rule;
  rule.match = {"index.js"};
  const Program bridge = program_of(line({"node", "dist/index.js"}, "/usr/bin/node", "node", "/srv/prisma-bridge"));
  const Program other = program_of(line({"node", "dist/index.js"}, "/usr/bin/node", "node", "/srv/shop"));
  EXPECT_TRUE(matches(rule, bridge));
  EXPECT_TRUE(matches(rule, other));
  rule.match = {"*bridge*/index.js"};
  EXPECT_TRUE(matches(rule, bridge));
  EXPECT_FALSE(matches(rule, other));
  rule.match = {"query-engine*", "node"};
  EXPECT_TRUE(matches(rule, other));
  rule.match = {};
  EXPECT_FALSE(matches(rule, other));
}

TEST(Match, IsOnTheWholeNameAndNotOn15Characters) {
  EngineRule rule;
  rule.match = {"query-engine-de"};
  EXPECT_FALSE(
      matches(rule, program_of(line({"/srv/query-engine-debian"}, "/srv/query-engine-debian", "query-engine-de"))));
}

}  // namespace
}  // namespace plimsoll::core

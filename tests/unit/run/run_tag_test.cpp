#include "daemon/run/run_tag.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon/run/environment.hpp"

namespace plimsoll::run {
namespace {

RunTag example() {
  RunTag tag;
  tag.life = {"4a1f2c3d-0000-4000-8000-123456789abc", 4026531836, "main", {17, 123456}};
  tag.service = "web";
  tag.run = 3;
  return tag;
}
constexpr std::string_view written = "4a1f2c3d-0000-4000-8000-123456789abc:4026531836:main:17:123456:web:3";

TEST(RunTag, IsWrittenInSevenParts) {
  EXPECT_EQ(to_text(example()), written);
}

TEST(RunTag, IsReadAsItWasWritten) {
  const auto tag = parse_run_tag(written);
  ASSERT_TRUE(tag);
  EXPECT_EQ(*tag, example());
}

TEST(RunTag, AnythingElseIsNone) {
  for (const char* text : {"", ":", "::::::", "a:1:main:17:5:web", "a:1:main:17:5:web:3:4", "a:x:main:17:5:web:3",
                           "a:1:main:0:5:web:3", "a:1:main:-4:5:web:3", "a:1:main:17:5:web:", "a:1:main:17:5:web:3 ",
                           "a:1:main:17:5::3", "a:1::17:5:web:3", "a:1:main:17:99999999999999999999999:web:3"}) {
    EXPECT_FALSE(parse_run_tag(text)) << text;
  }
}

TEST(RunTag, IsFoundInAnEnvironment) {
  const std::string word = "PLIMSOLL_RUN=" + std::string(written);
  EXPECT_TRUE(find_run_tag({"PATH=/bin", word}));
  EXPECT_FALSE(find_run_tag({"PATH=/bin", "PLIMSOLL_RUNS=" + std::string(written), "X" + word}));
  EXPECT_FALSE(find_run_tag({}));
}

TEST(RunTag, OurOwnLifeIsOurProcess) {
  const auto life = own_life(sys::ProcFs(), "main");
  ASSERT_TRUE(life.has_value());
  EXPECT_EQ(life->process.pid, ::getpid());
  EXPECT_GT(life->process.start_time, 0U);
  EXPECT_EQ(life->boot_id.size(), 36U);
  EXPECT_GT(life->pid_namespace, 0U);
}

TEST(Environment, ConfiguredNamesReplaceAndUnset) {
  Service service;
  service.environment = {{"LEVEL", "debug"}, {"SECRET", std::nullopt}, {"NEW", "x=y"}};
  const Environment inherited = {"PATH=/bin", "LEVEL=info", "SECRET=1", "SECRETS=2"};
  const Environment merged = environment_of(service, inherited);
  EXPECT_EQ(look_up(merged, "LEVEL"), "debug");
  EXPECT_EQ(look_up(merged, "NEW"), "x=y");
  EXPECT_EQ(look_up(merged, "SECRET"), std::nullopt);
  EXPECT_EQ(look_up(merged, "SECRETS"), "2");
  EXPECT_EQ(merged.size(), 4U);
}

TEST(Environment, OnlyWhatIsInheritedByNameComesFromTheDaemon) {
  const Environment inherited = {"PATH=/bin", "LEVEL=info", "LEVELS=2"};
  Service service;
  service.environment = {{"OWN", "1"}};
  service.surroundings.edit().inherit = std::vector<std::string>{"LEVEL", "NOT_THERE"};
  EXPECT_EQ(environment_of(service, inherited), (Environment{"LEVEL=info", "OWN=1"}));
  service.surroundings.edit().inherit = false;
  EXPECT_EQ(environment_of(service, inherited), (Environment{"OWN=1"}));
}

TEST(Environment, TableWinsOverFilesAndFilesOverWhatIsInherited) {
  const Environment inherited = {"A=inherited", "B=inherited", "C=inherited", "D=inherited"};
  Service service;
  service.environment = {{"A", "table"}, {"D", std::nullopt}};
  const Variables between = {{"A", "file"}, {"B", "first file"}, {"B", "second file"}, {"D", "file"}};
  EXPECT_EQ(environment_of(service, inherited, between), (Environment{"C=inherited", "B=second file", "A=table"}));
}

TEST(Environment, RunOfAnOuterDaemonIsNotInherited) {
  ASSERT_EQ(::setenv("PLIMSOLL_RUN", "x", 1), 0);
  const Environment words = inherited_environment();
  EXPECT_EQ(look_up(words, "PLIMSOLL_RUN"), std::nullopt);
  EXPECT_TRUE(look_up(words, "PATH"));
  ::unsetenv("PLIMSOLL_RUN");
}

}  // namespace
}  // namespace plimsoll::run

#include "daemon/run/packed_command.hpp"

#include <gtest/gtest.h>

namespace plimsoll::run {
namespace {

const core::CommandLine sleeping{"sleep", "/usr/bin/sleep", "/srv", {"/bin/sleep", "", "100"}};

PackedCommand with_argv(std::vector<std::string> argv) {
  return PackedCommand({"sleep", "/usr/bin/sleep", "/srv", std::move(argv)});
}

TEST(PackedCommand, GivesBackWhatWasPacked) {
  const core::CommandLine line = PackedCommand(sleeping).line();
  EXPECT_EQ(line.comm, sleeping.comm);
  EXPECT_EQ(line.exe, sleeping.exe);
  EXPECT_EQ(line.cwd, sleeping.cwd);
  EXPECT_EQ(line.argv, sleeping.argv);
}

TEST(PackedCommand, OfNothingHasNothing) {
  const PackedCommand nothing;
  EXPECT_FALSE(nothing.has_argv());
  EXPECT_TRUE(nothing.has_argv({}));
  EXPECT_EQ(nothing.comm(), "");
  EXPECT_EQ(nothing.exe(), "");
  EXPECT_EQ(nothing.line().cwd, "");
  EXPECT_TRUE(nothing.line().argv.empty());
}

TEST(PackedCommand, AProgramThatMayNotBeReadIsAnEmptyOne) {
  const PackedCommand packed({"sleep", "", "", {"a"}});
  EXPECT_EQ(packed.comm(), "sleep");
  EXPECT_EQ(packed.exe(), "");
  EXPECT_TRUE(packed.has_argv({"a"}));
}

TEST(PackedCommand, NoChangeOfArgvGoesUnseen) {
  using Argv = std::vector<std::string>;
  const std::vector<Argv> all{{},      {""},       {"", ""},    {"a"},      {"a", ""}, {"", "a"},
                              {"a b"}, {"a", "b"}, {"ab"},      {"a", "c"}, {"b"},     {"a", "b", "c"},
                              {"a\n"}, {"A"},      {"a", "bc"}, {"ab", "c"}};
  for (const Argv& one : all) {
    for (const Argv& other : all) {
      EXPECT_EQ(with_argv(one).has_argv(other), one == other) << one.size() << ' ' << other.size();
      EXPECT_EQ(with_argv(one).has_argv_of(with_argv(other)), one == other) << one.size() << ' ' << other.size();
    }
    EXPECT_EQ(with_argv(one).has_argv(), !one.empty());
    EXPECT_EQ(with_argv(one).line().argv, one);
  }
}

}  // namespace
}  // namespace plimsoll::run

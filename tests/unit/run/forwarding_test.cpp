#include "daemon/run/forwarding.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace plimsoll::run {
namespace {

Forwarding read(const std::vector<std::string>& rewrites, const std::vector<std::string>& exit_ok = {}) {
  auto forwarding = read_forwarding(rewrites, exit_ok, false);
  if (const std::string* wrong = std::get_if<std::string>(&forwarding)) {
    ADD_FAILURE() << *wrong;
    return {};
  }
  return std::get<Forwarding>(std::move(forwarding));
}

TEST(Forwarding, WithoutARewriteASignalIsItself) {
  EXPECT_EQ(read({}).rewritten(SIGHUP), SIGHUP);
  EXPECT_TRUE(read({}).exit_ok.empty());
}

TEST(Forwarding, SignalsAreRewrittenByNameOrByNumber) {
  const Forwarding forwarding = read({"15:2", "SIGHUP:USR1", "QUIT:0", "SIGRTMIN+1:34"});
  EXPECT_EQ(forwarding.rewritten(SIGTERM), SIGINT);
  EXPECT_EQ(forwarding.rewritten(SIGHUP), SIGUSR1);
  EXPECT_EQ(forwarding.rewritten(SIGQUIT), 0);
  EXPECT_EQ(forwarding.rewritten(SIGRTMIN + 1), SIGRTMIN);
  EXPECT_EQ(forwarding.rewritten(SIGINT), SIGINT) << "once, and not on and on";
  EXPECT_EQ(read({"15:2", "15:3"}).rewritten(SIGTERM), SIGQUIT) << "the last one counts";
}

TEST(Forwarding, ExitCodesAreCollected) {
  EXPECT_EQ(read({}, {"143", "0", "255"}).exit_ok, (std::set<int>{0, 143, 255}));
}

TEST(Forwarding, WhatCannotBeUnderstoodIsNamed) {
  for (const std::string text :
       {"", "15", ":", "15:", ":15", "15:x", "99:1", "15:-1", "KILL:15", "15:9", "TERM:STOP", "CHLD:0", "0:15"}) {
    const auto forwarding = read_forwarding({text}, {}, false);
    const std::string* wrong = std::get_if<std::string>(&forwarding);
    ASSERT_NE(wrong, nullptr) << text;
    EXPECT_TRUE(wrong->ends_with("not '" + text + "'")) << *wrong;
  }
  for (const std::string text : {"", "x", "256", "-1", "1 "}) {
    EXPECT_TRUE(std::holds_alternative<std::string>(read_forwarding({}, {text}, false))) << text;
  }
}

}  // namespace
}  // namespace plimsoll::run

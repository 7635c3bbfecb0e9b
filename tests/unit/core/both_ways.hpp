// A history is played twice, and both plays must say the same at the same instants. Included by history.hpp.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {

/// What was said, line by line, for the comparison of two plays of one history.
inline std::vector<std::string> script(const History& history) {
  std::vector<std::string> lines;
  for (const Said& one : history.said) {
    lines.push_back(std::to_string(one.at.count()) + " " + to_text(one.entry.kind) + " " + one.entry.rung + " " +
                    one.entry.why);
  }
  for (const Signalled& one : history.signals) {
    lines.push_back(std::to_string(one.at.count()) + " signal " + std::to_string(one.signal) + " to " +
                    std::to_string(one.to.pid));
  }
  return lines;
}

inline void play_both_ways(const std::function<void(History&)>& story) {
  History jumping;
  story(jumping);
  if (testing::Test::HasFailure()) {
    for (const std::string& line : script(jumping)) std::cerr << "  " << line << "\n";
    return;
  }
  History ticking{37ms};
  story(ticking);
  EXPECT_EQ(script(jumping), script(ticking))
      << "idle ticks have changed the history: a deadline is missing or is not honest";
}

#define HISTORY(suite, name)              \
  static void suite##_##name(History& h); \
  TEST(suite, name) {                     \
    play_both_ways(suite##_##name);       \
  }                                       \
  static void suite##_##name(History& h)

}  // namespace plimsoll::core

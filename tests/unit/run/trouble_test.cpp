#include "daemon/run/trouble.hpp"

#include <gtest/gtest.h>

namespace plimsoll::run {
namespace {

using namespace std::chrono_literals;

class TroubleTest : public ::testing::Test {
 protected:
  std::string look(const std::string& wrong, std::chrono::milliseconds at) {
    const auto said = trouble.look(wrong, Trouble::Time{} + 1h + at);
    if (!said) return {};
    return (said->bad ? "bad: " : "good: ") + said->sentence;
  }
  Trouble trouble{"all is well"};
};

TEST_F(TroubleTest, IsSaidWhenItBeginsAndThenEveryTenMinutes) {
  EXPECT_EQ(look("", 0s), "");
  EXPECT_EQ(look("no room", 1s), "bad: no room");
  EXPECT_EQ(look("no room", 2s), "");
  EXPECT_EQ(look("no room", 600s), "");
  EXPECT_EQ(look("no room", 602s), "bad: no room");
  EXPECT_EQ(look("no room", 700s), "");
}

TEST_F(TroubleTest, IsOverWhenItHasBeenAwayForAWhile) {
  look("no room", 1s);
  EXPECT_EQ(look("", 2s), "");
  EXPECT_EQ(look("", 4s), "good: all is well");
  EXPECT_EQ(look("", 5s), "");
  EXPECT_EQ(look("no room", 6s), "bad: no room") << "a new one is said at once";
}

TEST_F(TroubleTest, ThatComesAndGoesIsOne) {
  look("no room", 0s);
  for (int i = 1; i < 100; ++i) EXPECT_EQ(look(i % 2 == 0 ? "no room" : "", i * 1s), "");
}

TEST_F(TroubleTest, OfAnotherKindIsSaidAMinuteLater) {
  look("no room", 0s);
  EXPECT_EQ(look("no chair", 1s), "");
  EXPECT_EQ(look("no chair", 61s), "bad: no chair");
}

}  // namespace
}  // namespace plimsoll::run

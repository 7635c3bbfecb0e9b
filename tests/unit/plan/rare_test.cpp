#include "config/plan/rare.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace plimsoll {
namespace {

TEST(Rare, IsEmptyAndAPointerWideUntilItIsGivenAValue) {
  Rare<std::string> one;
  EXPECT_EQ(sizeof one, sizeof(void*));
  EXPECT_FALSE(one);
  EXPECT_EQ(one, std::nullopt);
  one = "text";
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(*one, "text");
  EXPECT_EQ(one->size(), 4U);
  one.reset();
  EXPECT_FALSE(one);
  EXPECT_EQ(one.emplace(), "");
}

TEST(Rare, ACopyHasAValueOfItsOwn) {
  Rare<std::string> one{"text"};
  Rare<std::string> copy = one;
  EXPECT_EQ(copy, one);
  *copy += ", changed";
  EXPECT_EQ(*one, "text");
  EXPECT_NE(copy, one);
  copy = one;
  EXPECT_EQ(copy, one);
  const Rare<std::string> moved = std::move(copy);
  EXPECT_EQ(moved, one);
}

TEST(Rare, IsAssignedFromItself) {
  Rare<std::string> one{"text"};
  const Rare<std::string>& same = one;
  one = same;
  EXPECT_EQ(*one, "text");
}

TEST(Rare, EmptyOnesAreEqual) {
  EXPECT_EQ(Rare<int>{}, Rare<int>{});
  EXPECT_NE(Rare<int>{}, Rare<int>{0});
}

}  // namespace
}  // namespace plimsoll

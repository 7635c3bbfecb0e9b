#include "config/plan/shared.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plimsoll {
namespace {

using Words = std::vector<std::string>;

TEST(Shared, IsItsTypesDefaultUntilItIsGivenAValue) {
  Shared<Words> one;
  EXPECT_TRUE(one->empty());
  EXPECT_EQ(one, Words{});
  one = {"a", "b"};
  EXPECT_EQ(one, (Words{"a", "b"}));
  one = {};
  EXPECT_EQ(one, Words{});
}

TEST(Shared, CopiesHoldOneValueUntilOneOfThemIsEdited) {
  Shared<Words> one{Words{"a"}};
  Shared<Words> other = one;
  EXPECT_EQ(&*one, &*other);
  other.edit().push_back("b");
  EXPECT_EQ(one, Words{"a"});
  EXPECT_EQ(other, (Words{"a", "b"}));
  const Words* held = &*other;
  other.edit().push_back("c");
  EXPECT_EQ(&*other, held) << "nobody else holds it: it is edited in its place";
}

TEST(Shared, EditingADefaultLeavesOtherDefaultsAlone) {
  Shared<Words> one;
  one.edit().push_back("a");
  EXPECT_TRUE(Shared<Words> {} -> empty());
}

TEST(Shared, IsComparedByValue) {
  EXPECT_EQ(Shared<Words>{Words{"a"}}, Shared<Words>{Words{"a"}});
  EXPECT_EQ(Shared<Words>{Words{}}, Shared<Words>{});
  EXPECT_NE(Shared<Words>{Words{"a"}}, Shared<Words>{});
}

TEST(Alike, EqualValuesAreHeldOnce) {
  Alike<Words> alike;
  Shared<Words> one{Words{"a"}};
  Shared<Words> different{Words{"b"}};
  Shared<Words> same{Words{"a"}};
  for (Shared<Words>* each : {&one, &different, &same}) alike.share(*each);
  EXPECT_EQ(&*one, &*same);
  EXPECT_NE(&*one, &*different);
  EXPECT_EQ(different, Words{"b"});
}

TEST(Alike, WhatEqualsTheDefaultIsHeldByNobody) {
  Alike<Words> alike;
  Shared<Words> one{Words{}};
  alike.share(one);
  EXPECT_EQ(&*one, &*Shared<Words>{});
}

TEST(Alike, ManyThatDifferPushTheOldestOut) {
  Alike<Words> alike;
  Shared<Words> first{Words{"first"}};
  alike.share(first);
  for (int i = 0; i < 100; ++i) {
    Shared<Words> one{Words{std::to_string(i)}};
    alike.share(one);
    EXPECT_EQ(one, Words{std::to_string(i)});
  }
  Shared<Words> again{Words{"first"}};
  alike.share(again);
  EXPECT_EQ(again, first);
  EXPECT_NE(&*again, &*first);
}

}  // namespace
}  // namespace plimsoll

// Against a std::map: whatever was found last, and whatever happened to it since, the answers are the same.
#include "daemon/core/recent_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

namespace plimsoll::core {
namespace {

class Twins {
 public:
  explicit Twins(unsigned seed) : random_(seed) {}

  void act() {
    const std::string key = std::to_string(random_() % 8);
    switch (random_() % 8) {
      case 0: tried_[key] = plain_[key] = ++value_; break;
      case 1: erase(key); break;
      case 2: tried_ = RecentMap(tried_); break;
      case 3: copy_over(); break;
      case 4: tried_ = RecentMap(std::move(tried_)); break;
      case 5:
        if (random_() % 16 == 0) clear();
        break;
      default: break;
    }
    compare();
  }

 private:
  void erase(const std::string& key) {
    (void)tried_.find(std::to_string(random_() % 8));  // which may be that one, its neighbour, or another
    const auto found = random_() % 2 == 0 ? tried_.find(key) : tried_.end();
    found != tried_.end() ? (void)tried_.erase(found) : tried_.erase(key);
    plain_.erase(key);
  }
  /// What was found in the one that is written over is not there any more.
  void copy_over() {
    RecentMap<std::string, int> other;
    other["0"] = other["1"] = -1;
    (void)other.find("1");
    other = tried_;
    std::swap(tried_, other);
  }
  void clear() {
    tried_.clear();
    plain_.clear();
  }
  void compare() {
    ASSERT_EQ(tried_.size(), plain_.size());
    for (int n = 0; n < 4; ++n) {
      const std::string key = std::to_string(random_() % 9);
      const auto expected = plain_.find(key);
      const auto found = tried_.find(key);
      ASSERT_EQ(found == tried_.end(), expected == plain_.end()) << key;
      ASSERT_EQ(tried_.contains(key), expected != plain_.end()) << key;
      const auto next = plain_.lower_bound(key);
      const auto found_next = tried_.lower_bound(key);
      ASSERT_EQ(found_next == tried_.end(), next == plain_.end()) << key;
      ASSERT_TRUE(next == plain_.end() || found_next->first == next->first) << key;
      if (expected == plain_.end()) continue;
      ASSERT_EQ(found->first, key);
      ASSERT_EQ(found->second, expected->second);
      ASSERT_EQ(&std::as_const(tried_).at(key), &found->second);
    }
    ASSERT_TRUE(std::equal(tried_.begin(), tried_.end(), plain_.begin(), plain_.end()));
  }

  std::mt19937 random_;
  int value_ = 0;
  RecentMap<std::string, int> tried_;
  std::map<std::string, int> plain_;
};

TEST(RecentMap, AnswersAsAMapDoes) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Twins twins(seed);
    for (int n = 0; n < 500 && !::testing::Test::HasFatalFailure(); ++n) twins.act();
  }
}

TEST(RecentMap, WhatIsNotThereIsNoEntry) {
  RecentMap<int, int> map;
  EXPECT_THROW((void)map.at(1), std::out_of_range);
  map[1] = 2;
  EXPECT_EQ(map.at(1), 2);
  EXPECT_THROW((void)map.at(2), std::out_of_range);
  EXPECT_EQ(map.size(), 1U);
}

}  // namespace
}  // namespace plimsoll::core

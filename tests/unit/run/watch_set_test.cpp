#include "daemon/run/watch_set.hpp"

#include <vector>

#include "tests/unit/run/edge.hpp"

namespace plimsoll::run {
namespace {

TEST(WatchSet, EachIsToldOfByItsKeyForAsLongAsItCanBeRead) {
  Edge edge;
  Pipe one;
  Pipe other;
  std::vector<WatchSet::Key> told;
  WatchSet set(edge.loop, [&](WatchSet::Key key) { told.push_back(key); });
  ASSERT_FALSE(set.add(one.read_end.get(), 1));
  ASSERT_FALSE(set.add(other.read_end.get(), 1ULL << 63U));
  edge.turns(5);
  EXPECT_TRUE(told.empty());
  other.tell(7);
  edge.until([&] { return told.size() >= 3; }, "it to be told again and again");
  EXPECT_EQ(told, std::vector<WatchSet::Key>(told.size(), 1ULL << 63U));
  EXPECT_EQ(other.next(), 7);
}

TEST(WatchSet, WhatIsRemovedIsNotToldOf) {
  Edge edge;
  Pipe one;
  int told = 0;
  WatchSet set(edge.loop, [&](WatchSet::Key) { ++told; });
  ASSERT_FALSE(set.add(one.read_end.get(), 1));
  one.tell(7);
  set.take();
  EXPECT_EQ(told, 1);
  set.remove(one.read_end.get());
  set.remove(one.read_end.get());
  set.take();
  edge.turns(5);
  EXPECT_EQ(told, 1);
}

TEST(WatchSet, MayBeChangedWhileItTells) {
  Edge edge;
  Pipe one;
  Pipe other;
  std::vector<WatchSet::Key> told;
  WatchSet* itself = nullptr;
  WatchSet set(edge.loop, [&](WatchSet::Key key) {
    told.push_back(key);
    itself->remove(one.read_end.get());
    if (key == 2) return itself->remove(other.read_end.get());
    EXPECT_FALSE(itself->add(other.read_end.get(), 2));
  });
  itself = &set;
  one.tell(7);
  other.tell(7);
  ASSERT_FALSE(set.add(one.read_end.get(), 1));
  edge.until([&] { return told.size() == 2; }, "the second");
  edge.turns(5);
  EXPECT_EQ(told, (std::vector<WatchSet::Key>{1, 2}));
}

TEST(WatchSet, SaysOnceWhenAllThatWereReadableTogetherAreToldOf) {
  Edge edge;
  Pipe one;
  Pipe other;
  std::size_t told = 0;
  std::vector<std::size_t> said;
  WatchSet set(edge.loop, [&](WatchSet::Key) { ++told; });
  set.when_told([&] { said.push_back(told); });
  one.tell(7);
  other.tell(7);
  ASSERT_FALSE(set.add(one.read_end.get(), 1));
  ASSERT_FALSE(set.add(other.read_end.get(), 2));
  set.take();
  EXPECT_EQ(told, 2U);
  EXPECT_TRUE(said.empty()) << "who takes by himself knows when it is over";
  edge.until([&] { return said.size() >= 2; }, "the loop to have told twice");
  said.resize(2);
  EXPECT_EQ(said, (std::vector<std::size_t>{4, 6}));
}

TEST(WatchSet, WhatCannotBeWatchedIsSaid) {
  Edge edge;
  WatchSet set(edge.loop, [](WatchSet::Key) {});
  EXPECT_EQ(set.add(-1, 1).value(), EBADF);
}

}  // namespace
}  // namespace plimsoll::run

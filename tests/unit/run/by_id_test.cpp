#include "daemon/run/by_id.hpp"

#include <gtest/gtest.h>

#include <string>

#include "daemon/run/by_pid.hpp"

namespace plimsoll::run {
namespace {

std::vector<core::ProcessId> ids_of(const ById<std::string>& table) {
  std::vector<core::ProcessId> ids;
  for (const auto& [id, text] : table) ids.push_back(id);
  return ids;
}

TEST(ById, IsInTheOrderOfTheIdsHoweverTheyCame) {
  ById<std::string> table;
  table[{7, 20}] = "second of seven";
  table[{9, 1}] = "nine";
  table[{7, 10}] = "first of seven";
  table[{3, 99}] = "three";
  EXPECT_EQ(ids_of(table), (std::vector<core::ProcessId>{{3, 99}, {7, 10}, {7, 20}, {9, 1}}));
  EXPECT_EQ(*table.find({7, 10}), "first of seven");
  EXPECT_EQ(table.find({7, 11}), nullptr);
  EXPECT_EQ(table.size(), 4U);
}

TEST(ById, AnEntryStaysWhereItIsInMemory) {
  ById<std::string> table;
  std::string* const five = &table[{5, 1}];
  for (int pid = 100; pid > 0; --pid) table[{pid, 1}] = std::to_string(pid);
  EXPECT_EQ(table.find({5, 1}), five);
  EXPECT_EQ(*five, "5");
}

TEST(ById, TheLastOfAPidIsTheOneThatStartedLast) {
  ById<std::string> table;
  EXPECT_EQ(table.find_last(7), nullptr);
  table[{7, 20}] = "second";
  table[{7, 10}] = "first";
  table[{8, 1}] = "another";
  EXPECT_EQ(*table.find_last(7), "second");
  EXPECT_EQ(table.find_last(6), nullptr);
  EXPECT_EQ(table.find_last(9), nullptr);
  table.erase({7, 20});
  table.erase({7, 20});
  EXPECT_EQ(*table.find_last(7), "first");
}

TEST(ById, ErasesThoseThatFit) {
  ById<std::string> table;
  for (int pid = 1; pid <= 4; ++pid) table[{pid, 1}] = "x";
  table.erase_if([](core::ProcessId id) { return id.pid % 2 == 0; });
  EXPECT_EQ(ids_of(table), (std::vector<core::ProcessId>{{1, 1}, {3, 1}}));
}

TEST(ByPid, HasOneValueAPid) {
  ByPid<core::ProcessId> table;
  table.put({7, 10});
  table.put({3, 1});
  table.put({7, 20});
  table.put({5, 1});
  EXPECT_EQ(std::vector<core::ProcessId>(table.begin(), table.end()),
            (std::vector<core::ProcessId>{{3, 1}, {5, 1}, {7, 20}}));
  EXPECT_EQ(table.find(7)->start_time, 20U);
  EXPECT_EQ(table.find(4), nullptr);
  EXPECT_EQ(table.find(8), nullptr);
  table.erase(5);
  table.erase(5);
  EXPECT_EQ(table.find(5), nullptr);
  table.clear();
  EXPECT_EQ(table.find(7), nullptr);
}

}  // namespace
}  // namespace plimsoll::run

#include "daemon/run/journal.hpp"

#include <fcntl.h>

#include "tests/unit/run/edge.hpp"

namespace plimsoll::run {
namespace {

using namespace std::chrono_literals;

class JournalTest : public ::testing::Test {
 protected:
  Edge edge;
  sys::Fd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  LineSink sink{edge.loop, nowhere.get(), [](const LineSink::Loss&) {}};
  Journal journal{"boot", sink};
  WallTime at{1'700'000'000'123ms};
};

TEST_F(JournalTest, EventComesBackAsItWasAdded) {
  core::Entry entry;
  entry.kind = core::EventKind::rung;
  entry.service = "web";
  entry.rule = "prisma";
  entry.rung = "end";
  entry.why = std::string("bytes\0and all", 13);
  entry.outcome = core::Outcome::worked;
  entry.would = true;
  entry.pid = 7;
  entry.limit = Bytes{1};
  entry.rss = Bytes{2};
  entry.peak = Bytes{3};
  entry.exit = core::Exit{core::ExitKind::exited, 4, 0, at};
  journal.add(entry, at);
  const auto events = journal.since(0);
  ASSERT_EQ(events.size(), 1U);
  const wire::Event& event = events.front();
  EXPECT_EQ(event.id, 1U);
  EXPECT_EQ(event.boot, "boot");
  EXPECT_EQ(event.at, "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(event.kind, "rung");
  EXPECT_EQ(event.service, "web");
  EXPECT_EQ(event.rule, "prisma");
  EXPECT_EQ(event.rung, "end");
  EXPECT_EQ(event.why, entry.why);
  EXPECT_EQ(event.outcome, "worked");
  EXPECT_TRUE(event.would);
  EXPECT_EQ(event.pid, 7);
  EXPECT_EQ(event.limit_bytes, 1U);
  EXPECT_EQ(event.rss_bytes, 2U);
  EXPECT_EQ(event.peak_bytes, 3U);
  ASSERT_TRUE(event.exit.has_value());
  EXPECT_EQ(event.exit->code, 4);
}

TEST_F(JournalTest, WhatAnEventDoesNotHaveStaysEmpty) {
  journal.add({}, at);
  const auto events = journal.since(0);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].service + events[0].rule + events[0].rung + events[0].why + events[0].outcome, "");
  EXPECT_FALSE(events[0].pid || events[0].limit_bytes || events[0].rss_bytes || events[0].peak_bytes || events[0].exit);
}

TEST_F(JournalTest, TheLastAreKeptAndTheirIdsGoOn) {
  core::Entry entry;
  entry.why = std::string(1000, 'x');
  for (int i = 0; i < 1'000; ++i) journal.add(entry, at);
  const auto events = journal.since(0);
  EXPECT_EQ(events.back().id, 1'000U);
  EXPECT_EQ(events.front().id, 1'001U - events.size());
  EXPECT_LE(events.size() * (sizeof(wire::Event) + entry.why.size()), 512U * 1024);
  EXPECT_GE((events.size() + 1) * (sizeof(wire::Event) + entry.why.size() + 3), 512U * 1024);
  EXPECT_EQ(journal.since(998).size(), 2U);
}

}  // namespace
}  // namespace plimsoll::run

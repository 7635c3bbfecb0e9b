// Rest: who goes unread, for how long, and what ends it.
#include "daemon/core/resting.hpp"

#include "daemon/core/memory.hpp"
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

MemoryPolicy lines(std::uint64_t growth) {
  MemoryPolicy made;
  made.soft = mib(400);
  made.hard = mib(800);
  made.growth = Bytes{growth};
  return made;
}

TEST(LongestUnread, IsTheTimeToHalfOfTheWayToTheNearestLine) {
  EXPECT_EQ(longest_unread(lines(1 << 20), mib(396), 0), 2s);
  EXPECT_EQ(longest_unread(lines(1 << 20), mib(396), 2.0 * (1 << 20)), 1s) << "it has grown faster than was assumed";
  MemoryPolicy hard_only = lines(1 << 20);
  hard_only.soft.reset();
  EXPECT_EQ(longest_unread(hard_only, mib(796), 0), 2s);
}

TEST(LongestUnread, HasAnEndHoweverFarTheLineIs) {
  EXPECT_EQ(longest_unread(lines(1), mib(1), 0), std::chrono::nanoseconds{longest_rest});
  EXPECT_EQ(longest_unread(MemoryPolicy{}, mib(1), 0), std::chrono::nanoseconds{longest_rest}) << "no line at all";
}

TEST(LongestUnread, IsNothingAboveTheSoftLine) {
  EXPECT_EQ(longest_unread(lines(1), mib(400), 0), 0s);
}

/// An application with one engine that grows by 10 MB/s at most: at its 50 MiB it may go unread for as long as any.
struct Resting : History {
  ProcessId engine;
  std::size_t readings = 0;

  void begins() {
    Service service = app();
    service.engines[0].memory.growth = Bytes{10'000'000};
    page_faults = 70'000;
    begin(service);
    engine = starts_engine(starts_worker(main()));
    at(20s);
    after_step = [this](const Event& event, const Effects&) {
      const auto* sampled = std::get_if<MemorySampled>(&event);
      if (sampled == nullptr) return;
      for (const Sample& sample : sampled->samples) readings += sample.id == engine ? 1 : 0;
    };
  }
  [[nodiscard]] const MemoryWatch& watch() { return find_process(world, engine)->memory; }
};

TEST(Rest, LastsWhileTheMachineStandsStill) {
  Resting h;
  h.begins();
  h.at(60s);
  EXPECT_GE(h.readings, 3U) << "nobody is unread for ever";
  EXPECT_LE(h.readings, 5U);
}

TEST(Rest, IsNoneWherePageFaultsCannotBeCounted) {
  Resting h;
  h.begins();
  h.page_faults.reset();
  h.at(60s);
  EXPECT_GE(h.readings, 39U);
}

TEST(Rest, IsNotDisturbedByNoise) {
  Resting h;
  h.begins();
  for (int second = 21; second <= 60; ++second) {
    h.page_faults = *h.page_faults + 100;
    h.at(std::chrono::seconds{second});
  }
  EXPECT_LE(h.readings, 12U);
}

TEST(Rest, EndsAtTheNextCountWhenSomebodyMayHaveGrown) {
  Resting h;
  h.begins();
  h.at(30s);
  h.has(h.engine, 300);
  h.page_faults = *h.page_faults + 64'000;
  h.at(31s + 1ms);
  EXPECT_EQ(h.watch().rss, mib(300));
}

TEST(Rest, EndsWhenTheCountHasBecomeSmaller) {
  Resting h;
  h.begins();
  h.at(30s);
  h.has(h.engine, 300);
  h.page_faults = 5;
  h.at(31s + 1ms);
  EXPECT_EQ(h.watch().rss, mib(300));
}

TEST(Rest, EndsBeforeHalfOfWhatIsLeftCanBeCoveredThoughNoFaultWasCounted) {
  Resting h;
  Service service = app();
  service.engines[0].memory.growth = Bytes{40 << 20};
  h.page_faults = 70'000;
  h.begin(service);
  h.engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(20s);
  h.has(h.engine, 300);
  h.at(25s);
  EXPECT_EQ(h.watch().rss, mib(300)) << "350 MiB to its line at 40 MiB a second: 4.4 s";
}

TEST(Rest, IsNoneForWhoIsToBeReadMoreOftenThanFaultsAreCounted) {
  Resting h;
  Service service = app();
  service.engines[0].memory.growth = Bytes{1};
  service.engines[0].memory.interval = Duration{500};
  h.page_faults = 70'000;
  h.begin(service);
  h.engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(20s);
  h.has(h.engine, 300);
  h.at(20s + 501ms);
  EXPECT_EQ(h.watch().rss, mib(300));
}

TEST(Rest, IsNoneAboveTheSoftLine) {
  Resting h;
  h.begins();
  h.has(h.engine, 500);
  h.page_faults = *h.page_faults + 120'000;
  h.at(22s);
  h.readings = 0;
  h.at(32s);
  EXPECT_GE(h.readings, 9U);
}

TEST(Rest, CountsAsKnownToTheGrowthAfterIt) {
  Resting h;
  h.begins();
  h.at(28s + 500ms);
  ASSERT_LT(*h.watch().sampled, h.start + 28s) << "it rests";
  EXPECT_GE(known_at(h.world, h.watch()), h.start + 28s);
  h.has(h.engine, 250);
  h.page_faults = *h.page_faults + 51'200;
  h.at(30s);
  EXPECT_GE(h.watch().worst_growth, 1e8) << "200 MiB in the second since the machine stood still";
}

TEST(Rest, OfANewProcessBeginsAfterItsFirstReading) {
  Resting h;
  h.begins();
  const ProcessId another = h.forks(h.starts_worker(h.main()), {"/srv/query-engine-debian"});
  h.has(another, 390);
  h.looks();
  h.after(100ms);
  EXPECT_EQ(find_process(h.world, another)->memory.rss, mib(390));
}

}  // namespace
}  // namespace plimsoll::core

// Cycles by cron: the wall clock decides, and its jumps fire nothing twice.
#include "tests/unit/core/cycle_plans.hpp"

namespace plimsoll::core {
namespace {

HISTORY(CronCycle, FiresByTheWallClock) {
  h.begin(with(by_cron("*/30 * * * *")));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(95min);
  EXPECT_EQ(rounds(h), (std::vector<std::int64_t>{1800, 3600, 5400}));
}

HISTORY(CronCycle, IsNotSkippedByARestartOfItsService) {
  h.begin(with(by_cron("0 13 * * *")));
  h.at(10min);
  h.asks(CommandAct::restart);
  h.at(11min);
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(61min);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{3600}) << "the day's firing is still to come";
}

HISTORY(CronCycle, FiresNothingTwiceWhenTheClockIsSetBack) {
  h.begin(with(by_cron("0 13 * * *")));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(61min);
  EXPECT_EQ(rounds(h).size(), 1u);
  h.wall_shift -= std::chrono::duration_cast<Duration>(30min);
  h.at(120min);
  EXPECT_EQ(rounds(h).size(), 1u);
}

HISTORY(CronCycle, FiresNothingTwiceWhenTheServiceRestartsAfterTheClockWasSetBack) {
  h.begin(with(by_cron("0 13 * * *", CycleAct::restart)));
  h.at(61min);
  EXPECT_EQ(h.run(), 2u);
  h.wall_shift -= std::chrono::duration_cast<Duration>(30min);
  h.at(62min);
  h.asks(CommandAct::restart);
  h.at(120min);
  EXPECT_EQ(h.run(), 3u);
}

HISTORY(CronCycle, FiresOnceWhenTheClockIsSetForward) {
  h.begin(with(by_cron("*/10 * * * *")));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(5min);
  h.wall_shift += std::chrono::duration_cast<Duration>(2h);
  h.looks();
  h.at(7min);
  EXPECT_EQ(rounds(h).size(), 1u);
}

HISTORY(CronCycle, PlannedByAClockThatWasYearsAheadIsPlannedAnew) {
  h.wall_shift = std::chrono::duration_cast<Duration>(std::chrono::years{5});
  h.begin(with(by_cron("0 13 * * *")));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(1min);
  h.wall_shift = 0ms;
  h.at(62min);
  EXPECT_EQ(rounds(h).size(), 1u);
}

HISTORY(CronCycle, FiredByAClockThatWasYearsAheadFiresAtTheRightTimeToo) {
  h.wall_shift = std::chrono::duration_cast<Duration>(std::chrono::years{5});
  // The average year has no whole number of days: brought back to noon.
  h.wall_shift -= h.wall_shift % std::chrono::duration_cast<Duration>(24h);
  h.begin(with(by_cron("0 13 * * *")));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(61min);
  EXPECT_EQ(rounds(h).size(), 1u);
  h.wall_shift = std::chrono::duration_cast<Duration>(-30min);
  h.at(89min);
  EXPECT_EQ(rounds(h).size(), 1u);
  h.at(91min);
  EXPECT_EQ(rounds(h), (std::vector<std::int64_t>{3600, 5400})) << "13:00 of the true day has not been before";
}

HISTORY(CronCycle, FiresNothingTwiceThoughTheClockIsSetBackMoreThanOnce) {
  h.begin(with(by_cron("*/10 * * * *")));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(31min);
  EXPECT_EQ(rounds(h).size(), 3u);
  h.wall_shift -= std::chrono::duration_cast<Duration>(15min);
  h.at(36min);
  h.wall_shift += std::chrono::duration_cast<Duration>(24h);
  h.at(47min);
  EXPECT_EQ(rounds(h).size(), 5u) << "the one that was due when it was set, and one of the next day";
  h.wall_shift -= std::chrono::duration_cast<Duration>(24h);
  h.at(65min + 30s);
  EXPECT_EQ(rounds(h).size(), 6u) << "12:40 fired when the clock was set, 12:50 is new";
}

HISTORY(CronCycle, ChangedByAReloadIsPlannedAnew) {
  h.begin(with(by_cron("0 4 * * *")));
  const ProcessId a = h.starts_worker(h.main());
  h.starts_engine(a);
  replaces_when_asked(h);
  h.at(1min);
  h.reloads(with(by_cron("30 12 * * *")));
  h.at(31min);
  EXPECT_EQ(rounds(h), std::vector<std::int64_t>{1800});
}

}  // namespace
}  // namespace plimsoll::core

#include "config/plan/zone.hpp"

#include <gtest/gtest.h>

namespace plimsoll {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

WallSeconds at(long long s) {
  return WallSeconds{seconds{s}};
}
LocalSeconds reading(int year, unsigned month, unsigned day, int hour, int minute) {
  return std::chrono::local_days{std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day)} +
         hours{hour} + minutes{minute};
}

/// Central Europe in 2026: forward at 01:00 UTC of 29 March, back at 01:00 UTC of 25 October.
const ZoneRules berlin{"Europe/Berlin", hours{1}, {{at(1774746000), hours{2}}, {at(1792890000), hours{1}}}};

TEST(Zone, WithoutChangesIsOneOffset) {
  const ZoneRules fixed{"X", minutes{330}, {}};
  EXPECT_EQ(to_local(fixed, at(0)), reading(1970, 1, 1, 5, 30));
  const Instants instants = to_instants(fixed, reading(1970, 1, 1, 5, 30));
  EXPECT_EQ(instants.kind, Instants::Kind::unique);
  EXPECT_EQ(instants.first, at(0));
}

TEST(Zone, ShowsTheNewOffsetFromTheVerySecondOfAChange) {
  EXPECT_EQ(to_local(berlin, at(1774745999)), reading(2026, 3, 29, 2, 0) - seconds{1});
  EXPECT_EQ(to_local(berlin, at(1774746000)), reading(2026, 3, 29, 3, 0));
  EXPECT_EQ(to_local(berlin, at(1792889999)), reading(2026, 10, 25, 3, 0) - seconds{1});
  EXPECT_EQ(to_local(berlin, at(1792890000)), reading(2026, 10, 25, 2, 0));
}

TEST(Zone, SkipsTheReadingsOfTheHourThatTheClockJumpsOver) {
  for (const LocalSeconds skipped :
       {reading(2026, 3, 29, 2, 0), reading(2026, 3, 29, 2, 30), reading(2026, 3, 29, 3, 0) - seconds{1}}) {
    const Instants instants = to_instants(berlin, skipped);
    EXPECT_EQ(instants.kind, Instants::Kind::skipped);
    EXPECT_EQ(instants.first, at(1774746000));
    EXPECT_EQ(instants.second, at(1774746000));
  }
  EXPECT_EQ(to_instants(berlin, reading(2026, 3, 29, 3, 0)).kind, Instants::Kind::unique);
  EXPECT_EQ(to_instants(berlin, reading(2026, 3, 29, 3, 0)).first, at(1774746000));
  EXPECT_EQ(to_instants(berlin, reading(2026, 3, 29, 2, 0) - seconds{1}).kind, Instants::Kind::unique);
}

TEST(Zone, HasTwoInstantsForAReadingThatComesTwice) {
  for (const LocalSeconds doubled :
       {reading(2026, 10, 25, 2, 0), reading(2026, 10, 25, 2, 30), reading(2026, 10, 25, 3, 0) - seconds{1}}) {
    const Instants instants = to_instants(berlin, doubled);
    EXPECT_EQ(instants.kind, Instants::Kind::twice);
    EXPECT_EQ(instants.second - instants.first, hours{1});
    EXPECT_EQ(to_local(berlin, instants.first), doubled);
    EXPECT_EQ(to_local(berlin, instants.second), doubled);
  }
  EXPECT_EQ(to_instants(berlin, reading(2026, 10, 25, 3, 0)).kind, Instants::Kind::unique);
  EXPECT_EQ(to_instants(berlin, reading(2026, 10, 25, 2, 0) - seconds{1}).kind, Instants::Kind::unique);
}

TEST(Zone, FindsEveryInstantAgainFromItsReading) {
  for (WallSeconds instant = at(1774600000); instant < at(1793100000); instant += minutes{7}) {
    const Instants instants = to_instants(berlin, to_local(berlin, instant));
    ASSERT_TRUE(instants.first == instant || instants.second == instant) << instant.time_since_epoch().count();
    ASSERT_NE(instants.kind, Instants::Kind::skipped);
  }
}

TEST(Zone, CanLoseAWholeDay) {
  // Samoa went to the other side of the date line at the end of 29 December 2011.
  const ZoneRules apia{"Pacific/Apia", -hours{10}, {{at(1325239200), hours{14}}}};
  EXPECT_EQ(to_local(apia, at(1325239199)), reading(2011, 12, 30, 0, 0) - seconds{1});
  EXPECT_EQ(to_local(apia, at(1325239200)), reading(2011, 12, 31, 0, 0));
  const Instants lost = to_instants(apia, reading(2011, 12, 30, 12, 0));
  EXPECT_EQ(lost.kind, Instants::Kind::skipped);
  EXPECT_EQ(lost.first, at(1325239200));
}

}  // namespace
}  // namespace plimsoll

#include "config/plan/cron.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace plimsoll {
namespace {

WallSeconds at(long long s) {
  return WallSeconds{std::chrono::seconds{s}};
}

struct ReferenceCase {
  const char* cron;
  std::size_t zone;
  long long after;
  std::vector<long long> fires;
  bool more;  ///< false: none follows within nine years of `after`
};

#include "cron_cases.inc"

Cron must(std::string_view text) {
  const Read<Cron> read = read_cron(text);
  if (const Misread* misread = std::get_if<Misread>(&read)) {
    ADD_FAILURE() << text << ": " << misread->rule;
    return {};
  }
  return std::get<Cron>(read);
}

std::string rule(std::string_view text) {
  const Read<Cron> read = read_cron(text);
  const Misread* misread = std::get_if<Misread>(&read);
  return misread == nullptr ? "understood" : misread->rule;
}

TEST(Cron, FiresWhenTheReferenceProgramSaysSo) {
  std::size_t answers = 0;
  for (const ReferenceCase& reference : reference_cases) {
    const Cron cron = must(reference.cron);
    const ZoneRules& zone = reference_zones.at(reference.zone);
    WallSeconds after = at(reference.after);
    for (const long long expected : reference.fires) {
      const std::optional<WallSeconds> fire = next_fire(cron, zone, after);
      ASSERT_TRUE(fire.has_value()) << reference.cron << " in " << zone.name << " after " << after.time_since_epoch();
      ASSERT_EQ(fire->time_since_epoch().count(), expected)
          << reference.cron << " in " << zone.name << " after " << after.time_since_epoch().count();
      after = *fire;
      ++answers;
    }
    if (reference.more) continue;
    EXPECT_EQ(next_fire(cron, zone, at(reference.after)), std::nullopt) << reference.cron;
    ++answers;
  }
  EXPECT_EQ(answers, reference_answers);
  EXPECT_GE(answers, 220U);
}

TEST(Cron, FiresAtTheEndOfTheHourThatDstSkips) {
  // 02:30 of 29 March 2026 does not exist in Berlin; the clock shows 03:00 at 01:00 UTC.
  EXPECT_EQ(next_fire(must("30 2 * * *"), reference_zones.at(1), at(1774700000)), at(1774746000));
}

TEST(Cron, FiresOnceInTheHourThatComesTwice) {
  const Cron cron = must("30 2 * * *");
  const std::optional<WallSeconds> first = next_fire(cron, reference_zones.at(1), at(1792850000));
  ASSERT_EQ(first, at(1792888200));  // 00:30 UTC, still summer time
  EXPECT_EQ(next_fire(cron, reference_zones.at(1), *first), at(1792888200 + 25 * 3600));
}

TEST(Cron, FollowsElapsedTimeWhenItHasAStepOrAStar) {
  const Cron cron = must("*/30 * * * *");
  WallSeconds fire = at(1792880000);
  for (int i = 0; i < 20; ++i) {
    const std::optional<WallSeconds> next = next_fire(cron, reference_zones.at(1), fire);
    ASSERT_TRUE(next.has_value());
    ASSERT_LE(*next - fire, std::chrono::minutes{30});
    fire = *next;
  }
  EXPECT_EQ(fire, at(1792881000 + 19 * 1800));
}

TEST(Cron, FiresStrictlyAfterTheInstantThatIsAsked) {
  EXPECT_EQ(next_fire(must("* * * * *"), ZoneRules{}, at(60)), at(120));
  EXPECT_EQ(next_fire(must("* * * * *"), ZoneRules{}, at(59)), at(60));
  EXPECT_EQ(next_fire(must("1 0 * * *"), ZoneRules{}, at(59)), at(60));
  EXPECT_EQ(next_fire(must("1 0 * * *"), ZoneRules{}, at(60)), at(60 + 86'400));
}

TEST(Cron, NeverFiresOnADateThatNoCalendarHas) {
  EXPECT_EQ(next_fire(must("0 0 30 2 *"), ZoneRules{}, at(0)), std::nullopt);
  EXPECT_EQ(next_fire(must("* * 31 4 *"), ZoneRules{}, at(0)), std::nullopt);
  EXPECT_EQ(next_fire(must("* * 30 2 *"), reference_zones.at(1), at(1774700000)), std::nullopt);
}

TEST(Cron, MeansTheSameByNamesAndByNumbers) {
  const auto same = [](std::string_view a, std::string_view b) {
    Cron left = must(a);
    left.text = std::string{b};
    return left == must(b);
  };
  EXPECT_TRUE(same("0 4 * JAN,mar,Dec *", "0 4 * 1,3,12 *"));
  EXPECT_TRUE(same("0 4 * * MON-FRI", "0 4 * * 1-5"));
  EXPECT_TRUE(same("0 4 * * SUN", "0 4 * * 7"));
  EXPECT_TRUE(same("0 4 * * 0", "0 4 * * 7"));
  EXPECT_TRUE(same("0 4 * * FRI-SUN", "0 4 * * 5,6,0"));
  EXPECT_TRUE(same("  0\t4  * * * ", "0 4 * * *"));
  EXPECT_TRUE(same("@daily", "0 0 * * *"));
  EXPECT_FALSE(same("0-10/5 * * * *", "*/5 * * * *"));
}

TEST(Cron, KnowsWhichExpressionsFollowElapsedTime) {
  for (const char* text : {"* 4 * * *", "0 * * * *", "*/5 4 * * *", "0 8-18/2 * * *", "1,*/7 4 * * *", "@hourly"}) {
    EXPECT_TRUE(must(text).elapsed) << text;
  }
  for (const char* text : {"0 4 * * *", "0-30 4-6 * * *", "0,30 4 */2 * *", "0 4 * */3 */2", "@daily", "@weekly"}) {
    EXPECT_FALSE(must(text).elapsed) << text;
  }
}

TEST(Cron, FiresOnEitherDayOnlyWhenBothDayFieldsRestrict) {
  EXPECT_FALSE(must("0 4 13 * FRI").any_day);
  EXPECT_FALSE(must("0 4 13 * FRI").any_weekday);
  EXPECT_TRUE(must("0 4 */2 * FRI").any_day);
  EXPECT_TRUE(must("0 4 13 * */2").any_weekday);
}

TEST(Cron, KeepsItsTextAsWritten) {
  EXPECT_EQ(must("@weekly").text, "@weekly");
}

TEST(Cron, IsRefusedWhenItHasNotFiveFields) {
  for (const char* text : {"", " ", "0 4 * *", "0 0 4 * * *", "@reboot", "@Daily", "@every 5m", "daily"}) {
    EXPECT_EQ(rule(text), "must be a cron expression such as '0 4 * * *' or @daily") << text;
  }
}

TEST(Cron, IsRefusedWithTheNameOfTheWrongField) {
  const std::string end = ", as *, a number, a range, a step or a list";
  for (const char* minute : {"60", "-1", "1-",   "-",     ",", "1,", ",1",  "a",  "5-1", "*/0", "*/60",
                             "*/", "/5", "5/10", "1-2-3", "?", "L",  "1.5", "+1", "**",  "*-5", "99999999999"}) {
    EXPECT_EQ(rule(std::string{minute} + " 4 * * *"), "must have 0 to 59 in its minute field" + end) << minute;
  }
  EXPECT_EQ(rule("0 24 * * *"), "must have 0 to 23 in its hour field" + end);
  EXPECT_EQ(rule("0 */24 * * *"), "must have 0 to 23 in its hour field" + end);
  EXPECT_EQ(rule("0 4 0 * *"), "must have 1 to 31 in its day field" + end);
  EXPECT_EQ(rule("0 4 32 * *"), "must have 1 to 31 in its day field" + end);
  EXPECT_EQ(rule("0 4 L * *"), "must have 1 to 31 in its day field" + end);
  EXPECT_EQ(rule("0 4 * 13 *"), "must have 1 to 12 or JAN to DEC in its month field" + end);
  EXPECT_EQ(rule("0 4 * MON *"), "must have 1 to 12 or JAN to DEC in its month field" + end);
  EXPECT_EQ(rule("0 4 * * 8"), "must have 0 to 7 or SUN to SAT in its weekday field" + end);
  EXPECT_EQ(rule("0 4 * * FRIDAY"), "must have 0 to 7 or SUN to SAT in its weekday field" + end);
  EXPECT_EQ(rule("0 4 * * MON#2"), "must have 0 to 7 or SUN to SAT in its weekday field" + end);
}

}  // namespace
}  // namespace plimsoll

#include "ctl/words.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace plimsoll::ctl {
namespace {

class Words : public testing::Test {
 protected:
  void SetUp() override { in_zone("UTC"); }
  void TearDown() override { in_zone("UTC"); }
  static void in_zone(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  static Look at(const char* moment, bool colour = false) { return {colour, read_moment(moment).value()}; }
};

TEST_F(Words, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(-1), "0s");
  EXPECT_EQ(duration_text(0.0 / 0.0), "0s");
  EXPECT_EQ(duration_text(0.44), "0.4s");
  EXPECT_EQ(duration_text(9.94), "9.9s");
  EXPECT_EQ(duration_text(9.96), "10s");
  EXPECT_EQ(duration_text(59.4), "59s");
  EXPECT_EQ(duration_text(59.6), "1m");
  EXPECT_EQ(duration_text(200), "3m 20s");
  EXPECT_EQ(duration_text(7'384), "2h 3m");
  EXPECT_EQ(duration_text(86'400 * 2.5), "2d 12h");
  EXPECT_EQ(duration_text(1e300), duration_text(1e15));
}

TEST_F(Words, MomentsAreReadAsTheDaemonWritesThem) {
  EXPECT_EQ(read_moment("1970-01-01T00:00:01.250Z"),
            std::chrono::system_clock::time_point(std::chrono::milliseconds(1250)));
  EXPECT_EQ(read_moment("2024-02-29T23:59:59Z"),
            std::chrono::system_clock::time_point(std::chrono::seconds(1'709'251'199)));
  for (const char* text :
       {"", "now", "2026-11-21", "2026-11-21T05:57:46.250", "2026-11-21T05:57:46.250+01:00", "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T05:60:00Z", "2026-11-21T05:57:61Z",
        "2026-11-21T05:57:46.250Zx", "2026-11-21T05:57:nanZ"})
    EXPECT_FALSE(read_moment(text)) << text;
}

TEST_F(Words, MomentsAreShownInTheZoneOfThisMachine) {
  EXPECT_EQ(moment_text("2026-11-21T05:57:46.250Z"), "2026-11-21 05:57:46 UTC");
  EXPECT_EQ(stamp_text("2026-11-21T05:57:46.007Z"), "2026-11-21 05:57:46.007");
  in_zone("CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_EQ(moment_text("2026-11-21T23:57:46.250Z"), "2026-11-22 00:57:46 CET");
  EXPECT_EQ(moment_text("2026-07-21T05:57:46.250Z"), "2026-07-21 07:57:46 CEST");
  EXPECT_EQ(moment_text("no\033time"), "no?time");
}

TEST_F(Words, DistancesSayBeforeAndAfter) {
  const Look look = at("2026-11-21T06:00:00.000Z");
  EXPECT_EQ(distance_text("2026-11-21T05:56:40.000Z", look), "3m 20s ago");
  EXPECT_EQ(distance_text("2026-11-21T08:03:00.000Z", look), "in 2h 3m");
  EXPECT_EQ(distance_text("2026-11-21T06:00:00.000Z", look), "now");
  EXPECT_EQ(distance_text("soon", look), "");
}

TEST_F(Words, ForeignTextCannotSteerTheTerminal) {
  EXPECT_EQ(clean("\033[2Jname\x07\r\n\x7f"), "?[2Jname????");
  EXPECT_EQ(clean("a\xC2\x9B"
                  "2Jb"),
            "a?2Jb");
  EXPECT_EQ(clean("Größe \xC2\xA0€"), "Größe \xC2\xA0€");
  EXPECT_EQ(clean_lines("one\ntwo\033\n"), "one\ntwo?\n");
}

TEST_F(Words, ColourIsLeftOutWhereItIsNotWanted) {
  EXPECT_EQ(painted("x", Tone::bad, at("2026-11-21T06:00:00Z", false)), "x");
  EXPECT_EQ(painted("x", Tone::bad, at("2026-11-21T06:00:00Z", true)), "\033[1;31mx\033[0m");
  EXPECT_EQ(painted("x", Tone::plain, at("2026-11-21T06:00:00Z", true)), "x");
  EXPECT_EQ(painted("", Tone::bad, at("2026-11-21T06:00:00Z", true)), "");
}

TEST_F(Words, ColumnsAreAsWideAsTheirWidestCellInSignsNotBytes) {
  Table table;
  table.add({{"A"}, {"B"}, {"C"}});
  table.add({{"├─ ä"}, {""}, {"x"}});
  table.add({{"long one"}, {"b"}, {""}});
  const Look look = at("2026-11-21T06:00:00Z");
  std::string text;
  table.write(text, "> ", look);
  EXPECT_EQ(text, "> A         B  C\n> ├─ ä         x\n> long one  b\n");
  table.write_row(text = "", 1, "", look);
  EXPECT_EQ(text, "├─ ä         x\n");
}

}  // namespace
}  // namespace plimsoll::ctl

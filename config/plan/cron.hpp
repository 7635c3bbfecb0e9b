// Cron expressions: five fields, and the instant at which one fires next.
//
// Fields are minute, hour, day of month, month, day of week, with names (JAN, MON), ranges (1-5), steps (*/15, 8-18/2),
// lists, and the words @hourly @daily @midnight @weekly @monthly @yearly @annually. When both day fields are restricted
// (neither begins with `*`), a day that matches either fires, as in every cron since Vixie's.
//
// Daylight saving, the part that crons get wrong: an expression with a fixed minute and a fixed hour means "once a day,
// at that reading". In the hour that the clock skips it fires at that hour's end; in the hour that comes twice it fires
// at the first. An expression with `*` or a step in its minute or hour means "so often", and follows elapsed time: it
// fires in both hours that read alike, and has nothing to make up for in a skipped one.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "config/plan/units.hpp"
#include "config/plan/zone.hpp"

namespace plimsoll {

struct Cron {
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;     ///< of the month, 1 to 31
  std::bitset<13> months;   ///< 1 to 12
  std::bitset<7> weekdays;  ///< 0 is Sunday; a 7 in the text is folded onto it
  bool any_day = true;      ///< the day-of-month field begins with `*`
  bool any_weekday = true;  ///< likewise
  bool elapsed = false;     ///< minute or hour has `*` or a step: follows elapsed time across a change of the clock
  std::string text;         ///< as written

  friend bool operator==(const Cron&, const Cron&) = default;
};

Read<Cron> read_cron(std::string_view text);

/// The first firing strictly after `after`; nothing when none comes within nine years ("0 0 30 2 *"; 29 February is
/// at most eight years away).
std::optional<WallSeconds> next_fire(const Cron& cron, const ZoneRules& rules, WallSeconds after);

}  // namespace plimsoll

#include "config/plan/cron.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>
#include <vector>

namespace plimsoll {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::year_month_day;

struct Field {
  std::string_view title;
  int low;
  int high;
  std::span<const std::string_view> names;  ///< of low, low + 1, …
};
constexpr std::array<std::string_view, 12> month_names{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                       "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> day_names{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
constexpr std::array<Field, 5> fields{{{"minute", 0, 59, {}},
                                       {"hour", 0, 23, {}},
                                       {"day", 1, 31, {}},
                                       {"month", 1, 12, month_names},
                                       {"weekday", 0, 7, day_names}}};

struct Parsed {
  std::bitset<64> values;
  bool star = false;      ///< the field begins with `*`
  bool so_often = false;  ///< `*` or a step somewhere in it
};

bool same_letters(std::string_view text, std::string_view upper) {
  if (text.size() != upper.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) != upper[i]) return false;
  }
  return true;
}

std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  if (text.empty() || text.front() == '-') return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A number or a name of the field, within its bounds.
std::optional<int> read_value(const Field& field, std::string_view text) {
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    if (same_letters(text, field.names[i])) return field.low + static_cast<int>(i);
  }
  const std::optional<int> number = whole_number(text);
  return number && *number >= field.low && *number <= field.high ? number : std::nullopt;
}

/// One of a list: `*`, `a`, `a-b`, and the first and last of them with `/step`. A step from a lone number is refused:
/// crons disagree about what it means.
bool read_item(const Field& field, std::string_view text, Parsed& into) {
  int step = 1;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::optional<int> written = whole_number(text.substr(slash + 1));
    if (!written || *written < 1 || *written > field.high) return false;
    step = *written;
    text = text.substr(0, slash);
    into.so_often = true;
  }
  std::optional<int> from = field.low;
  std::optional<int> to = field.high;
  if (text == "*") {
    into.so_often = true;
  } else if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    from = read_value(field, text.substr(0, dash));
    to = read_value(field, text.substr(dash + 1));
    // SAT-SUN and FRI-SUN: Sunday is the week's last day as well as its first.
    if (from && to && *from > *to && *to == 0 && field.high == 7) to = 7;
  } else {
    if (slash != std::string_view::npos) return false;
    from = to = read_value(field, text);
  }
  if (!from || !to || *from > *to) return false;
  for (int value = *from; value <= *to; value += step) into.values.set(static_cast<std::size_t>(value));
  return true;
}

std::optional<Parsed> read_field(const Field& field, std::string_view text) {
  Parsed parsed;
  parsed.star = text.starts_with('*');
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    if (!read_item(field, text.substr(at, comma - at), parsed)) return std::nullopt;
    at = comma + 1;
  }
  return parsed;
}

template <std::size_t N>
std::bitset<N> low_bits(const std::bitset<64>& values) {
  return std::bitset<N>{values.to_ullong()};
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; (at = text.find_first_not_of(" \t", at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string_view spelled_out(std::string_view text) {
  constexpr std::array<std::array<std::string_view, 2>, 7> shorthands{{{"@hourly", "0 * * * *"},
                                                                       {"@daily", "0 0 * * *"},
                                                                       {"@midnight", "0 0 * * *"},
                                                                       {"@weekly", "0 0 * * 0"},
                                                                       {"@monthly", "0 0 1 * *"},
                                                                       {"@yearly", "0 0 1 1 *"},
                                                                       {"@annually", "0 0 1 1 *"}}};
  for (const auto& [word, fields_of_it] : shorthands) {
    if (text == word) return fields_of_it;
  }
  return text;
}

std::string rule_of(const Field& field) {
  std::string rule = "must have " + std::to_string(field.low) + " to " + std::to_string(field.high);
  if (!field.names.empty()) {
    rule += " or " + std::string{field.names.front()} + " to " + std::string{field.names.back()};
  }
  return rule + " in its " + std::string{field.title} + " field, as *, a number, a range, a step or a list";
}

}  // namespace

Read<Cron> read_cron(std::string_view text) {
  const std::vector<std::string_view> words = split(spelled_out(text));
  if (words.size() != fields.size()) return Misread{"must be a cron expression such as '0 4 * * *' or @daily"};
  std::array<Parsed, fields.size()> parsed;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::optional<Parsed> field = read_field(fields[i], words[i]);
    if (!field) return Misread{rule_of(fields[i])};
    parsed[i] = *field;
  }
  Cron cron;
  cron.minutes = low_bits<60>(parsed[0].values);
  cron.hours = low_bits<24>(parsed[1].values);
  cron.days = low_bits<32>(parsed[2].values);
  cron.months = low_bits<13>(parsed[3].values);
  if (parsed[4].values[7]) parsed[4].values.set(0).reset(7);
  cron.weekdays = low_bits<7>(parsed[4].values);
  cron.any_day = parsed[2].star;
  cron.any_weekday = parsed[4].star;
  cron.elapsed = parsed[0].so_often || parsed[1].so_often;
  cron.text = std::string{text};
  return cron;
}

namespace {

bool fires_on(const Cron& cron, local_days day) {
  const year_month_day date{day};
  const bool of_month = cron.days[static_cast<unsigned>(date.day())];
  const bool of_week = cron.weekdays[std::chrono::weekday{day}.c_encoding()];
  return cron.any_day || cron.any_weekday ? of_month && of_week : of_month || of_week;
}

/// The first minute of the day, at or after `from`, that the two time fields name.
std::optional<minutes> first_minute(const Cron& cron, minutes from) {
  for (minutes at = from; at < days{1};) {
    const auto hour = static_cast<std::size_t>(at / hours{1});
    if (!cron.hours[hour]) {
      at = hours{hour + 1};
      continue;
    }
    if (cron.minutes[static_cast<std::size_t>((at % hours{1}).count())]) return at;
    ++at;
  }
  return std::nullopt;
}

/// The first reading of the wall clock at or after `from` that the five fields name, by stepping the largest field
/// that does not fit; nothing when there is none before `until`.
std::optional<LocalSeconds> next_reading(const Cron& cron, LocalSeconds from, LocalSeconds until) {
  const auto whole = std::chrono::ceil<minutes>(from);
  local_days day = std::chrono::floor<days>(whole);
  minutes time = whole - day;
  while (day < until) {
    const year_month_day date{day};
    if (!cron.months[static_cast<unsigned>(date.month())]) {
      day = local_days{(date.year() / date.month() + std::chrono::months{1}) / 1};
    } else if (const auto found = fires_on(cron, day) ? first_minute(cron, time) : std::nullopt; found) {
      return day + *found;
    } else {
      day += days{1};
    }
    time = minutes{0};
  }
  return std::nullopt;
}

/// An expression that means "at that reading". Readings in ascending order have their first instants in ascending
/// order too, so the first one that lies after `after` is the answer.
std::optional<WallSeconds> next_at_reading(const Cron& cron, const ZoneRules& rules, WallSeconds after,
                                           LocalSeconds until) {
  LocalSeconds from = std::chrono::floor<minutes>(to_local(rules, after));
  while (const std::optional<LocalSeconds> reading = next_reading(cron, from, until)) {
    const Instants instants = to_instants(rules, *reading);
    if (instants.first > after) return instants.first;
    from = *reading + minutes{1};
  }
  return std::nullopt;
}

/// An expression that means "so often". Between two changes of the clock, readings and instants differ by one
/// offset only: look for a reading in each such stretch.
std::optional<WallSeconds> next_elapsed(const Cron& cron, const ZoneRules& rules, WallSeconds after,
                                        LocalSeconds until) {
  WallSeconds from = after + std::chrono::seconds{1};
  for (;;) {
    const LocalSeconds local = to_local(rules, from);
    const std::chrono::seconds offset = local.time_since_epoch() - from.time_since_epoch();
    const std::optional<LocalSeconds> reading = next_reading(cron, local, until);
    const auto change = std::find_if(rules.changes.begin(), rules.changes.end(),
                                     [from](const ZoneRules::Change& candidate) { return candidate.at > from; });
    const bool last = change == rules.changes.end();
    if (reading) {
      const WallSeconds instant{reading->time_since_epoch() - offset};
      if (last || instant < change->at) return instant;
    }
    if (last || LocalSeconds{change->at.time_since_epoch()} > until) return std::nullopt;
    from = change->at;
  }
}

}  // namespace

std::optional<WallSeconds> next_fire(const Cron& cron, const ZoneRules& rules, WallSeconds after) {
  const LocalSeconds until = to_local(rules, after) + std::chrono::years{9};
  return cron.elapsed ? next_elapsed(cron, rules, after, until) : next_at_reading(cron, rules, after, until);
}

}  // namespace plimsoll

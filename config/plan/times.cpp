// Durations and times of day.
#include <array>
#include <charconv>

#include "config/plan/units.hpp"

namespace plimsoll {
namespace {

struct TimeUnit {
  std::string_view name;
  Duration length;
};
constexpr std::array<TimeUnit, 5> time_units{{{"d", std::chrono::days{1}},
                                              {"h", std::chrono::hours{1}},
                                              {"m", std::chrono::minutes{1}},
                                              {"s", std::chrono::seconds{1}},
                                              {"ms", std::chrono::milliseconds{1}}}};

// A century. What the core counts in (nanoseconds) holds almost three, so sums of two stay safe.
constexpr Duration longest = std::chrono::days{36'500};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

Read<Duration> read_duration(std::string_view text) {
  const Misread misread{"must be a duration such as 30s or 1h30m"};
  if (text == "0") return Duration{0};
  Duration total{0};
  std::size_t unit = 0;  // the units already used: each comes once, large before small
  while (!text.empty()) {
    if (!is_digit(text.front())) return misread;
    std::int64_t count = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
    if (read.ec != std::errc{}) return misread;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    if (text.empty() && unit == 0) return Misread{"must be a duration with its unit, such as 30s or 5m"};
    std::size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    while (unit < time_units.size() && time_units[unit].name != text.substr(0, letters)) ++unit;
    if (unit == time_units.size()) return misread;
    if (count > (longest - total) / time_units[unit].length) return Misread{"must be a duration of at most 36500d"};
    total += count * time_units[unit].length;
    text.remove_prefix(letters);
    ++unit;
    if (text.empty()) return total;
  }
  return misread;
}

std::string to_text(Duration duration) {
  if (duration == Duration{0}) return "0s";
  std::string text;
  if (duration < Duration{0}) {
    text = "-";
    duration = -duration;
  }
  for (const TimeUnit& unit : time_units) {
    if (const auto count = duration / unit.length; count > 0) {
      text += std::to_string(count) + std::string{unit.name};
      duration -= count * unit.length;
    }
  }
  return text;
}

namespace {

/// "HH:MM", both of two digits; -1 for anything else.
int read_minutes(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return -1;
  for (const std::size_t i : {0U, 1U, 3U, 4U}) {
    if (!is_digit(text[i])) return -1;
  }
  const int hour = (text[0] - '0') * 10 + (text[1] - '0');
  const int minute = (text[3] - '0') * 10 + (text[4] - '0');
  return hour < 24 && minute < 60 ? hour * 60 + minute : -1;
}

std::string to_text(TimeOfDay time) {
  const auto two = [](int n) { return std::string{static_cast<char>('0' + n / 10), static_cast<char>('0' + n % 10)}; };
  return two(time.minutes / 60) + ":" + two(time.minutes % 60);
}

}  // namespace

Read<Window> read_window(std::string_view text) {
  const Misread misread{"must be a window of the day such as 01:00-05:00"};
  if (text.size() != 11 || text[5] != '-') return misread;
  const int from = read_minutes(text.substr(0, 5));
  const int to = read_minutes(text.substr(6));
  if (from < 0 || to < 0) return misread;
  if (from == to) return Misread{"must be a window that is not empty"};
  return Window{TimeOfDay{from}, TimeOfDay{to}};
}

std::string to_text(Window window) {
  return to_text(window.from) + "-" + to_text(window.to);
}

}  // namespace plimsoll

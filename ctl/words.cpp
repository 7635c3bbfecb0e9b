#include "ctl/words.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "config/plan/units.hpp"

namespace plimsoll::ctl {
namespace {

const char* code_of(Tone tone) {
  switch (tone) {
    case Tone::plain: return "";
    case Tone::good: return "\033[32m";
    case Tone::warning: return "\033[33m";
    case Tone::bad: return "\033[1;31m";
    case Tone::faint: return "\033[2m";
    case Tone::strong: return "\033[1m";
  }
  return "";
}

/// "2h 3m": the larger unit, and the smaller one if there is any of it.
std::string two(long long large, const char* large_unit, long long small, const char* small_unit) {
  const std::string text = std::to_string(large) + large_unit;
  return small == 0 ? text : text + " " + std::to_string(small) + small_unit;
}

std::string local_text(const std::string& at, const char* format) {
  const auto moment = read_moment(at);
  if (!moment) return clean(at);
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(
                                  std::chrono::floor<std::chrono::seconds>(*moment).time_since_epoch())
                                  .count();
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[64];
  return {text, std::strftime(text, sizeof text, format, &local)};
}

}  // namespace

void paint(std::string& out, std::string_view text, Tone tone, const Look& look) {
  const bool bare = !look.colour || tone == Tone::plain || text.empty();
  if (!bare) out += code_of(tone);
  out += text;
  if (!bare) out += "\033[0m";
}

std::string painted(std::string_view text, Tone tone, const Look& look) {
  std::string out;
  paint(out, text, tone, look);
  return out;
}

std::string duration_text(double seconds) {
  if (!(seconds > 0)) return "0s";
  if (seconds < 9.95) {
    char text[16];
    char* end = std::to_chars(text, text + sizeof text - 1, seconds, std::chars_format::fixed, 1).ptr;
    *end++ = 's';
    return {text, end};
  }
  const auto whole = static_cast<long long>(std::min(seconds + 0.5, 1e15));
  if (whole < 60) return std::to_string(whole) + "s";
  if (whole < 3600) return two(whole / 60, "m", whole % 60, "s");
  if (whole < 86'400) return two(whole / 3600, "h", whole % 3600 / 60, "m");
  return two(whole / 86'400, "d", whole % 86'400 / 3600, "h");
}

std::string size_text(std::uint64_t bytes) {
  return to_human(Bytes{bytes});
}

std::optional<std::chrono::system_clock::time_point> read_moment(std::string_view text) {
  // 2026-11-21T06:47:33.650Z as the daemon writes it, or without the fraction as people do.
  const bool fraction = text.size() == 24;
  const std::string_view form = fraction ? "dddd-dd-ddTdd:dd:dd.dddZ" : "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool fits = form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
    if (!fits) return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + length, value);
    return value;
  };
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::milliseconds(fraction ? number(20, 3) : 0);
}

std::string moment_text(const std::string& at) {
  return local_text(at, "%Y-%m-%d %H:%M:%S %Z");
}

std::string stamp_text(const std::string& at) {
  const auto moment = read_moment(at);
  if (!moment) return clean(at);
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(
      *moment - std::chrono::floor<std::chrono::seconds>(*moment));
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%03d", static_cast<int>(part.count()));
  return local_text(at, "%Y-%m-%d %H:%M:%S") + fraction;
}

std::string distance_text(const std::string& at, const Look& look) {
  const auto moment = read_moment(at);
  if (!moment) return "";
  const double seconds = std::chrono::duration<double>(look.now - *moment).count();
  if (std::abs(seconds) < 0.05) return "now";
  return seconds > 0 ? duration_text(seconds) + " ago" : "in " + duration_text(-seconds);
}

std::string clean(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    if (c >= 0x20 && c < 0x7F) continue;
    // U+0080 to U+009F, C2 80 to C2 9F, are control characters to a terminal too.
    const bool control2 = c == 0xC2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xA0;
    if (control2) {
      out.replace(i, 2, "?");
    } else if (c < 0x20 || c == 0x7F) {
      out[i] = '?';
    }
  }
  return out;
}

std::string clean_lines(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t end = text.find('\n');
    out += clean(text.substr(0, end));
    if (end == text.npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void Table::reserve(std::size_t rows, std::size_t columns) {
  constexpr std::size_t text_of_cell = 8;
  text_.reserve(rows * columns * text_of_cell);
  rows_.reserve(rows);
  pieces_.reserve(rows * columns);
}

void Table::add(std::initializer_list<Cell> row) {
  rows_.push_back(pieces_.size());
  widths_.resize(std::max(widths_.size(), row.size()));
  std::size_t column = 0;
  for (const Cell& cell : row) {
    const std::size_t columns = width(cell.text);
    const std::size_t begin = text_.size();
    text_ += cell.text;
    pieces_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(text_.size()),
                       static_cast<std::uint32_t>(columns), cell.tone});
    widths_[column] = std::max(widths_[column], columns);
    ++column;
  }
}

void Table::write(std::string& out, std::string_view indent, const Look& look) const {
  for (std::size_t row = 0; row < rows_.size(); ++row) write_row(out, row, indent, look);
}

void Table::write_row(std::string& out, std::size_t row, std::string_view indent, const Look& look) const {
  const std::size_t end = row + 1 < rows_.size() ? rows_[row + 1] : pieces_.size();
  out += indent;
  std::size_t blanks = 0;  // kept back, so that no line ends in them
  for (std::size_t i = rows_[row]; i < end; ++i) {
    const Piece& piece = pieces_[i];
    if (piece.begin != piece.end) {
      out.append(blanks, ' ');
      blanks = 0;
      paint(out, std::string_view(text_).substr(piece.begin, piece.end - piece.begin), piece.tone, look);
    }
    blanks += widths_[i - rows_[row]] - piece.width + 2;
  }
  out += '\n';
}

}  // namespace plimsoll::ctl

// How numbers, times and foreign text read for a person: the small change of every table. Pure, but for the zone of
// this machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::ctl {

/// How to draw: with colours or without, and what time it is.
struct Look {
  bool colour = false;
  std::chrono::system_clock::time_point now;
};

/// Each `false` in Look::colour gives the text back as it is.
enum class Tone : std::uint8_t { plain, good, warning, bad, faint, strong };
std::string painted(std::string_view text, Tone tone, const Look& look);
void paint(std::string& out, std::string_view text, Tone tone, const Look& look);

/// "0.4s", "48s", "3m 20s", "2h 3m", "5d 4h": two units at most.
std::string duration_text(double seconds);
/// "412 MiB"
std::string size_text(std::uint64_t bytes);
/// RFC 3339 in UTC, as the daemon writes it; nothing if it is not.
std::optional<std::chrono::system_clock::time_point> read_moment(std::string_view text);
/// "2026-11-21 06:57:46 CET" in this machine's zone; text that is no time comes back as it is.
std::string moment_text(const std::string& at);
/// The same with milliseconds and without the zone, for lines under each other.
std::string stamp_text(const std::string& at);
/// "3m 20s ago", "in 2h 3m", "now"; empty if `at` is no time.
std::string distance_text(const std::string& at, const Look& look);

/// Without control characters: what a process calls itself must not reach the terminal as a command.
std::string clean(std::string_view text);
/// The same, but newlines stay: for answers of several lines.
std::string clean_lines(std::string_view text);
/// Columns it takes on a terminal, every code point counted as one.
std::size_t width(std::string_view text);

/// Rows of cells under each other, columns as wide as their widest cell. All their text is in one string.
class Table {
 public:
  struct Cell {
    std::string text;
    Tone tone = Tone::plain;
  };
  /// So many are to come.
  void reserve(std::size_t rows, std::size_t columns);
  void add(std::initializer_list<Cell> row);
  /// Adds a line for each row to `out`.
  void write(std::string& out, std::string_view indent, const Look& look) const;
  void write_row(std::string& out, std::size_t row, std::string_view indent, const Look& look) const;

 private:
  /// Sixteen bytes, of which a status of a thousand services has ten thousand. (An answer is 256 MiB at most.)
  struct Piece {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t width;
    Tone tone;
  };
  std::string text_;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> rows_;  ///< where each begins in pieces_
  std::vector<std::size_t> widths_;
};

}  // namespace plimsoll::ctl

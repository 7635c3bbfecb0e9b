// Sizes and shares. Everything is whole-number arithmetic: a limit read twice is the same limit to the byte.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "config/plan/units.hpp"

namespace plimsoll {
namespace {

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::uint64_t kibi = 1024;
constexpr std::array<SizeUnit, 9> size_units{{{"TiB", kibi* kibi* kibi* kibi},
                                              {"GiB", kibi* kibi* kibi},
                                              {"MiB", kibi* kibi},
                                              {"KiB", kibi},
                                              {"TB", 1'000'000'000'000},
                                              {"GB", 1'000'000'000},
                                              {"MB", 1'000'000},
                                              {"kB", 1'000},
                                              {"B", 1}}};

// Six decimals of a TiB still fit into 64 bits while they are being scaled.
constexpr std::size_t most_decimals = 6;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct Decimal {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;  ///< in units of 1/scale
  std::uint64_t scale = 1;
  std::string_view rest;
};

/// "12.5xyz" → 12 + 5/10, "xyz"; false when there is no number or it has more digits than we can hold.
bool take_decimal(std::string_view text, Decimal& into) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), into.whole);
  if (read.ec != std::errc{} || !is_digit(text.front())) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    std::size_t digits = 0;
    for (; digits < text.size() && is_digit(text[digits]); ++digits) {
      if (digits == most_decimals) return false;
      into.fraction = into.fraction * 10 + static_cast<std::uint64_t>(text[digits] - '0');
      into.scale *= 10;
    }
    if (digits == 0) return false;
    text.remove_prefix(digits);
  }
  into.rest = text;
  return true;
}

std::string fixed(double value, int decimals) {
  std::array<char, 64> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals);
  return {buffer.data(), end.ptr};
}

}  // namespace

Read<Bytes> read_bytes(std::string_view text) {
  const Misread misread{"must be a size such as 400MiB"};
  Decimal number;
  if (text.empty() || !take_decimal(text, number)) return misread;
  const SizeUnit* unit = nullptr;
  for (const SizeUnit& candidate : size_units) {
    if (candidate.name == (number.rest.empty() ? std::string_view{"B"} : number.rest)) unit = &candidate;
  }
  if (unit == nullptr || (unit->bytes == 1 && number.scale != 1)) return misread;
  const std::uint64_t part = number.fraction * unit->bytes / number.scale;
  if (number.whole > (std::numeric_limits<std::uint64_t>::max() - part) / unit->bytes) {
    return Misread{"must be a size of less than 16EiB"};
  }
  return Bytes{number.whole * unit->bytes + part};
}

std::string to_text(Bytes size) {
  std::string best = std::to_string(size.count) + "B";
  const auto offer = [&best](std::string text) {
    if (text.size() < best.size()) best = std::move(text);
  };
  for (const SizeUnit& unit : size_units) {
    if (unit.bytes == 1 || size.count < unit.bytes) continue;
    if (size.count % unit.bytes == 0) offer(std::to_string(size.count / unit.bytes) + std::string{unit.name});
  }
  for (const SizeUnit& unit : size_units) {
    if (unit.bytes == 1 || size.count < unit.bytes) continue;
    const std::uint64_t tenths = size.count % unit.bytes * 10;
    if (tenths == 0 || tenths % unit.bytes != 0) continue;
    offer(std::to_string(size.count / unit.bytes) + "." + std::to_string(tenths / unit.bytes) + std::string{unit.name});
  }
  return best;
}

// Three digits that count, the last one rounded to the nearest, a tie to the even one.
std::string to_human(Bytes size) {
  constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  if (size.count < 1000) return std::to_string(size.count) + " B";
  std::size_t unit = 1;
  unsigned bits = 10;  // of the unit
  for (; unit + 1 < units.size() && size.count >= std::uint64_t{1999} << (bits - 1); ++unit) bits += 10;
  const std::uint64_t scale = std::uint64_t{1} << bits;
  const std::uint64_t whole = size.count >> bits;
  const std::uint64_t part = size.count & (scale - 1);  // below 2^40: what it is multiplied with here still fits
  const auto below = [&](std::uint64_t units_of, std::uint64_t ten_thousandths) {
    return whole < units_of || (whole == units_of && part * 10'000 < ten_thousandths * scale);
  };
  const std::uint64_t steps = below(0, 9'995) ? 1000 : below(9, 9'950) ? 100 : below(99, 9'500) ? 10 : 1;
  const std::uint64_t rest = part * steps & (scale - 1);
  std::uint64_t number = whole * steps + (part * steps >> bits);
  if (2 * rest > scale || (2 * rest == scale && number % 2 == 1)) ++number;
  std::array<char, 32> text;
  char* end = std::to_chars(text.begin(), text.end(), number / steps).ptr;
  std::uint64_t left = number % steps;
  if (left != 0) *end++ = '.';
  for (std::uint64_t place = steps / 10; left != 0; left %= place, place /= 10) {
    *end++ = static_cast<char>('0' + left / place);
  }
  *end++ = ' ';
  return {text.begin(), std::copy(units[unit].begin(), units[unit].end(), end)};
}

Read<Share> read_share(std::string_view text) {
  const Misread misread{"must be a percentage of 0% to 100%, such as 10%"};
  Decimal number;
  if (text.empty() || !take_decimal(text, number) || number.rest != "%") return misread;
  if (number.whole > 100 || (number.whole == 100 && number.fraction != 0)) return misread;
  // One division of whole numbers: the nearest double to what was written, so that equal texts are equal shares.
  const double of_scale = static_cast<double>(number.whole * number.scale + number.fraction);
  return Share{of_scale / (100.0 * static_cast<double>(number.scale))};
}

std::string to_text(Share share) {
  std::string text;
  for (int decimals = 0; decimals <= static_cast<int>(most_decimals); ++decimals) {
    text = fixed(share.of_one * 100.0, decimals) + "%";
    const Read<Share> back = read_share(text);
    if (const Share* same = std::get_if<Share>(&back); same != nullptr && *same == share) break;
  }
  return text;
}

}  // namespace plimsoll

// Sizes, durations, times of day: the words a person writes in the file, and the numbers the rest of the
// daemon works with. Every function here is pure; a text that cannot be read is a value (`Misread`), whose
// `rule` says what would have been right, so that the caller can place it at a line and a column.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace plimsoll {

/// What a duration in the file is counted in. Fine enough for every key; the core counts in steady_clock's own.
using Duration = std::chrono::milliseconds;

/// An amount of memory.
struct Bytes {
  std::uint64_t count = 0;
  friend constexpr auto operator<=>(Bytes, Bytes) = default;
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
};

/// Why a text is not what its key wants, as a rule: "must be a size such as 400MiB".
struct Misread {
  std::string rule;
};

template <class T>
using Read = std::variant<T, Misread>;

/// "400MiB", "1GB", "512kB", "1.5GiB", "4096" or "4096B": binary units by 1024, decimal ones by 1000.
Read<Bytes> read_bytes(std::string_view text);
/// The shortest exact spelling of a size: "400MiB", "1GB", "4097B". read_bytes() gives it back.
std::string to_text(Bytes size);
/// For people: "412 MiB", "1.3 GiB"; three significant figures at most.
std::string to_human(Bytes size);

/// "250ms", "30s", "5m", "6h", "1d", or several from large to small ("1h30m"). A bare number is refused,
/// but for 0: nobody should have to guess its unit.
Read<Duration> read_duration(std::string_view text);
/// The shortest exact spelling: "1h30m", "250ms", "0s". read_duration() gives it back.
std::string to_text(Duration duration);

/// Minutes since midnight, 0 to 1439.
struct TimeOfDay {
  int minutes = 0;
  friend constexpr auto operator<=>(TimeOfDay, TimeOfDay) = default;
};

/// "01:00-05:00", from inclusive to exclusive, in the cycle's zone. `from > to` runs over midnight;
/// `from == to` is refused as empty.
struct Window {
  TimeOfDay from;
  TimeOfDay to;
  friend constexpr bool operator==(Window, Window) = default;
  [[nodiscard]] constexpr bool contains(TimeOfDay t) const {
    return from < to ? (from <= t && t < to) : (from <= t || t < to);
  }
};
Read<Window> read_window(std::string_view text);
std::string to_text(Window window);

/// "10%" of 0 to 100, with decimals; as a share of one.
struct Share {
  double of_one = 0.0;
  friend constexpr auto operator<=>(Share, Share) = default;
};
Read<Share> read_share(std::string_view text);
std::string to_text(Share share);

/// "SIGTERM", "TERM", "SIGRTMIN+1", "15". SIGKILL and SIGSTOP are names too; a key that cannot use them refuses them.
Read<int> read_signal(std::string_view text);
/// "SIGTERM", "SIGRTMIN+1"; "signal 99" for a number that has no name.
std::string signal_name(int number);

}  // namespace plimsoll

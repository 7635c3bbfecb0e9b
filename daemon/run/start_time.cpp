#include "daemon/run/start_time.hpp"

#include <time.h>
#include <unistd.h>

namespace plimsoll::run {
namespace {

constexpr std::uint64_t nanoseconds = 1'000'000'000;

std::uint64_t read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * nanoseconds + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

std::uint64_t ticks_per_second() {
  static const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return ticks;
}

Duration age_of(std::uint64_t start_time) {
  const auto now = static_cast<std::int64_t>(read_clock(CLOCK_BOOTTIME) / 1'000'000);
  const auto start = static_cast<std::int64_t>(start_time * 1'000 / ticks_per_second());
  return Duration{now > start ? now - start : 0};
}

std::uint64_t start_time_at(std::uint64_t monotonic) {
  const std::uint64_t suspended = read_clock(CLOCK_BOOTTIME) - read_clock(CLOCK_MONOTONIC);
  return (monotonic + suspended) / (nanoseconds / ticks_per_second());
}

}  // namespace plimsoll::run

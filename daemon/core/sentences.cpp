#include "daemon/core/sentences.hpp"

#include <chrono>

namespace plimsoll::core {
namespace {

std::string with_one_decimal(std::int64_t tenths) {
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace

std::string short_duration(Steady::duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms < 1'000) return std::to_string(ms) + " ms";
  if (ms < 120'000) return with_one_decimal(ms / 100) + " s";
  if (ms < 7'200'000) return std::to_string(ms / 60'000) + " min";
  return with_one_decimal(ms / 360'000) + " h";
}

std::string seconds_text(Duration duration) {
  const auto hundredths = duration.count() / 10;
  const std::string fraction = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (fraction.size() == 1 ? "0" : "") + fraction + " s";
}

std::string over_text(Bytes value, Bytes limit) {
  return to_human(value) + " (limit " + to_human(limit) + ")";
}

}  // namespace plimsoll::core

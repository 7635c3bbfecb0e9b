#include "daemon/run/notification.hpp"

#include <charconv>
#include <cstdint>
#include <string>

namespace plimsoll::run {
namespace {

constexpr std::size_t longest_status = 200;
/// More is a mistake, or "infinity": a year is as good.
constexpr std::int64_t longest_microseconds = std::int64_t{365} * 24 * 3'600 * 1'000'000;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

/// Rounded up: no app is to be late by what we cut off.
std::optional<Duration> microseconds(std::string_view text) {
  const auto value = number(text);
  if (!value) return std::nullopt;
  return Duration{(std::min(*value, longest_microseconds) + 999) / 1'000};
}

/// How many bytes the UTF-8 character at the front has; 0: there is none.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t size = byte(0) < 0x80 ? 1 : byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : byte(0) >= 0xC2 ? 2 : 0;
  if (size == 0 || size > text.size() || byte(0) > 0xF4) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what is beyond the last character.
  const bool wrong = size > 2 && ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) > 0x9F) ||
                                  (byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) > 0x8F));
  return wrong ? 0 : size;
}

std::string printable(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (clean.size() + size > longest_status) break;
    const bool control = size == 1 && (static_cast<unsigned char>(text.front()) < 0x20 || text.front() == 0x7F);
    if (size == 0 || control) {
      clean += size == 0 ? '?' : ' ';
    } else {
      clean += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return clean;
}

void take_line(std::string_view line, ParsedNotification& into) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view name = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  core::Notified& said = into.said;
  if (name == "READY") said.ready = value == "1";
  if (name == "RELOADING") said.reloading = value == "1";
  if (name == "STOPPING") said.stopping = value == "1";
  if (name == "WATCHDOG") said.alive = value == "1";
  if (name == "WATCHDOG") said.hung = value == "trigger";
  if (name == "WATCHDOG_USEC") said.alive_by = microseconds(value);
  if (name == "EXTEND_TIMEOUT_USEC") said.extend = microseconds(value);
  if (name == "STATUS") said.status = printable(value);
  if (name != "MAINPID") return;
  const auto pid = number(value);
  into.main_pid = pid && *pid <= INT32_MAX ? std::optional{static_cast<int>(*pid)} : std::nullopt;
}

}  // namespace

ParsedNotification parse_notification(std::string_view text) {
  ParsedNotification parsed;
  while (!text.empty()) {
    const auto end = text.find('\n');
    take_line(text.substr(0, end), parsed);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parsed;
}

}  // namespace plimsoll::run

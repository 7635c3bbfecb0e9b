#include "daemon/run/run_tag.hpp"

#include <unistd.h>

#include <array>
#include <charconv>

namespace plimsoll::run {
namespace {

constexpr std::size_t parts_of_tag = 7;

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

/// Exactly that many, or nothing.
std::optional<std::array<std::string_view, parts_of_tag>> split(std::string_view text) {
  std::array<std::string_view, parts_of_tag> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto colon = text.find(':');
    const bool last = i + 1 == parts.size();
    if (last != (colon == std::string_view::npos)) return std::nullopt;
    parts[i] = text.substr(0, colon);
    text.remove_prefix(last ? text.size() : colon + 1);
  }
  return parts;
}

}  // namespace

sys::Result<Life> own_life(const sys::ProcFs& proc, std::string daemon_name) {
  const auto stat = proc.stat(::getpid());
  if (!stat) return stat.error();
  Life life;
  life.boot_id = proc.boot_id();
  life.pid_namespace = proc.pid_namespace();
  life.daemon = std::move(daemon_name);
  life.process = {stat->pid, stat->start_time};
  return life;
}

std::string to_text(const RunTag& tag) {
  const Life& life = tag.life;
  return life.boot_id + ':' + std::to_string(life.pid_namespace) + ':' + life.daemon + ':' +
         std::to_string(life.process.pid) + ':' + std::to_string(life.process.start_time) + ':' + tag.service + ':' +
         std::to_string(tag.run);
}

std::optional<RunTag> parse_run_tag(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  RunTag tag;
  tag.life.boot_id = (*parts)[0];
  tag.life.daemon = (*parts)[2];
  tag.service = (*parts)[5];
  const bool numbers = read_number((*parts)[1], tag.life.pid_namespace) &&
                       read_number((*parts)[3], tag.life.process.pid) &&
                       read_number((*parts)[4], tag.life.process.start_time) && read_number((*parts)[6], tag.run);
  if (!numbers || tag.life.process.pid <= 0 || tag.life.daemon.empty() || tag.service.empty()) return std::nullopt;
  return tag;
}

std::optional<RunTag> find_run_tag(const std::vector<std::string>& environment) {
  for (std::string_view word : environment) {
    if (!word.starts_with(run_variable) || !word.substr(run_variable.size()).starts_with('=')) continue;
    return parse_run_tag(word.substr(run_variable.size() + 1));
  }
  return std::nullopt;
}

}  // namespace plimsoll::run

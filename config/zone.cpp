#include "config/zone.hpp"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace plimsoll::config {
namespace {

namespace fs = std::filesystem;
using cctz::civil_second;

const std::string localtime_path = "/etc/localtime";

// Until 32 bits of unsigned seconds end: longer than any schedule of a daemon that is ever restarted.
constexpr WallSeconds last_change{std::chrono::seconds{1LL << 32}};

/// A name below the zone folder, or a regular file (a FIFO would block the load).
bool may_be_zone(const std::string& name) {
  if (name.empty() || name.size() > 255) return false;
  // "libc:" is cctz's way to ask the C library, which cannot list its changes.
  if (name.front() != '/') return name.find("..") == std::string::npos && name.find(':') == std::string::npos;
  std::error_code error;
  return fs::is_regular_file(name, error);
}

std::chrono::seconds offset_at(const cctz::time_zone& zone, WallSeconds at) {
  return std::chrono::seconds{zone.lookup(at).offset};
}

ZoneRules rules_of(const cctz::time_zone& zone, const std::string& name) {
  ZoneRules rules;
  rules.name = name;
  WallSeconds at{};
  rules.first_offset = offset_at(zone, at);
  cctz::time_zone::civil_transition change;
  while (zone.next_transition(at, &change)) {
    at = zone.lookup(change.to).trans;
    if (at > last_change) break;
    rules.changes.push_back({at, offset_at(zone, at)});
  }
  return rules;
}

/// What /etc/localtime points at, as a name where it has one.
std::string localtime_name() {
  std::error_code error;
  const std::string target = fs::canonical(localtime_path, error).string();
  const std::string folder = "/zoneinfo/";
  const std::size_t at = target.find(folder);
  return error || at == std::string::npos ? localtime_path : target.substr(at + folder.size());
}

}  // namespace

std::optional<ZoneRules> read_zone(const std::string& name) {
  cctz::time_zone zone;
  if (!may_be_zone(name) || !cctz::load_time_zone(name, &zone)) return std::nullopt;
  return rules_of(zone, name);
}

std::optional<ZoneRules> read_system_zone() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the daemon has one thread, and nothing sets its environment
  if (const char* variable = std::getenv("TZ")) {
    std::string name = variable;
    if (name.starts_with(':')) name.erase(0, 1);
    return read_zone(name.empty() ? "UTC" : name);
  }
  if (std::optional<ZoneRules> named = read_zone(localtime_name())) return named;
  if (std::optional<ZoneRules> unnamed = read_zone(localtime_path)) return unnamed;
  return read_zone("UTC");
}

std::shared_ptr<const ZoneRules> Zones::find(const std::string& name) {
  const auto known = read_.find(name);
  if (known != read_.end()) return known->second;
  std::optional<ZoneRules> rules = name.empty() ? read_system_zone() : read_zone(name);
  auto shared = rules ? std::make_shared<const ZoneRules>(std::move(*rules)) : nullptr;
  read_.emplace(name, shared);
  return shared;
}

}  // namespace plimsoll::config

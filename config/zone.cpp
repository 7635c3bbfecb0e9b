#include "config/zone.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <system_error>

namespace plimsoll::config {
namespace {

// The C library knows every zone and answers for one instant at a time. What is asked here is whether it has read a
// zone at all, and where its answers change. Nothing of a zone's file is parsed.

namespace fs = std::filesystem;
using std::chrono::seconds;

const std::string localtime_path = "/etc/localtime";

// Until 32 bits of unsigned seconds end: longer than any schedule of a daemon that is ever restarted.
constexpr WallSeconds last_change{seconds{1LL << 32}};

// Between two probes an offset that comes and goes would be missed. Of all zones since 1970 the shortest lived was in
// force for seven days (America/Recife in 2000; Asia/Gaza is foretold one in 2040).
constexpr seconds between_probes = std::chrono::days{4};

/// Local time of another zone than the process's own, while it lives. Local time and the environment are the whole
/// process's, so no other thread may use either meanwhile: whoever loads a configuration sees to that.
class BorrowedLocalTime {
 public:
  explicit BorrowedLocalTime(const std::string& file) {
    if (const char* own = std::getenv("TZ")) own_ = own;  // NOLINT(concurrency-mt-unsafe): see above
    // A file that is named twice running is not read again, though it may be another one by now.
    set("/");
    set(":" + file);
  }
  ~BorrowedLocalTime() { set(own_); }
  BorrowedLocalTime(const BorrowedLocalTime&) = delete;
  BorrowedLocalTime& operator=(const BorrowedLocalTime&) = delete;

 private:
  static void set(const std::optional<std::string>& variable) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): see above
    variable ? setenv("TZ", variable->c_str(), 1) : unsetenv("TZ");
    tzset();
  }

  std::optional<std::string> own_;
};

std::tm local_at(WallSeconds at) {
  const std::time_t since_epoch = at.time_since_epoch().count();
  std::tm local{};
  localtime_r(&since_epoch, &local);
  return local;
}

seconds offset_at(WallSeconds at) {
  return seconds{local_at(at).tm_gmtoff};
}

/// Whether the borrowed local time is a zone's. A file that cannot be read leaves UTC without a name; and a zone that
/// counts leap seconds ("right/UTC") shows another second than its offset says.
bool is_zone() {
  using namespace std::chrono;
  const std::tm local = local_at(last_change);
  const sys_days day = year{local.tm_year + 1900} / (local.tm_mon + 1) / local.tm_mday;
  const WallSeconds shown = day + hours{local.tm_hour} + minutes{local.tm_min} + seconds{local.tm_sec};
  return *local.tm_zone != '\0' && shown - last_change == seconds{local.tm_gmtoff};
}

/// The first change in (from, to], given that the offsets at the two differ.
ZoneRules::Change first_change(WallSeconds from, WallSeconds to) {
  const seconds before = offset_at(from);
  while (to - from > seconds{1}) {
    const WallSeconds middle = from + (to - from) / 2;
    (offset_at(middle) == before ? from : to) = middle;
  }
  return {to, offset_at(to)};
}

ZoneRules rules_of_local_time(const std::string& name) {
  ZoneRules rules;
  rules.name = name;
  rules.first_offset = offset_at({});
  seconds offset = rules.first_offset;
  for (WallSeconds from{}; from < last_change;) {
    const WallSeconds to = std::min(from + between_probes, last_change);
    if (offset_at(to) == offset) {
      from = to;
    } else {
      rules.changes.push_back(first_change(from, to));
      from = rules.changes.back().at;
      offset = rules.changes.back().offset;
    }
  }
  return rules;
}

/// Where the C library would look for it; nothing for what is no name, such as a way out of the folder of zones.
std::optional<std::string> file_of(const std::string& name) {
  if (name.empty() || name.size() > 255) return std::nullopt;
  if (name.front() == '/') return name;
  if (name.find("..") != std::string::npos || name.find(':') != std::string::npos) return std::nullopt;
  const char* folder = std::getenv("TZDIR");  // NOLINT(concurrency-mt-unsafe): see BorrowedLocalTime
  return std::string{folder != nullptr && *folder != '\0' ? folder : "/usr/share/zoneinfo"} + "/" + name;
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
  if (name == "UTC") return ZoneRules{};  // needs no file: a container may have none
  const std::optional<std::string> file = file_of(name);
  std::error_code error;
  if (!file || !fs::is_regular_file(*file, error)) return std::nullopt;  // a FIFO would block the load
  const BorrowedLocalTime borrowed{*file};
  if (!is_zone()) return std::nullopt;
  return rules_of_local_time(name);
}

std::optional<ZoneRules> read_system_zone() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): see BorrowedLocalTime
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

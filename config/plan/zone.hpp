// A time zone's rules as data. Reading them from the machine is somebody else's work (config/zone.cpp, once, at
// load); from then on the future of a schedule is a pure function of (rules, now).
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace plimsoll {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
using WallSeconds = std::chrono::sys_seconds;
/// Clock on the wall of a zone, without saying which of two equal readings is meant.
using LocalSeconds = std::chrono::local_seconds;

struct ZoneRules {
  /// From `at` on, local time is UTC + `offset`.
  struct Change {
    WallSeconds at;
    std::chrono::seconds offset;
    friend bool operator==(const Change&, const Change&) = default;
  };
  std::string name = "UTC";
  std::chrono::seconds first_offset{0};  ///< before the first change
  std::vector<Change> changes;           ///< ascending by `at`

  friend bool operator==(const ZoneRules&, const ZoneRules&) = default;
};

/// What the clock on the wall shows at an instant.
LocalSeconds to_local(const ZoneRules& rules, WallSeconds at);

/// Which instants a reading of the wall clock can mean: one; none (the clock skips it: then `first` is the
/// instant at which the skipped hour ends); or two, in the hour that comes twice.
struct Instants {
  enum class Kind { unique, skipped, twice } kind;
  WallSeconds first;
  WallSeconds second;  ///< equal to `first` unless `twice`
};
Instants to_instants(const ZoneRules& rules, LocalSeconds reading);

}  // namespace plimsoll

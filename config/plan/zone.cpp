#include "config/plan/zone.hpp"

#include <algorithm>

namespace plimsoll {
namespace {

using std::chrono::seconds;

/// The first change after `at`: what lies before it is one stretch of a single offset.
auto change_after(const ZoneRules& rules, WallSeconds at) {
  return std::upper_bound(rules.changes.begin(), rules.changes.end(), at,
                          [](WallSeconds t, const ZoneRules::Change& change) { return t < change.at; });
}

}  // namespace

LocalSeconds to_local(const ZoneRules& rules, WallSeconds at) {
  const auto next = change_after(rules, at);
  const seconds offset = next == rules.changes.begin() ? rules.first_offset : std::prev(next)->offset;
  return LocalSeconds{at.time_since_epoch() + offset};
}

Instants to_instants(const ZoneRules& rules, LocalSeconds reading) {
  // No zone is more than a day from UTC, so only the changes within a day of the reading can have a say.
  const WallSeconds as_utc{reading.time_since_epoch()};
  auto change = change_after(rules, as_utc - std::chrono::days{2});
  const auto end = change_after(rules, as_utc + std::chrono::days{2});
  seconds offset = change == rules.changes.begin() ? rules.first_offset : std::prev(change)->offset;
  for (; change != end; offset = change->offset, ++change) {
    const WallSeconds before = as_utc - offset;
    const WallSeconds after = as_utc - change->offset;
    if (before < change->at) {
      if (after >= change->at) return {Instants::Kind::twice, before, after};
      return {Instants::Kind::unique, before, before};
    }
    if (after < change->at) return {Instants::Kind::skipped, change->at, change->at};
  }
  return {Instants::Kind::unique, as_utc - offset, as_utc - offset};
}

}  // namespace plimsoll

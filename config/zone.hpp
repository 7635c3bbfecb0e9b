// Time zones, read from the machine once and handed on as data.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "config/plan/zone.hpp"

namespace plimsoll::config {

/// The zone of that name ("Europe/Berlin", or the path of a TZif file), its changes from 1970 to 2106; nothing
/// when this machine does not know it.
std::optional<ZoneRules> read_zone(const std::string& name);

/// $TZ, else what /etc/localtime is, else UTC. Its name is one that read_zone() takes. Nothing when $TZ
/// names a zone that cannot be read (a rule such as CET-1CEST is not a name).
std::optional<ZoneRules> read_system_zone();

/// Zones of one load: each is read once, and shared by the cycles that use it.
class Zones {
 public:
  /// The zone of that name, the system's for an empty one; null when it cannot be read.
  std::shared_ptr<const ZoneRules> find(const std::string& name);

 private:
  std::map<std::string, std::shared_ptr<const ZoneRules>> read_;
};

}  // namespace plimsoll::config

// Spread without chance: the same host, service and turn always get the same share, a fleet of hosts gets all of them,
// so that neither cycles nor restarts come at one instant everywhere.
#pragma once

#include <cstdint>
#include <string>

namespace plimsoll::core {

/// 0 to 1.
double fraction(std::uint64_t seed, const std::string& service, std::uint64_t turn_number);

}  // namespace plimsoll::core

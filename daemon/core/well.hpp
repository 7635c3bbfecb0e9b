// Is everything well? One sentence for each thing that is not; none: status is green.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/world.hpp"

namespace plimsoll::core {

struct Unwell {
  std::string service;  ///< empty: the daemon as a whole
  std::string why;
};
std::vector<Unwell> not_well(const World& world);

}  // namespace plimsoll::core

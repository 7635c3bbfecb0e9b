// Is everything well? One sentence for each thing that is not; none: status is green.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/world.hpp"

namespace plimsoll::core {

std::vector<std::string> not_well(const World& world);

}  // namespace plimsoll::core

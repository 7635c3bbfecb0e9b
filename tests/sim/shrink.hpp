// A failing history made smaller: delta debugging over its decisions (Zeller's ddmin, without the complements' order).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/decision.hpp"

namespace plimsoll::sim {

/// Decisions that still break the law that `broken` begins with, as few as could be found within some hundred tries.
std::vector<Decision> shrink(std::uint64_t seed, std::vector<Decision> decisions, const std::string& broken);

}  // namespace plimsoll::sim

// A history in words, for people who have to find out what is wrong.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/effect.hpp"
#include "daemon/core/event.hpp"

namespace plimsoll::sim {

std::string describe(const Plan& plan);
/// What came in, and below it what came out; nothing for a step that says nothing.
std::vector<std::string> describe(const core::Event& event, const core::Effects& effects);

}  // namespace plimsoll::sim

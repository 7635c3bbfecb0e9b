// Random plans, and the programs that their services run in the simulation.
#pragma once

#include "config/plan/plan.hpp"
#include "tests/sim/random.hpp"

namespace plimsoll::sim {

Plan random_plan(Random& random);
/// What a reload brings: the same plan with some things changed, in place or out of it.
Plan changed_plan(const Plan& plan, Random& random);

/// The program of an engine rule, of which there are two kinds.
std::vector<std::string> engine_program(const std::string& rule);

}  // namespace plimsoll::sim

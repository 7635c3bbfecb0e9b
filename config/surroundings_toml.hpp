// The keys of a service's own table that say in what surroundings it runs: user, limits, priorities. Read back by
// surroundings_table.cpp.
#pragma once

#include "config/plan/plan.hpp"
#include "config/toml_text.hpp"

namespace plimsoll::config {

void write_surroundings(Page& page, const Surroundings& around);

}  // namespace plimsoll::config

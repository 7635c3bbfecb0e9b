// Numbers as people read them, for the sentences of events.
#pragma once

#include <string>

#include "config/plan/units.hpp"
#include "daemon/core/ids.hpp"

namespace plimsoll::core {

/// "12 ms", "3.4 s", "5 min", "2.1 h".
std::string short_duration(Steady::duration duration);
/// "3.42 s"
std::string seconds_text(Duration duration);
/// "412 MiB (limit 400 MiB)"
std::string over_text(Bytes value, Bytes limit);

}  // namespace plimsoll::core

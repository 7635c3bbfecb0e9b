// The environment of a service: what the daemon inherited, plus and minus what is configured. Words are NAME=value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/plan/plan.hpp"

namespace plimsoll::run {

using Environment = std::vector<std::string>;

/// Our own, as it is now, without PLIMSOLL_RUN: a daemon run by a daemon has another life.
Environment inherited_environment();
/// `inherited` with the service's changes applied.
Environment environment_of(const Service& service, const Environment& inherited);
std::optional<std::string> look_up(const Environment& environment, std::string_view name);
/// A hook's variable: the service's environment, then the daemon's (which has what the service unsets).
std::optional<std::string> look_up(const Service& service, const Environment& inherited, std::string_view name);

}  // namespace plimsoll::run

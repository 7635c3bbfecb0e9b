// The environment of a service: what of the daemon's own it inherits, then what its user's entry says (HOME and its
// like), then its files, then its table, the later one winning. Words are NAME=value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/plan/plan.hpp"

namespace plimsoll::run {

using Environment = std::vector<std::string>;
using Variables = std::vector<std::pair<std::string, std::string>>;

/// Our own, as it is now, without PLIMSOLL_RUN: a daemon run by a daemon has another life.
Environment inherited_environment();
/// `between`: what wins over the inherited ones and loses against the table.
Environment environment_of(const Service& service, const Environment& inherited, const Variables& between = {});
std::optional<std::string> look_up(const Environment& environment, std::string_view name);

}  // namespace plimsoll::run

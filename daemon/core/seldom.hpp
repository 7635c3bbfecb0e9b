#pragma once

#include <optional>

#include "config/plan/units.hpp"
#include "daemon/core/ids.hpp"

namespace plimsoll::core {

/// What happens again and again is said at most once in so much time, the first time at once.
class Seldom {
 public:
  /// True if it is to be said now.
  bool due(Steady now, Duration pause) {
    if (last_ && now - *last_ < pause) return false;
    last_ = now;
    return true;
  }

 private:
  std::optional<Steady> last_;
};

}  // namespace plimsoll::core

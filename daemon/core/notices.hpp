// What a run says of itself by sd_notify(3). It is believed about itself and nothing else: that it is ready, reloads or
// leaves, is alive or hung, needs more time, or has another main process than the one that was launched.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

void take_notice(Turn& turn, const Notified& said);

}  // namespace plimsoll::core

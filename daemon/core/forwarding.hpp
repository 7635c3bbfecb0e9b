// Signals that came to the daemon and mean its services: those of `--` mode that are passed on, and the one that asks
// for a stop again.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// To the main process, and to those of the others that are recorded and alive.
void forward(Turn& turn, const SignalToForward& signal);

/// A stop is asked for while everything stops already. The second time it is passed on and what is left of the grace is
/// 2 s; the third time nothing is left of it. Whoever signals a process and then its group (timeout(1) does) asks once:
/// within 100 ms a repetition is none.
void hasten_stop(Turn& turn, const StopRequested& request);

}  // namespace plimsoll::core

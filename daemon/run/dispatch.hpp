// Where results of the edge go: into the queue of events that step() is given, one after the other.
#pragma once

#include <functional>

#include "daemon/core/event.hpp"

namespace plimsoll::run {

/// Queues; never calls back into who calls it.
using Dispatch = std::function<void(core::Event)>;

}  // namespace plimsoll::run

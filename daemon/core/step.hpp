// The heart: step(world, event, now) → effects. No syscall, no clock, no log; the same calls with the same arguments
// give the same world and the same effects, which is what lets a simulated kernel drive it.
//
// A step takes the event in (each kind has one function, the compiler checks that none is missing) and then settles:
// every part whose deadline has come, or whose reason to wait is over, moves on. So a late or doubled timer is
// harmless, and an event needs to know nothing about who waits for what it changes.
#pragma once

#include "daemon/core/effect.hpp"
#include "daemon/core/event.hpp"
#include "daemon/core/world.hpp"

namespace plimsoll::core {

/// A world with nothing running, for a plan.
World make_world(std::shared_ptr<const Plan> plan, Machine machine, Now now);

Effects step(World& world, const Event& event, Now now);

/// Settles every service, touched or not: after a step it must come to nothing, which the tests ask after each of
/// theirs, on a copy.
Effects settle_everything(World& world, Now now);

/// The earliest instant at which a DeadlineReached would change something; `never` if none would.
Steady next_deadline(const World& world);

}  // namespace plimsoll::core

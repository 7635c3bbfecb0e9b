// One rung: what it does, and how it is known to have worked. Inside of the ladder (ladder.cpp); nobody else calls
// these.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// Where a ladder stands: the slot that holds it, and whose it is.
struct Place {
  std::string service;
  std::string rule;  ///< empty: the service's own line
  Slot* slot = nullptr;
};

/// Does the rung; leaves the ladder in the phase that waits for it, or says why it was skipped.
struct Tried {
  bool skipped = false;
  std::string why;
};
Tried do_rung(Turn& turn, const Place& place, Ladder& ladder, const Rung& rung);

/// Whether the rung has worked by now; fills what the ledger says about it.
bool has_worked(Turn& turn, const Place& place, Ladder& ladder);

/// The process that the rung at work ends: the subject, or its owner for `worker`.
ProcessId ending_of(const Ladder& ladder);

/// What has not come about, for the outcome `timed_out`.
std::string still_missing(const World& world, const Place& place, const Ladder& ladder);

}  // namespace plimsoll::core

// Starts that fail one after the other for one reason. A machine that is out of something (processes, memory,
// descriptors), a program that is just being written, a /proc that cannot be read: such a start is no run, so it is no
// failure of the service. It is tried again by the backoff, whatever `restart` and `give_up` say, and said once: when
// the reason is new, and then at most every ten minutes. What comes of it is said, too.
#pragma once

#include <string>

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// It says nothing about the service: the same start can succeed in a moment without anybody's act.
bool for_want_of_something(const SpawnFailed& failed);

/// Counts one more; true if it is to be said.
bool count_refusal(const Turn& turn, Refusal& refusal, std::string why);

/// The start succeeded: says so if it had to be tried again.
void end_refusal(Turn& turn, const std::string& service, Shared<Refusal>& refusal);

/// "exec: Text file busy (12 tries)"; empty if the last start succeeded.
std::string refusal_text(const Refusal& refusal);

}  // namespace plimsoll::core

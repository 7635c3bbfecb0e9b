// The container that we are in: at its limit the kernel ends somebody, or all of us. So it is read once a second while
// there is a limit, and lines in shares of that limit are answered for by a service, but only while its own tree holds
// most of what is used: else its restart would cost without helping.
//
// Above the soft line there is an event. Above the hard one the ladder of the service's own hard line (`on_hard`) is
// climbed, by the same rules as for any other hard line, save two. There is no slack that ends in SIGKILL: behind this
// line stands the kernel's own. And when the budget is spent it is left to that, as a restart that did not help is no
// better the second time.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// The smaller of the share and what leaves `free`; at least the soft line.
Bytes hard_line(const ContainerLines& lines, Bytes limit);

void take_container(Turn& turn, const ContainerRead& read);
/// Its processes were read, which was asked for because a line is crossed.
void take_container_tree(Turn& turn, const std::string& service, ServiceLife& life);
/// Asks for the reading that is due.
void settle_container(Turn& turn);

}  // namespace plimsoll::core

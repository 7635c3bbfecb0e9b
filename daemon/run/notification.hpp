// The words of sd_notify(3): one datagram's text, and what of it the core is told.
#pragma once

#include <optional>
#include <string_view>

#include "daemon/core/event.hpp"

namespace plimsoll::run {

struct ParsedNotification {
  core::Notified said;  ///< service, run, sender and main are not in the text
  std::optional<int> main_pid;
};

/// Lines that are not understood are passed over, as sd_notify(3) asks of a manager; the later of two with one name
/// holds. A status has no line ends or control characters in it any more, is UTF-8 and at most 200 bytes long.
ParsedNotification parse_notification(std::string_view text);

}  // namespace plimsoll::run

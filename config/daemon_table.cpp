#include "config/tables.hpp"

namespace plimsoll::config {

void read_daemon(Reader& table, Daemon& into) {
  if (table.read("name", into.name)) table.require(is_name(into.name), "name", name_rule);
  if (table.read("socket", into.socket)) {
    // sockaddr_un holds 108 bytes, the last of them the end of the text.
    const bool fits = into.socket.starts_with('/') && into.socket.size() <= 107;
    table.require(fits, "socket", "must be an absolute path of at most 107 bytes");
  }
  table.read("operators", into.operators);
  table.read("observers", into.observers);
  table.read_word<Mode>("mode", into.mode, {{"act", Mode::act}, {"observe", Mode::observe}});
  if (table.read("stop_within", into.stop_within)) {
    table.require(into.stop_within > Duration{0}, "stop_within", "must be more than 0s");
  }
  if (table.read("census", into.census)) {
    table.require(*into.census >= Duration{10}, "census", "must be at least 10ms");
  }
  table.not_yet({"listen", "memory"});
  table.finish();
}

}  // namespace plimsoll::config

// What plimsollctl can do: one table, from which the command line, its help and the man page's test are made. A verb
// gets what was written on the command line and a console, and gives back the exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ctl/client.hpp"
#include "ctl/console.hpp"

namespace plimsoll::ctl {

/// The command line, taken apart and not yet understood.
struct Options {
  std::string socket;
  std::string name;  ///< empty: not given
  bool json = false;
  bool no_wait = false;
  std::string service;
  std::string hook;
  std::string file;
  std::string rule;
  std::optional<std::int64_t> pid;
  std::string for_;
  std::string except;
  std::string since;
  bool acts = false;  ///< the verb changes something: only the daemon that is named is meant
  bool follow = false;
  bool force = false;
  bool dry_run = false;
  std::optional<std::size_t> count;
};

/// Which of the options a verb takes.
enum Takes : unsigned {
  takes_nothing = 0,
  takes_service = 1u << 0,
  takes_hook = 1u << 1,
  takes_file = 1u << 2,
  takes_rule = 1u << 3,
  takes_pid = 1u << 4,
  takes_for = 1u << 5,
  takes_except = 1u << 6,
  takes_since = 1u << 7,
  takes_follow = 1u << 8,
  takes_force = 1u << 9,
  takes_count = 1u << 10,
  takes_dry_run = 1u << 11,
  acts = 1u << 12,  ///< changes something
};

struct Verb {
  std::string_view name;
  unsigned takes;
  std::string_view help;
  Exit (*run)(const Options&, Console&);
};
/// The first is the default.
std::span<const Verb> verbs();

// Looking (verbs_look.cpp)
Exit run_status(const Options& options, Console& console);
Exit run_tree(const Options& options, Console& console);
Exit run_why(const Options& options, Console& console);
Exit run_ping(const Options& options, Console& console);
Exit run_version(const Options& options, Console& console);
// Events (verbs_events.cpp)
Exit run_events(const Options& options, Console& console);
// Acting (verbs_act.cpp)
Exit run_start(const Options& options, Console& console);
Exit run_stop(const Options& options, Console& console);
Exit run_restart(const Options& options, Console& console);
Exit run_reconnect(const Options& options, Console& console);
Exit run_do(const Options& options, Console& console);
Exit run_hold(const Options& options, Console& console);
Exit run_release(const Options& options, Console& console);
Exit run_reload(const Options& options, Console& console);
// Without a daemon (verbs_check.cpp)
Exit run_check(const Options& options, Console& console);

}  // namespace plimsoll::ctl

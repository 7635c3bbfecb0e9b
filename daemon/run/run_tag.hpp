// PLIMSOLL_RUN: what each child carries in its environment, so that a later daemon can tell what an earlier one left
// behind (law 11), and this one to whom an adopted process belongs. A hint, never a reason to signal: an environment is
// inherited and can be forged.
//   BOOT_ID:PID_NAMESPACE:DAEMON:DAEMON_PID:DAEMON_START:SERVICE:RUN
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/ids.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

inline constexpr std::string_view run_variable = "PLIMSOLL_RUN";

/// One life of a daemon: what no other daemon, earlier or elsewhere, is equal in.
struct Life {
  std::string boot_id;
  std::uint64_t pid_namespace = 0;  ///< inode
  std::string daemon;               ///< its configured name
  core::ProcessId process;
  friend bool operator==(const Life&, const Life&) = default;
};
/// Ours. An error if our own /proc/self cannot be read.
sys::Result<Life> own_life(const sys::ProcFs& proc, std::string daemon_name);

struct RunTag {
  Life life;
  std::string service;
  core::RunNumber run = 0;
  friend bool operator==(const RunTag&, const RunTag&) = default;
};

/// Without the variable's name. No part of it may hold a ':'; names in a plan do not.
std::string to_text(const RunTag& tag);
/// Nothing unless all of it is as to_text() writes it.
std::optional<RunTag> parse_run_tag(std::string_view text);
/// The tag among the words of an environment.
std::optional<RunTag> find_run_tag(const std::vector<std::string>& environment);

}  // namespace plimsoll::run

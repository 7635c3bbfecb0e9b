// What an earlier daemon of the same name left behind (law 11): processes of our uid, or of the service's own user,
// whose PLIMSOLL_RUN names this boot, this pid namespace, this daemon's name, and a life of it that is over. Never
// ourselves or an ancestor of ours.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>

#include "daemon/core/effect.hpp"
#include "daemon/core/event.hpp"
#include "daemon/run/run_tag.hpp"
#include "daemon/run/sources.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

class Leftovers {
 public:
  Leftovers(sys::ProcFs proc, Sources sources, Life life)
      : proc_(std::move(proc)), sources_(sources), life_(std::move(life)) {}

  /// `user`: of the service, beside our own.
  [[nodiscard]] core::LeftoversLookedFor look(const std::string& service, std::optional<uid_t> user = {}) const;
  /// Opens it, reads its environment and start time again, then signals. ESRCH: it is no leftover (any more).
  [[nodiscard]] sys::error_code signal(const core::SignalLeftover& effect, std::optional<uid_t> user = {}) const;

 private:
  [[nodiscard]] std::optional<RunTag> tag_of(pid_t pid, const std::string& service, std::optional<uid_t> user) const;
  [[nodiscard]] bool is_alive(core::ProcessId daemon) const;
  [[nodiscard]] std::set<pid_t> ourselves_and_ancestors() const;

  sys::ProcFs proc_;
  Sources sources_;
  Life life_;
};

}  // namespace plimsoll::run

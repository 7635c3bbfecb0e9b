// What an earlier daemon of the same name left behind (law 11): processes of our uid, or of the service's own user,
// whose PLIMSOLL_RUN names this boot, this pid namespace, this daemon's name, and a life of it that is over. Never
// ourselves or an ancestor of ours.
//
// Whose a process is (its real uid) is read before its environment: to read that one waits for a lock of the process's
// memory, which a stranger can hold for as long as he likes. As root these are root's processes and those of the
// service's user, as anybody else our own: the others' environments would be refused anyway.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

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

  void set_life(const Life& life) { life_ = life; }
  /// `user`: of the service, beside our own.
  [[nodiscard]] core::LeftoversLookedFor look(const std::string& service, std::optional<uid_t> user = {});
  /// Opens it, reads its environment and start time again, then signals. ESRCH: it is no leftover (any more).
  [[nodiscard]] sys::error_code signal(const core::SignalLeftover& effect, std::optional<uid_t> user = {}) const;

 private:
  struct Tagged {
    pid_t pid = 0;
    RunTag tag;
  };
  /// Whoever carries a tag of this daemon's name and of another life, and is of that user, or ours. A boot asks for
  /// each service: one walk answers all who ask within a moment, and what it shows is read again before anything is
  /// said or done about it. One that shows nobody answers for a while: a leftover comes from a daemon of our name that
  /// has ended, whose processes the walk would have shown while it lived.
  const std::vector<Tagged>& tagged(std::optional<uid_t> user);
  void walk();
  void read_tags(uid_t of);
  [[nodiscard]] std::optional<RunTag> tag_of(pid_t pid, const std::string& service, std::optional<uid_t> user) const;
  [[nodiscard]] bool is_alive(core::ProcessId daemon) const;
  [[nodiscard]] std::set<pid_t> ourselves_and_ancestors() const;
  [[nodiscard]] bool is_recent(std::optional<uid_t> user) const;

  sys::ProcFs proc_;
  Sources sources_;
  Life life_;
  std::map<uid_t, std::vector<pid_t>> unread_;  ///< by the last walk: whose environment nobody has asked for
  std::vector<Tagged> tagged_;
  bool readable_ = true;  ///< by the last walk
  std::chrono::steady_clock::time_point walked_at_{};
};

}  // namespace plimsoll::run

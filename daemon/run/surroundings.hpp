// From the plan's keys to what the launcher applies. Names become numbers here, before the clone and at each
// start, because the user database can change (accounts.hpp) and nothing may be looked up in the child: users, groups
// and the files of variables are read by the daemon, with its rights. The C library may ask a server for them
// (nsswitch.conf(5)), and then the loop waits for it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "config/plan/plan.hpp"
#include "daemon/run/accounts.hpp"
#include "daemon/run/environment.hpp"
#include "daemon/sys/spawn.hpp"

namespace plimsoll::run {

/// Why a start cannot be prepared. `step` is the key that could not be followed.
struct Unprepared {
  std::string step;
  int error = 0;  ///< errno, or the one that fits best
  std::string message;
};
/// The same of a spawn that failed. "rlimits.nofile" names the limit too.
Unprepared told(const sys::SpawnFailure& failure);

class Preparation {
 public:
  struct Settings {
    Environment inherited;               ///< see inherited_environment()
    unsigned long descriptor_limit = 0;  ///< the soft limit we were started with
    /// A sentence about something that does not keep a service from starting.
    std::function<void(const std::string& service, const std::string& sentence)> say;
  };
  explicit Preparation(Settings settings) : settings_(std::move(settings)) {}

  /// For a start. Fills in everything but argv, stdio and the session. The environment has no PLIMSOLL_RUN yet.
  std::optional<Unprepared> prepare(const Service& service, sys::SpawnRequest& request);
  /// The same for a command beside the service that runs: with what its files said when it was started.
  std::optional<Unprepared> prepare_beside(const Service& service, sys::SpawnRequest& request);
  /// A hook's variable: of the service's table and of its files as they were last read, else the daemon's (which has
  /// what the service unsets).
  [[nodiscard]] std::optional<std::string> look_up(const Service& service, std::string_view name) const;
  /// The user that the service's processes have: its own, or ours. Nothing when there is none of that name.
  [[nodiscard]] std::optional<uid_t> user_of(const Service& service);

 private:
  std::optional<Unprepared> read_files(const Service& service);

  Settings settings_;
  Accounts accounts_;
  /// What the files said at the last start, of services that have one: a hook's header wants what the app knows.
  std::map<std::string, Variables> from_files_;
};

}  // namespace plimsoll::run

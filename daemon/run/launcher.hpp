// Starts a run of a service: composes what sys::spawn needs, and records the new process before anything else can
// happen to it.
#pragma once

#include <variant>

#include "config/plan/plan.hpp"
#include "daemon/core/event.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/run/members.hpp"
#include "daemon/run/output.hpp"
#include "daemon/run/run_tag.hpp"
#include "daemon/run/surroundings.hpp"
#include "daemon/sys/procfs.hpp"
#include "daemon/sys/terminal.hpp"

namespace plimsoll::run {

class Launcher {
 public:
  struct Settings {
    Life life;
    bool entrypoint = false;            ///< stdio and session are inherited
    bool own_group = true;              ///< of the entrypoint's command
    sys::Terminal* terminal = nullptr;  ///< what a command with a group of its own is given; null: there is none
  };
  /// `preparation` outlives the launcher.
  Launcher(Loop& loop, Members& members, sys::ProcFs proc, Preparation& preparation, Settings settings);

  void set_life(const Life& life) { settings_.life = life; }

  /// What a run is given of the daemon's, lent until launch() returns.
  struct Lent {
    Output::Ends output;
    std::string notify_address;  ///< NOTIFY_SOCKET; empty: none
    int notification_fd = -1;    ///< of `ready = { fd }`
  };

  /// One of the two; dispatching it is the caller's. The process is a member by then. SpawnFailed::step is "record"
  /// when it could not be recorded; if that was seen too late it was killed. The output's ends become its user's, so
  /// that it can open /dev/stdout.
  using Outcome = std::variant<core::SpawnSucceeded, core::SpawnFailed>;
  Outcome launch(const Service& service, core::RunNumber run, const Lent& lent);

 private:
  [[nodiscard]] sys::SpawnSession session_of(const Service& service) const;

  Loop& loop_;
  Members& members_;
  sys::ProcFs proc_;
  Preparation& preparation_;
  Settings settings_;
  sys::Fd null_;  ///< stdin of every service
};

}  // namespace plimsoll::run

// Starts a run of a service: composes what sys::spawn needs from the plan, and records the new process before anything
// else can happen to it.
#pragma once

#include <variant>

#include "config/plan/plan.hpp"
#include "daemon/core/event.hpp"
#include "daemon/run/environment.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/run/members.hpp"
#include "daemon/run/output.hpp"
#include "daemon/run/run_tag.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

class Launcher {
 public:
  struct Settings {
    Life life;
    Environment inherited;               ///< see inherited_environment()
    unsigned long descriptor_limit = 0;  ///< the soft limit we were started with; children get it back
    bool entrypoint = false;             ///< stdio and session are inherited
  };
  Launcher(Loop& loop, Members& members, sys::ProcFs proc, Settings settings);

  /// One of the two; dispatching it is the caller's. The process is a member by then. SpawnFailed::step is "record"
  /// when it was started and could not be recorded; then it was killed.
  using Outcome = std::variant<core::SpawnSucceeded, core::SpawnFailed>;
  Outcome launch(const Service& service, core::RunNumber run, Output::Ends ends);

 private:
  Loop& loop_;
  Members& members_;
  sys::ProcFs proc_;
  Settings settings_;
  sys::Fd null_;  ///< stdin of every service
};

}  // namespace plimsoll::run

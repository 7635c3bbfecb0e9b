// Asks the app for something: an HTTP request, a signal, a command. Each call is answered by one HookAnswered, not
// later than its deadline, unless it is cancelled before.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/core/effect.hpp"
#include "daemon/run/command_runner.hpp"
#include "daemon/run/dispatch.hpp"
#include "daemon/run/hook_http.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/run/members.hpp"
#include "daemon/run/surroundings.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

/// What hooks take from their service.
struct HookEnvironment {
  /// A header's variable: of the service, then of the daemon.
  std::function<std::optional<std::string>(const std::string& service, const std::string& name)> look_up;
  /// Makes a command find around it what the service does: its user, limits, variables.
  std::function<std::optional<Unprepared>(const std::string& service, sys::SpawnRequest& request)> prepare;
};

class HookCaller {
 public:
  HookCaller(Loop& loop, Members& members, sys::ProcFs proc, HookEnvironment environment, Dispatch dispatch);
  ~HookCaller();
  HookCaller(const HookCaller&) = delete;
  HookCaller& operator=(const HookCaller&) = delete;

  void call(const core::CallHook& hook);
  /// No answer comes any more. A command that runs is asked to end, and killed 2 s later.
  void cancel(core::HookId id);
  /// Calls in flight.
  [[nodiscard]] std::size_t size() const { return calls_.size(); }

 private:
  void answer(core::HookId id, core::HookResult result, std::string detail, int wrong_answers = 0);
  void call_http(const core::CallHook& hook, const HttpHook& how);
  void call_signal(const core::CallHook& hook, const SignalHook& how);
  void call_exec(const core::CallHook& hook, const ExecHook& how);

  Loop& loop_;
  Members& members_;
  sys::ProcFs proc_;
  HookEnvironment environment_;
  Dispatch dispatch_;
  CommandRunner commands_;
  std::map<core::HookId, std::unique_ptr<HttpAsking>> calls_;  ///< null: a command's
};

/// "{engine_pid}" and the like replaced by their values; what has none stays as it is written.
std::string fill_in(std::string text, const std::map<std::string, std::string>& placeholders);

}  // namespace plimsoll::run

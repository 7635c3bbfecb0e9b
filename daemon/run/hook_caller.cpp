#include "daemon/run/hook_caller.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <variant>

#include "config/plan/units.hpp"
#include "daemon/run/hook_http.hpp"
#include "daemon/sys/spawn.hpp"

namespace plimsoll::run {
namespace {

using core::HookResult;

constexpr std::chrono::seconds grace_of_command{2};

std::string error_text(int error) {
  const char* text = ::strerrordesc_np(error);
  return text != nullptr ? text : "error " + std::to_string(error);
}

/// Where a header would end and another begin.
bool holds_line_end(const std::string& text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
}

}  // namespace

struct HookCaller::Call {
  explicit Call(Loop& loop) : deadline(loop) {}
  std::unique_ptr<HttpAsking> http;
  pid_t command = 0;
  Alarm deadline;
};

HookCaller::HookCaller(Loop& loop, Members& members, sys::ProcFs proc, HookEnvironment environment, Dispatch dispatch)
    : loop_(loop),
      members_(members),
      proc_(std::move(proc)),
      environment_(std::move(environment)),
      dispatch_(std::move(dispatch)),
      here_(std::make_shared<bool>(true)) {}

HookCaller::~HookCaller() {
  for (const auto& [id, call] : calls_) {
    if (call->command > 0) members_.signal_helper(call->command, SIGKILL);
  }
  for (const auto& [pid, alarm] : ending_) members_.signal_helper(pid, SIGKILL);
}

void HookCaller::call(const core::CallHook& hook) {
  if (const auto* how = std::get_if<HttpHook>(&hook.hook.how)) {
    call_http(hook, *how);
  } else if (const auto* signal = std::get_if<SignalHook>(&hook.hook.how)) {
    call_signal(hook, *signal);
  } else {
    call_exec(hook, std::get<ExecHook>(hook.hook.how));
  }
}

void HookCaller::cancel(core::HookId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  const pid_t command = found->second->command;
  calls_.erase(found);
  if (command > 0) end_command(command);
}

void HookCaller::answer(core::HookId id, HookResult result, std::string detail, int wrong_answers) {
  calls_.erase(id);
  dispatch_(core::HookAnswered{id, result, wrong_answers, std::move(detail)});
}

void HookCaller::call_http(const core::CallHook& hook, const HttpHook& how) {
  HttpRequest request;
  request.method = how.method;
  request.unix_path = fill_in(how.unix_path, hook.placeholders);
  request.host = how.host;
  request.port = how.port;
  request.target = fill_in(how.path, hook.placeholders);
  for (const auto& [name, value] : how.headers) {
    const auto text = value.from_environment ? environment_.look_up(hook.service, value.text) : value.text;
    if (!text) return answer(hook.id, HookResult::failed, "the environment has no " + value.text);
    if (holds_line_end(*text))
      return answer(hook.id, HookResult::failed, "the header " + name + " holds an end of a line");
    request.headers.emplace_back(name, *text);
  }
  auto call = std::make_unique<Call>(loop_);
  auto then = [this, id = hook.id](HttpOutcome outcome) {
    answer(id, outcome.result, std::move(outcome.detail), outcome.wrong_answers);
  };
  call->http = std::make_unique<HttpAsking>(loop_, std::move(request), hook.timeout, std::move(then));
  calls_[hook.id] = std::move(call);
}

void HookCaller::call_signal(const core::CallHook& hook, const SignalHook& how) {
  const std::string name = signal_name(how.signal);
  const auto catches = proc_.catches(hook.target.pid, how.signal);
  if (!catches) return answer(hook.id, HookResult::failed, "the process has ended");
  // Without a handler most signals end a process.
  if (!*catches) return answer(hook.id, HookResult::skipped, "the process does not catch " + name);
  if (const auto error = members_.send_signal(hook.target, how.signal)) {
    const bool gone = error.value() == ESRCH;
    return answer(hook.id, HookResult::failed,
                  gone ? "the process has ended" : "cannot send " + name + ": " + error.message());
  }
  answer(hook.id, HookResult::done, name + " sent");
}

void HookCaller::call_exec(const core::CallHook& hook, const ExecHook& how) {
  const sys::Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  sys::SpawnRequest request;
  for (const std::string& word : how.argv) request.argv.push_back(fill_in(word, hook.placeholders));
  request.environment = environment_.whole(hook.service);
  request.stdin_fd = null.get();
  // stdout is for data, and a hook's talk is none: collectors parse what the services say there.
  request.stdout_fd = STDERR_FILENO;
  request.descriptor_limit = environment_.descriptor_limit;
  sys::SpawnOutcome outcome = sys::spawn(request);
  if (!outcome.ok) {
    const std::string step = sys::to_text(outcome.failure.step);
    return answer(hook.id, HookResult::failed, "cannot start it: " + step + ": " + error_text(outcome.failure.error));
  }
  const pid_t pid = outcome.spawned.pid;
  auto call = std::make_unique<Call>(loop_);
  call->command = pid;
  call->deadline.set_after(hook.timeout, [this, id = hook.id, pid, timeout = hook.timeout] {
    answer(id, HookResult::timed_out, "no end within " + to_text(timeout));
    end_command(pid);
  });
  calls_[hook.id] = std::move(call);
  auto on_end = [this, pid, here = std::weak_ptr<bool>(here_)](const sys::WaitStatus& status) {
    if (!here.expired()) command_ended(pid, status);
  };
  members_.add_helper(pid, std::move(outcome.spawned.pidfd), std::move(on_end));
}

void HookCaller::command_ended(pid_t pid, const sys::WaitStatus& status) {
  ending_.erase(pid);
  for (const auto& [id, call] : calls_) {
    if (call->command != pid) continue;
    if (status.signaled) return answer(id, HookResult::failed, "ended by " + signal_name(status.signal));
    const HookResult result = status.code == 0 ? HookResult::done : HookResult::failed;
    return answer(id, result, "exited with " + std::to_string(status.code));
  }
}

void HookCaller::end_command(pid_t pid) {
  if (members_.signal_helper(pid, SIGTERM)) return;
  auto alarm = std::make_unique<Alarm>(loop_);
  alarm->set_after(grace_of_command, [this, pid] { members_.signal_helper(pid, SIGKILL); });
  ending_[pid] = std::move(alarm);
}

std::string fill_in(std::string text, const std::map<std::string, std::string>& placeholders) {
  for (std::size_t open = text.find('{'); open != std::string::npos; open = text.find('{', open)) {
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos) return text;
    const auto value = placeholders.find(text.substr(open + 1, close - open - 1));
    if (value == placeholders.end()) {
      ++open;
      continue;
    }
    text.replace(open, close - open + 1, value->second);
    open += value->second.size();
  }
  return text;
}

}  // namespace plimsoll::run

#include "daemon/run/hook_caller.hpp"

#include <cerrno>
#include <variant>

#include "config/plan/units.hpp"
#include "daemon/run/hook_http.hpp"

namespace plimsoll::run {
namespace {

using core::HookResult;

/// Where a header would end and another begin.
bool holds_line_end(const std::string& text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
}

}  // namespace

HookCaller::HookCaller(Loop& loop, Members& members, sys::ProcFs proc, HookEnvironment environment, Dispatch dispatch)
    : loop_(loop),
      members_(members),
      proc_(std::move(proc)),
      environment_(std::move(environment)),
      dispatch_(std::move(dispatch)),
      commands_(loop, members) {}

HookCaller::~HookCaller() = default;

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
  calls_.erase(id);
  commands_.cancel(id);
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
  auto then = [this, id = hook.id](HttpOutcome outcome) {
    answer(id, outcome.result, std::move(outcome.detail), outcome.wrong_answers);
  };
  calls_[hook.id] = std::make_unique<HttpAsking>(loop_, std::move(request), hook.timeout, std::move(then));
}

void HookCaller::call_signal(const core::CallHook& hook, const SignalHook& how) {
  const std::string name = signal_name(how.signal);
  const auto catches = proc_.catches(hook.target.pid, how.signal);
  if (!catches && proc_.cannot_say(catches.error()))
    return answer(hook.id, HookResult::failed,
                  "whether the process catches " + name + " cannot be read: " + catches.error().message());
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
  CommandRunner::Command command;
  for (const std::string& word : how.argv) command.argv.push_back(fill_in(word, hook.placeholders));
  command.prepare = [this, service = hook.service](sys::SpawnRequest& request) {
    return environment_.prepare(service, request);
  };
  command.timeout = hook.timeout;
  auto then = [this, id = hook.id](CommandRunner::Ended ended) {
    const bool late = ended.how == CommandRunner::Ended::How::timed_out;
    const HookResult result = ended.success ? HookResult::done : late ? HookResult::timed_out : HookResult::failed;
    answer(id, result, std::move(ended.detail));
  };
  calls_[hook.id] = nullptr;
  if (auto failure = commands_.start(hook.id, std::move(command), std::move(then)))
    answer(hook.id, HookResult::failed, std::move(failure->detail));
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

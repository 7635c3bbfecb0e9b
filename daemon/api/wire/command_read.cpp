// What is posted: the keys of each noun, and what of it can be meant.
#include <algorithm>

#include "config/plan/units.hpp"
#include "daemon/api/wire/reading.hpp"

namespace plimsoll::wire {
namespace {

/// "1h", or milliseconds as a number.
struct HowLong {
  std::optional<std::uint64_t> milliseconds;
};

/// As it was posted.
struct Posted {
  Command command;
  HowLong how_long;
  std::string except;
};

}  // namespace

template <>
class KindOf<HowLong> final : public Kind {
 public:
  KindOf() : Kind("must be a duration such as \"1h\", or a number of milliseconds") {}
  using Kind::put;
  void put(void* at, std::int64_t value, std::string& wrong) const override { take(at, value, wrong); }
  void put(void* at, std::uint64_t value, std::string& wrong) const override { take(at, value, wrong); }
  void put(void*, double, std::string& wrong) const override { wrong = "must be a whole number"; }
  void put(void* at, std::nullptr_t, std::string&) const override { static_cast<HowLong*>(at)->milliseconds.reset(); }
  void put(void* at, std::string_view text, std::string& wrong) const override {
    const Read<Duration> read_as = read_duration(text);
    if (const auto* misread = std::get_if<Misread>(&read_as)) {
      wrong = misread->rule;
    } else {
      take(at, std::get<Duration>(read_as).count(), wrong);
    }
  }

 private:
  template <class V>
  static void take(void* at, V value, std::string& wrong) {
    constexpr std::uint64_t ten_years = 10ULL * 365 * 24 * 3600 * 1000;
    if (!std::in_range<std::uint64_t>(value)) {
      wrong = "is out of range";
    } else if (std::cmp_greater(value, ten_years)) {
      wrong = "is longer than ten years; leave it out to hold until released";
    } else if (value == 0) {
      wrong = "must be longer than 0";
    } else {
      static_cast<HowLong*>(at)->milliseconds = static_cast<std::uint64_t>(value);
    }
  }
};

namespace {

void list_action(Members& body, const Posted& posted) {
  body.need("do", posted.command.act);
  body.also("hook", posted.command.hook);
  body.also("rule", posted.command.rule);
  body.also("pid", posted.command.pid);
  body.also("force", posted.command.force);
}

void list_hold(Members& body, const Posted& posted) {
  body.also("for", posted.how_long);
  body.also("except", posted.except);
}

void list_nothing(Members&, const Posted&) {}

void list_reload(Members& body, const Posted& posted) {
  body.also("dry_run", posted.command.dry_run);
}

struct Noun {
  std::string_view name;
  void (*list)(Members&, const Posted&);
};
constexpr Noun nouns[] = {
    {"actions", list_action}, {"hold", list_hold}, {"release", list_nothing}, {"reload", list_reload}};

/// What is wrong with it, or nothing.
std::string wrong_action(const Command& command) {
  const std::string& act = command.act;
  const bool known = act == "start" || act == "stop" || act == "restart" || act == "reconnect" || act == "hook";
  if (!known) return "do: must be start, stop, restart, reconnect or hook, not " + json_text(act.substr(0, 64));
  if (act == "hook" && command.hook.empty()) return "hook: is missing; it names the hook to call";
  if (act != "hook" && !command.hook.empty()) return "hook: goes with \"do\": \"hook\" only";
  if (act != "reconnect" && !command.rule.empty()) return "rule: goes with \"do\": \"reconnect\" only";
  if (act != "reconnect" && act != "hook" && command.pid) return "pid: goes with reconnect and hook only";
  if (act != "start" && command.force) return "force: goes with \"do\": \"start\" only";
  constexpr std::int64_t greatest_pid = 4'194'304;  // PID_MAX_LIMIT, proc_sys_kernel(5)
  if (command.pid && (*command.pid <= 0 || *command.pid > greatest_pid)) return "pid: must be from 1 to 4194304";
  return {};
}

}  // namespace

Parsed<Command> command_from_json(std::string_view noun, std::string_view text) {
  const auto* found = std::find_if(std::begin(nouns), std::end(nouns), [&](const Noun& n) { return n.name == noun; });
  if (found == std::end(nouns)) return "nothing can be posted to '" + std::string(noun) + "'";
  const auto list = [found](Members& body, const Posted& posted) {
    found->list(body, posted);
    body.also("wait", posted.command.wait);
  };
  auto parsed = read_body<Posted>(text.empty() ? "{}" : text, list, true);
  if (auto* wrong = std::get_if<std::string>(&parsed)) return std::move(*wrong);
  auto& posted = std::get<Posted>(parsed);
  Command& command = posted.command;
  if (noun == "actions") {
    if (std::string wrong = wrong_action(command); !wrong.empty()) return wrong;
    return std::move(command);
  }
  if (!posted.except.empty() && posted.except != "hard") return "except: must be \"hard\"";
  command.act = std::string(noun);
  command.for_milliseconds = posted.how_long.milliseconds;
  command.except_hard = posted.except == "hard";
  return std::move(command);
}

}  // namespace plimsoll::wire

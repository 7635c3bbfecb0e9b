#include "daemon/core/changes.hpp"

#include <algorithm>
#include <optional>

namespace plimsoll::core {
namespace {

/// Gathers the names of what differs.
class Difference {
 public:
  template <class T>
  Difference& of(const char* key, const T& before, const T& after) {
    if (!(before == after)) keys_.emplace_back(key);
    return *this;
  }
  [[nodiscard]] std::vector<std::string> keys() && { return std::move(keys_); }

 private:
  std::vector<std::string> keys_;
};

void compare(Difference& difference, const Surroundings& before, const Surroundings& after) {
  difference.of("user", before.user, after.user)
      .of("group", before.group, after.group)
      .of("groups", before.groups, after.groups)
      .of("umask", before.umask, after.umask)
      .of("nice", before.nice, after.nice)
      .of("ionice", before.ionice, after.ionice)
      .of("oom_score_adj", before.oom_score_adj, after.oom_score_adj)
      .of("rlimits", before.rlimits, after.rlimits)
      .of("inherit", before.inherit, after.inherit)
      .of("environment_file", before.environment_file, after.environment_file)
      .of("session", before.session, after.session)
      .of("no_new_privs", before.no_new_privs, after.no_new_privs)
      .of("capabilities", before.capabilities, after.capabilities);
}

std::vector<std::string> keys_that_differ(const Service& before, const Service& after) {
  Difference difference;
  difference.of("command", before.command, after.command)
      .of("working_directory", before.working_directory, after.working_directory)
      .of("environment", before.environment, after.environment);
  compare(difference, before.surroundings, after.surroundings);
  difference.of("kind", before.kind, after.kind)
      .of("requires", before.required, after.required)
      .of("after", before.after, after.after)
      .of("engine_of", before.engine_of, after.engine_of)
      .of("restarts_with_app", before.restarts_with_app, after.restarts_with_app)
      .of("time_limit", before.time_limit, after.time_limit)
      .of("ready", before.ready, after.ready)
      .of("live", before.live, after.live)
      .of("success", before.success, after.success)
      .of("restart", before.restart, after.restart)
      .of("backoff", before.backoff, after.backoff)
      .of("give_up", before.give_up, after.give_up)
      .of("essential", before.essential, after.essential)
      .of("stop", before.stop, after.stop)
      .of("memory", before.memory, after.memory)
      .of("container", before.container, after.container)
      .of("on_soft", before.on_soft, after.on_soft)
      .of("on_hard", before.on_hard, after.on_hard)
      .of("on_hung", before.on_hung, after.on_hung)
      .of("budget", before.budget, after.budget)
      .of("cool_down", before.cool_down, after.cool_down)
      .of("heal", before.heal, after.heal)
      .of("leftovers", before.leftovers, after.leftovers)
      .of("hooks", before.hooks, after.hooks)
      .of("engines", before.engines, after.engines)
      .of("cycles", before.cycles, after.cycles);
  return std::move(difference).keys();
}

/// What an app was told of its keep-alives when it was launched.
std::optional<Duration> keep_alives(const Service& service) {
  if (!service.live || !std::holds_alternative<NotifyProbe>(service.live->how)) return std::nullopt;
  return service.live->timeout;
}

Change change_of(const World& world, const ServiceLife& life, const Service& after) {
  if (*life.plan == after) return life.retiring && !world.stopping ? Change::started : Change::untouched;
  if (!needs_restart(*life.plan, after)) return Change::live;
  // What is done is not done again because it is written otherwise now.
  const bool done = life.plan->kind == ServiceKind::task && life.state == ServiceState::ready;
  const bool wanted = !done && (life.wanted || life.retiring) && !world.stopping;
  const bool runs = life.main != nobody;
  return wanted ? (runs ? Change::restarted : Change::started) : Change::next_run;
}

}  // namespace

const char* to_text(Change change) {
  switch (change) {
    case Change::untouched: return "untouched";
    case Change::live: return "live";
    case Change::restarted: return "restarted";
    case Change::next_run: return "next_run";
    case Change::started: return "started";
    case Change::stopped: return "stopped";
  }
  return "?";
}

bool needs_restart(const Service& before, const Service& after) {
  const bool other_keep_alives = keep_alives(after) && keep_alives(after) != keep_alives(before);
  return before.command != after.command || before.working_directory != after.working_directory ||
         before.environment != after.environment || before.surroundings != after.surroundings || other_keep_alives;
}

std::vector<ServiceChange> changes(const World& world, const Plan& next) {
  std::vector<ServiceChange> all;
  for (const auto& [name, life] : world.services) {
    const Service* after = find_service(next, name);
    if (after == nullptr) {
      if (!life.retiring) all.push_back({name, Change::stopped, {}});
    } else {
      all.push_back({name, change_of(world, life, *after), keys_that_differ(*life.plan, *after)});
    }
  }
  for (const Service& service : next.services) {
    if (!world.services.contains(service.name)) all.push_back({service.name, Change::started, {}});
  }
  std::sort(all.begin(), all.end(),
            [](const ServiceChange& a, const ServiceChange& b) { return a.service < b.service; });
  return all;
}

std::vector<std::string> daemon_changes(const Plan& before, const Plan& after) {
  Difference difference;
  difference.of("operators", before.daemon.operators, after.daemon.operators)
      .of("observers", before.daemon.observers, after.daemon.observers)
      .of("mode", before.daemon.mode, after.daemon.mode)
      .of("stop_within", before.daemon.stop_within, after.daemon.stop_within)
      .of("census", before.daemon.census, after.daemon.census);
  return std::move(difference).keys();
}

std::string to_sentence(const ServiceChange& change) {
  std::string keys;
  for (const std::string& key : change.keys) keys += (keys.empty() ? "" : ", ") + key;
  const auto with_keys = [&](const char* text) {
    return change.service + " " + text + (keys.empty() ? "" : " (" + keys + ")");
  };
  switch (change.change) {
    case Change::untouched: return change.service + " is untouched";
    case Change::live: return with_keys("takes it live");
    case Change::restarted: return with_keys("is restarted");
    case Change::next_run: return with_keys("has it from its next start on");
    case Change::started: return with_keys("is started");
    case Change::stopped: return change.service + " is stopped, it left the plan";
  }
  return change.service;
}

}  // namespace plimsoll::core

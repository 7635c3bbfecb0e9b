#include "daemon/core/reload.hpp"

#include "daemon/core/cycles.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/orphans.hpp"

namespace plimsoll::core {
namespace {

std::string apply(Turn& turn, const std::string& name, ServiceLife& life, std::shared_ptr<const Service> next) {
  const std::shared_ptr<const Service> before = std::exchange(life.plan, std::move(next));
  const bool came_back = std::exchange(life.retiring, false);
  if (came_back) {
    life.wanted = !turn.world.stopping;
    life.cause = StopCause::none;
    if (life.afterwards == Afterwards::forget) life.afterwards = Afterwards::start;
  }
  if (*before == *life.plan) return came_back ? name + " is back" : std::string{};
  if (before->cycles != life.plan->cycles) change_cycle_clocks(turn, name, before->cycles);
  if (!needs_restart(*before, *life.plan)) return name + " changed live";
  replace_run(turn, name);
  return name + " restarts";
}

/// Rules may have come, gone or changed their globs: every process is looked at again by the new ones.
void match_again(Turn& turn) {
  for (auto& [id, process] : turn.world.processes) {
    if (!process.alive()) continue;
    if (process.engine && rule_of(turn.world, process.service, process.engine->rule) == nullptr) {
      preempt_rule(turn, process.service, process.engine->rule);
      drop_orphan(turn, process);
      process.engine.reset();
    }
    process.memory.next = never;
    consider_as_engine(turn, process);
  }
  watch_new(turn);
}

}  // namespace

bool needs_restart(const Service& before, const Service& after) {
  return before.command != after.command || before.working_directory != after.working_directory ||
         before.environment != after.environment || before.surroundings != after.surroundings;
}

void take_plan(Turn& turn, const PlanReplaced& replaced) {
  World& world = turn.world;
  world.plan = replaced.plan;
  std::string what;
  const auto say = [&what](const std::string& text) {
    if (!text.empty()) what += (what.empty() ? "" : ", ") + text;
  };
  for (const Service& service : world.plan->services) {
    const std::shared_ptr<const Service> next{world.plan, &service};
    const auto found = world.services.find(service.name);
    if (found != world.services.end()) {
      say(apply(turn, service.name, found->second, next));
      continue;
    }
    ServiceLife& life = world.services[service.name];
    life.plan = next;
    life.wanted = !world.stopping;
    say(service.name + " is new");
  }
  for (auto& [name, life] : world.services) {
    if (find_service(*world.plan, name) != nullptr) continue;
    life.retiring = true;
    life.wanted = false;
    say(name + " is stopped, it left the plan");
  }
  match_again(turn);
  record(turn, entry(EventKind::config, std::string{},
                     "reloaded by " + replaced.by + ": " + (what.empty() ? "nothing changed" : what)));
  turn.changed = true;
}

}  // namespace plimsoll::core

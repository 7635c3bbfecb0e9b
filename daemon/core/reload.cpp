#include "daemon/core/reload.hpp"

#include "daemon/core/changes.hpp"
#include "daemon/core/cycle_clock.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/orphans.hpp"

namespace plimsoll::core {
namespace {

void apply(Turn& turn, const std::string& name, ServiceLife& life, std::shared_ptr<const Service> next) {
  const std::shared_ptr<const Service> before = std::exchange(life.plan, std::move(next));
  const bool came_back = std::exchange(life.retiring, false);
  if (came_back) {
    life.wanted = !turn.world.stopping;
    life.cause = StopCause::none;
    if (life.afterwards == Afterwards::forget) life.afterwards = Afterwards::start;
  }
  if (!life.plan->container) life.container = {};
  if (life.plan->engines.empty()) life.engine_missing_since.reset();
  if (*before == *life.plan) return;
  if (before->cycles != life.plan->cycles) change_cycle_clocks(turn, name, before->cycles);
  if (needs_restart(*before, *life.plan)) replace_run(turn, name);
}

/// Rules may have come, gone or changed their globs: every process is looked at again by the new ones.
void match_again(Turn& turn) {
  preempt_without_rule(turn);
  for (auto& [id, process] : turn.world.processes) {
    if (!process.alive()) continue;
    if (process.engine && rule_of(turn.world, process.service, process.engine->rule) == nullptr) {
      drop_orphan(turn, process);
      process.engine.reset();
    }
    const Service* plan = plan_of(turn.world, process.service);
    if (plan != nullptr && plan->engines.empty()) process.engine_missing_since.reset();
    process.memory.next = never;
    consider_as_engine(turn, process);
  }
}

/// All but the untouched, in one line for the log.
std::string told_of(const World& world, const Plan& next) {
  std::string what;
  const auto say = [&what](const std::string& text) { what += (what.empty() ? "" : ", ") + text; };
  std::string keys;
  for (const std::string& key : daemon_changes(*world.plan, next)) keys += (keys.empty() ? "" : ", ") + key;
  if (!keys.empty()) say("the daemon takes it live (" + keys + ")");
  for (const ServiceChange& change : changes(world, next)) {
    if (change.change != Change::untouched) say(to_sentence(change));
  }
  return what;
}

}  // namespace

void take_plan(Turn& turn, const PlanReplaced& replaced) {
  World& world = turn.world;
  const std::string what = told_of(world, *replaced.plan);
  world.plan = replaced.plan;
  for (const Service& service : world.plan->services) {
    const std::shared_ptr<const Service> next{world.plan, &service};
    const auto found = world.services.find(service.name);
    if (found != world.services.end()) {
      apply(turn, service.name, found->second, next);
      continue;
    }
    ServiceLife& life = world.services[service.name];
    life.plan = next;
    life.wanted = !world.stopping;
  }
  for (auto& [name, life] : world.services) {
    if (find_service(*world.plan, name) != nullptr) continue;
    life.retiring = true;
    life.wanted = false;
  }
  index_dependents(world);
  match_again(turn);
  turn.touch_all();
  record(turn, entry(EventKind::config, std::string{},
                     "reloaded by " + replaced.by + ": " + (what.empty() ? "nothing changed" : what)));
  turn.changed = true;
}

}  // namespace plimsoll::core

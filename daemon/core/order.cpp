#include "daemon/core/order.hpp"

#include <algorithm>

#include "daemon/core/lifecycle.hpp"

namespace plimsoll::core {
namespace {

bool names(const std::vector<std::string>& list, const std::string& service) {
  return std::find(list.begin(), list.end(), service) != list.end();
}

/// Launched or being launched, and not ended yet.
bool has_processes(const ServiceLife& life) {
  return has_run(life) || life.spawning || life.state == ServiceState::stopping || life.state == ServiceState::stuck;
}

/// It is to be started, and neither ready nor tried and failed.
bool has_its_turn_ahead(const ServiceLife& life) {
  return life.wanted &&
         (life.state == ServiceState::starting || life.state == ServiceState::stopped ||
          life.state == ServiceState::stopping) &&
         life.cause != StopCause::main_ended;
}

}  // namespace

std::string start_waits_for(const World& world, const ServiceLife& life) {
  for (const std::string& name : life.plan->required) {
    const auto found = world.services.find(name);
    if (found == world.services.end()) return "waits for " + name + ", which is out of the plan";
    if (found->second.state != ServiceState::ready)
      return "waits for " + name + " (" + to_text(found->second.state) + ")";
  }
  for (const std::string& name : life.plan->after) {
    const auto found = world.services.find(name);
    if (found != world.services.end() && has_its_turn_ahead(found->second)) return "waits its turn after " + name;
  }
  return {};
}

bool stop_waits(const World& world, const std::string& service) {
  const auto& dependents = dependents_of(world, service);
  return std::any_of(dependents.begin(), dependents.end(), [&](const std::string& name) {
    const auto found = world.services.find(name);
    if (found == world.services.end() || !has_processes(found->second)) return false;
    const ServiceLife& life = found->second;
    return names(life.plan->required, service) || (!life.wanted && names(life.plan->after, service));
  });
}

void release_engines_of(Turn& turn, const std::string& app) {
  for (const std::string& name : dependents_of(turn.world, app)) {
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end() || found->second.plan->engine_of != app || !found->second.wanted) continue;
    found->second.wanted = false;
    turn.touch_around(name);
    turn.changed = true;
    record(turn, entry(EventKind::service_state, name, "no longer needed: " + app + " is gone for good"));
  }
}

void want_engines_of(Turn& turn, const std::string& app) {
  for (const std::string& name : dependents_of(turn.world, app)) {
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end() || found->second.plan->engine_of != app || found->second.wanted) continue;
    found->second.wanted = true;
    found->second.cause = StopCause::none;
    turn.touch_around(name);
    turn.changed = true;
  }
}

void restart_engines_of(Turn& turn, const std::string& app) {
  for (const std::string& name : dependents_of(turn.world, app)) {
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end()) continue;
    const ServiceLife& life = found->second;
    if (life.plan->engine_of == app && life.plan->restarts_with_app && has_run(life))
      restart_run(turn, name, StopCause::operator_, Afterwards::start);
  }
}

}  // namespace plimsoll::core

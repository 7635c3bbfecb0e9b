#include "daemon/core/budget.hpp"

#include <algorithm>

#include "daemon/core/sentences.hpp"

namespace plimsoll::core {

int budget_spent(const ServiceLife& life, Steady now) {
  const Steady from = now - life.plan->budget.per;
  return static_cast<int>(std::count_if(life.acts.begin(), life.acts.end(), [&](Steady at) { return at > from; }));
}

bool budget_left(Turn& turn, const std::string& service) {
  ServiceLife& life = turn.world.services.at(service);
  const Budget& budget = life.plan->budget;
  if (budget_spent(life, turn.now.steady) < budget.acts) {
    life.budget_said = false;
    return true;
  }
  if (!std::exchange(life.budget_said, true)) {
    Entry said = entry(EventKind::budget, service,
                       "the budget of " + std::to_string(budget.acts) + " acts per " + to_text(budget.per) +
                           " is spent; the next one is free in " + short_duration(budget_back(life) - turn.now.steady));
    said.level = Level::error;
    record(turn, said);
  }
  return false;
}

void spend(Turn& turn, const std::string& service) {
  ServiceLife& life = turn.world.services.at(service);
  while (!life.acts.empty() && life.acts.front() <= turn.now.steady - life.plan->budget.per)
    life.acts.erase(life.acts.begin());
  life.acts.push_back(turn.now.steady);
}

void unspend(Turn& turn, const std::string& service, Steady at) {
  auto& acts = turn.world.services.at(service).acts;
  if (const auto found = std::find(acts.begin(), acts.end(), at); found != acts.end()) acts.erase(found);
}

Steady budget_back(const ServiceLife& life) {
  const auto acts = static_cast<std::size_t>(std::max(life.plan->budget.acts, 1));
  if (life.acts.size() < acts) return Steady::min();
  return life.acts[life.acts.size() - acts] + life.plan->budget.per;
}

}  // namespace plimsoll::core

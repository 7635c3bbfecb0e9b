#include "daemon/core/well.hpp"

#include "daemon/core/budget.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

void judge_service(const World& world, const std::string& name, const ServiceLife& life, std::vector<Unwell>& said) {
  const bool up = life.state == ServiceState::ready;
  const bool stopped_by_operator =
      !life.wanted && (life.state == ServiceState::stopped || life.state == ServiceState::stopping);
  if (!up && !stopped_by_operator) {
    said.push_back({name, name + " is " + to_text(life.state) + (life.note.empty() ? "" : ": " + life.note)});
  }
  if (life.hung) said.push_back({name, name + " is hung: " + life.liveness->last});
  if (life.own.exhausted) said.push_back({name, name + ": every rung was tried and none worked"});
  const Budget& budget = life.plan->budget;
  if (life.wanted && life.budget_said && budget_spent(life, world.now.steady) >= budget.acts) {
    said.push_back({name, name + ": its budget of " + std::to_string(budget.acts) + " acts per " + to_text(budget.per) +
                              " is spent, nothing but hard lines is acted on for " +
                              short_duration(budget_back(life) - world.now.steady)});
  }
  if (life.engine_missing_since && up && world.now.steady - *life.engine_missing_since >= life.plan->heal) {
    said.push_back({name, name + " has been without its engine for " +
                              short_duration(world.now.steady - *life.engine_missing_since)});
  }
}

void judge_process(const World& world, const Process& process, std::vector<Unwell>& said) {
  if (!process.engine && !process.engine_missing_since) return;
  const std::string pid = std::to_string(process.id.pid);
  if (process.engine) {
    const EngineState state = process.engine->state;
    if (state == EngineState::lost) said.push_back({process.service, process.service + ": engine " + pid + " is lost"});
    if (state == EngineState::hung) said.push_back({process.service, process.service + ": engine " + pid + " is hung"});
    // One that was asked to end and has not is no less an orphan.
    const bool orphan = state == EngineState::orphan || process.engine->phase != Engine::Phase::none;
    if (process.alive() && orphan)
      said.push_back({process.service, process.service + ": engine " + pid + " is an orphan"});
  }
  if (!process.alive() || !process.engine_missing_since || process.service.empty()) return;
  const Service* plan = plan_of(world, process.service);
  const auto without = world.now.steady - *process.engine_missing_since;
  if (plan != nullptr && without >= plan->heal) {
    said.push_back({process.service, process.service + ": worker " + pid + " has been without its engine for " +
                                         short_duration(without)});
  }
}

}  // namespace

std::vector<Unwell> not_well(const World& world) {
  std::vector<Unwell> said;
  for (const auto& [name, life] : world.services) judge_service(world, name, life, said);
  for (const auto& [id, process] : world.processes) judge_process(world, process, said);
  for (const auto& [key, slot] : world.slots) {
    if (slot.exhausted)
      said.push_back(
          {key.service, key.service + ": every rung for engine rule '" + key.rule + "' was tried and none worked"});
  }
  if (world.holding) said.push_back({{}, "interventions are held"});
  return said;
}

}  // namespace plimsoll::core

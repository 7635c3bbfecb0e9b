#include "daemon/core/processes.hpp"

#include <algorithm>

#include "daemon/core/world.hpp"

namespace plimsoll::core {

Process& Processes::insert(Process process) {
  erase(process.id);
  enlist(process.service, process.id);
  if (!process.alive()) dead_.insert(process.id);
  const ProcessId id = process.id;
  return all_.emplace(id, std::move(process)).first->second;
}

void Processes::erase(ProcessId id) {
  const auto found = all_.find(id);
  if (found == all_.end()) return;
  strike(found->second.service, id);
  dead_.erase(id);
  all_.erase(found);
}

void Processes::moved(const Process& process, const std::string& before) {
  if (process.service == before) return;
  strike(before, process.id);
  enlist(process.service, process.id);
}

const std::vector<ProcessId>& Processes::of(const std::string& service) const {
  static const std::vector<ProcessId> none;
  const auto found = of_.find(service);
  return found == of_.end() ? none : found->second;
}

bool Processes::consistent() const {
  std::map<std::string, std::vector<ProcessId>> of;
  std::set<ProcessId> dead;
  for (const auto& [id, process] : all_) {
    of[process.service].push_back(id);
    if (!process.alive()) dead.insert(id);
  }
  return of == of_ && dead == dead_;
}

ProcessId Processes::id_of(const Process& process) {
  return process.id;
}

void Processes::enlist(const std::string& service, ProcessId id) {
  std::vector<ProcessId>& list = of_[service];
  list.insert(std::upper_bound(list.begin(), list.end(), id), id);
}

void Processes::strike(const std::string& service, ProcessId id) {
  const auto found = of_.find(service);
  if (found == of_.end()) return;
  std::erase(found->second, id);
  if (found->second.empty()) of_.erase(found);
}

}  // namespace plimsoll::core

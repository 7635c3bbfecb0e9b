#include "daemon/core/processes.hpp"

#include <algorithm>

#include "daemon/core/world.hpp"

namespace plimsoll::core {
namespace {

bool counts(const Process& process) {
  return process.alive() || process.engine;
}

}  // namespace

Process& Processes::insert(Process process) {
  erase(process.id);
  enlist(recorded_of_, process.service, process.id);
  if (counts(process)) enlist(of_, process.service, process.id);
  if (!process.alive()) dead_.insert(process.id);
  const ProcessId id = process.id;
  return all_.emplace(id, std::move(process)).first->second;
}

void Processes::erase(ProcessId id) {
  const auto found = all_.find(id);
  if (found == all_.end()) return;
  strike(recorded_of_, found->second.service, id);
  strike(of_, found->second.service, id);
  dead_.erase(id);
  all_.erase(found);
}

void Processes::moved(const Process& process, const std::string& before) {
  if (process.service == before) return;
  strike(recorded_of_, before, process.id);
  strike(of_, before, process.id);
  enlist(recorded_of_, process.service, process.id);
  if (counts(process)) enlist(of_, process.service, process.id);
}

void Processes::died(const Process& process) {
  dead_.insert(process.id);
  if (!counts(process)) strike(of_, process.service, process.id);
}

const std::vector<ProcessId>& Processes::of(const std::string& service) const {
  return find_in(of_, service);
}

const std::vector<ProcessId>& Processes::recorded_of(const std::string& service) const {
  return find_in(recorded_of_, service);
}

bool Processes::consistent() const {
  Lists of;
  Lists recorded_of;
  std::set<ProcessId> dead;
  for (const auto& [id, process] : all_) {
    recorded_of[process.service].push_back(id);
    if (counts(process)) of[process.service].push_back(id);
    if (!process.alive()) dead.insert(id);
  }
  return of == of_ && recorded_of == recorded_of_ && dead == dead_;
}

void Processes::enlist(Lists& lists, const std::string& service, ProcessId id) {
  std::vector<ProcessId>& list = lists[service];
  list.insert(std::upper_bound(list.begin(), list.end(), id), id);
}

void Processes::strike(Lists& lists, const std::string& service, ProcessId id) {
  const auto found = lists.find(service);
  if (found == lists.end()) return;
  std::vector<ProcessId>& list = found->second;
  const auto at = std::lower_bound(list.begin(), list.end(), id);
  if (at == list.end() || *at != id) return;
  list.erase(at);
  if (list.empty()) lists.erase(found);
}

const std::vector<ProcessId>& Processes::find_in(const Lists& lists, const std::string& service) {
  static const std::vector<ProcessId> none;
  const auto found = lists.find(service);
  return found == lists.end() ? none : found->second;
}

}  // namespace plimsoll::core

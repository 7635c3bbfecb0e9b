#include "daemon/core/processes.hpp"

#include <algorithm>

#include "daemon/core/world.hpp"

namespace plimsoll::core {
namespace {

bool counts(const Process& process) {
  return process.alive() || process.engine;
}

void put(std::vector<ProcessId>& list, ProcessId id) {
  list.insert(std::upper_bound(list.begin(), list.end(), id), id);
}

void take_out(std::vector<ProcessId>& list, ProcessId id) {
  const auto at = std::lower_bound(list.begin(), list.end(), id);
  if (at != list.end() && *at == id) list.erase(at);
}

}  // namespace

Process& Processes::insert(Process process) {
  erase(process.id);
  enlist(process.service, process);
  if (!process.alive()) dead_.insert(process.id);
  const ProcessId id = process.id;
  return all_.try_emplace(id, std::move(process)).first->second;
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
  enlist(process.service, process);
}

void Processes::died(const Process& process) {
  dead_.insert(process.id);
  if (counts(process)) return;
  if (const auto found = lists_.find(process.service); found != lists_.end()) take_out(found->second.of, process.id);
}

const std::vector<ProcessId>& Processes::of(const std::string& service) const {
  return lists_of(service).of;
}

const std::vector<ProcessId>& Processes::recorded_of(const std::string& service) const {
  return lists_of(service).recorded_of;
}

bool Processes::consistent() const {
  RecentMap<std::string, Lists> lists;
  std::set<ProcessId> dead;
  for (const auto& [id, process] : all_) {
    Lists& lists_of_it = lists[process.service];
    lists_of_it.recorded_of.push_back(id);
    if (counts(process)) lists_of_it.of.push_back(id);
    if (!process.alive()) dead.insert(id);
  }
  return lists == lists_ && dead == dead_;
}

void Processes::enlist(const std::string& service, const Process& process) {
  Lists& lists = lists_[service];
  put(lists.recorded_of, process.id);
  if (counts(process)) put(lists.of, process.id);
}

void Processes::strike(const std::string& service, ProcessId id) {
  const auto found = lists_.find(service);
  if (found == lists_.end()) return;
  take_out(found->second.of, id);
  take_out(found->second.recorded_of, id);
  if (found->second.recorded_of.empty()) lists_.erase(found);
}

const Processes::Lists& Processes::lists_of(const std::string& service) const {
  static const Lists none;
  const auto found = lists_.find(service);
  return found == lists_.end() ? none : found->second;
}

}  // namespace plimsoll::core

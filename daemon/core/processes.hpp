// Every recorded process by its ProcessId, and the two lists that the core would otherwise walk everybody for: the
// processes of a service, and the dead ones. They are kept here and nowhere else, so a step costs what its service
// costs and not what a thousand others do. What has to be told here: a service that changes (moved) and a death (died).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/ids.hpp"

namespace plimsoll::core {

struct Process;

class Processes {
 public:
  using Map = std::map<ProcessId, Process>;

  [[nodiscard]] auto begin() { return all_.begin(); }
  [[nodiscard]] auto end() { return all_.end(); }
  [[nodiscard]] auto begin() const { return all_.begin(); }
  [[nodiscard]] auto end() const { return all_.end(); }
  [[nodiscard]] auto find(ProcessId id) { return all_.find(id); }
  [[nodiscard]] auto find(ProcessId id) const { return all_.find(id); }
  [[nodiscard]] auto lower_bound(ProcessId id) const { return all_.lower_bound(id); }
  [[nodiscard]] bool contains(ProcessId id) const { return all_.contains(id); }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

  /// In place of the one that was recorded by that id, if any.
  Process& insert(Process process);
  void erase(ProcessId id);
  /// `process.service` was `before` when it was inserted or last moved.
  void moved(const Process& process, const std::string& before);
  void died(const Process& process) { dead_.insert(id_of(process)); }

  /// Of that service (empty: nobody's), the dead among them, by id.
  [[nodiscard]] const std::vector<ProcessId>& of(const std::string& service) const;
  [[nodiscard]] const std::set<ProcessId>& dead() const { return dead_; }
  /// Whether the lists say what the processes say; for tests.
  [[nodiscard]] bool consistent() const;

 private:
  static ProcessId id_of(const Process& process);
  void enlist(const std::string& service, ProcessId id);
  void strike(const std::string& service, ProcessId id);

  Map all_;
  std::map<std::string, std::vector<ProcessId>> of_;
  std::set<ProcessId> dead_;
};

}  // namespace plimsoll::core

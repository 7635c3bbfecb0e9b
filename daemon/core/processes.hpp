// Every recorded process by its ProcessId, and the lists that the core would otherwise walk everybody for: the
// processes of a service, those of them that a step has to look at, and the dead ones. They are kept here and nowhere
// else, so a step costs what its service's living cost: not what a thousand other services do, and not what a thousand
// ended processes do that wait to be forgotten. What has to be told here: a service that changes (moved) and a death
// (died).
#pragma once

#include <set>
#include <string>
#include <vector>

#include "daemon/core/ids.hpp"
#include "daemon/core/recent_map.hpp"

namespace plimsoll::core {

struct Process;

class Processes {
 public:
  using Map = RecentMap<ProcessId, Process>;

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
  void died(const Process& process);

  /// The living of that service (empty: nobody's), and its ended engines, of which a verdict may be owed; by id.
  [[nodiscard]] const std::vector<ProcessId>& of(const std::string& service) const;
  /// The other ended ones, too.
  [[nodiscard]] const std::vector<ProcessId>& recorded_of(const std::string& service) const;
  [[nodiscard]] const std::set<ProcessId>& dead() const { return dead_; }
  /// Whether the lists say what the processes say; for tests.
  [[nodiscard]] bool consistent() const;

 private:
  /// Of one service.
  struct Lists {
    std::vector<ProcessId> of;
    std::vector<ProcessId> recorded_of;
    friend bool operator==(const Lists&, const Lists&) = default;
  };
  void enlist(const std::string& service, const Process& process);
  void strike(const std::string& service, ProcessId id);
  [[nodiscard]] const Lists& lists_of(const std::string& service) const;

  Map all_;
  RecentMap<std::string, Lists> lists_;
  std::set<ProcessId> dead_;
};

}  // namespace plimsoll::core

// Which state followed which, over all histories of the run: what the page's table of states is held against.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "daemon/core/world.hpp"

namespace plimsoll::core {

/// Services that are new or gone are no transition.
class SeenStates {
 public:
  /// Each step's beginning and end.
  void before(const World& world) {
    before_.clear();
    for (const auto& [name, life] : world.services) before_[name] = life.state;
  }
  void after(const World& world) {
    for (const auto& [name, life] : world.services) {
      const auto found = before_.find(name);
      if (found != before_.end() && found->second != life.state) all().emplace(found->second, life.state);
    }
  }

  using Transitions = std::set<std::pair<ServiceState, ServiceState>>;
  static Transitions& all() {
    static Transitions seen;
    return seen;
  }

 private:
  std::map<std::string, ServiceState> before_;
};

}  // namespace plimsoll::core

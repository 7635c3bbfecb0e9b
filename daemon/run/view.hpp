// What operators are shown: World as wire structs. Memory is read at the moment of the question. A status of a thousand
// services is made in one turn of the loop, so what is the same for all of them is asked once, and of each service its
// processes are gone through once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/wire/wire.hpp"
#include "daemon/core/well.hpp"
#include "daemon/core/world.hpp"
#include "daemon/run/members.hpp"

namespace plimsoll::run {

class View {
 public:
  /// Both outlive this object. `now` is the instant of the question.
  View(const core::World& world, Members& members, core::Now now);

  [[nodiscard]] std::vector<wire::Service> services() const;
  /// The same with what is said of the daemon, as the JSON of a Status.
  [[nodiscard]] std::string status_json(const wire::Daemon& daemon) const;
  /// In brief; `put` gets it in pieces.
  void brief_json(const wire::Daemon& daemon, const std::function<void(std::string_view piece)>& put) const;
  /// Nothing: there is no service of that name.
  [[nodiscard]] std::optional<wire::Service> one(std::string_view name) const;
  /// The same with its processes.
  [[nodiscard]] std::optional<wire::ServiceDetail> service(std::string_view name) const;
  [[nodiscard]] std::vector<wire::Intervention> ledger(std::string_view service) const;
  /// Fills what the core knows: mode, hold, well.
  void fill(wire::Daemon& daemon) const;

 private:
  /// What was read of a service's memory; by id.
  using Readings = std::vector<core::Sample>;
  /// What is known of a service's living processes, and of its engines that have ended.
  struct Tree {
    Readings readings;
    std::vector<const core::Process*> engines;  ///< those that are shown
  };
  /// Gives one service after the other.
  [[nodiscard]] std::function<wire::Service()> in_turn() const;
  [[nodiscard]] Tree read_tree(const std::string& service) const;
  [[nodiscard]] wire::Service to_service(const std::string& name, const core::ServiceLife& life,
                                         const Tree& tree) const;
  void add_memory(wire::Service& service, const core::ServiceLife& life, const Tree& tree) const;
  [[nodiscard]] wire::Engine to_engine(const core::Process& process, const Readings& readings) const;
  [[nodiscard]] std::vector<wire::Process> tree_of(const std::string& service, const Readings& readings) const;
  [[nodiscard]] std::vector<wire::Cycle> cycles_of(const core::ServiceLife& life) const;
  [[nodiscard]] std::string role_of(const core::Process& process) const;

  const core::World& world_;
  Members& members_;
  core::Now now_;
  std::vector<core::Unwell> not_well_;  ///< as it is said of the whole
  /// The same by service; of one service in the order in which it is said.
  std::vector<const core::Unwell*> unwell_;
};

}  // namespace plimsoll::run

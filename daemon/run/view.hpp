// What operators are shown: World as wire structs. Memory is read at the moment of the question.
#pragma once

#include <map>
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
  View(const core::World& world, Members& members, core::Now now) : world_(world), members_(members), now_(now) {}

  [[nodiscard]] std::vector<wire::Service> services() const;
  [[nodiscard]] std::optional<wire::ServiceDetail> service(std::string_view name) const;
  [[nodiscard]] std::vector<wire::Intervention> ledger(std::string_view service) const;
  /// Fills what the core knows: mode, hold, well.
  void fill(wire::Daemon& daemon) const;

 private:
  using Readings = std::map<core::ProcessId, core::Sample>;
  [[nodiscard]] wire::Service to_service(const std::string& name, const core::ServiceLife& life,
                                         const std::vector<core::Unwell>& unwell, Readings& readings) const;
  [[nodiscard]] wire::Engine to_engine(const core::Process& process, const Readings& readings) const;
  void read_memory(const std::string& service, Readings& readings) const;
  [[nodiscard]] std::vector<wire::Engine> engines_of(const std::string& service, const Readings& readings) const;
  [[nodiscard]] std::vector<wire::Process> tree_of(const std::string& service, const Readings& readings) const;
  [[nodiscard]] std::vector<wire::Cycle> cycles_of(const core::ServiceLife& life) const;
  [[nodiscard]] std::string role_of(const core::Process& process) const;

  const core::World& world_;
  Members& members_;
  core::Now now_;
};

}  // namespace plimsoll::run

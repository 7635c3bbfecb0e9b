// Which pairs of (state, event) the histories have met: of a service, of an engine, of a ladder at work. A pair that
// cannot happen stands in a table with its reason; every other one has to be seen in the suite's run, so that a history
// that forgets how to bring one about is a failure and no silence.
//
// An event counts for what it is about: the service that it names or whose process it names, the engine that it names;
// one that names nobody counts for all.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>

#include "daemon/core/world.hpp"

namespace plimsoll::sim {

inline constexpr std::size_t event_kinds = std::variant_size_v<core::Event>;
inline constexpr std::size_t service_states = static_cast<std::size_t>(core::ServiceState::stuck) + 1;
inline constexpr std::size_t engine_states = static_cast<std::size_t>(core::EngineState::gone) + 1;
inline constexpr std::size_t ladder_phases = static_cast<std::size_t>(core::Ladder::Phase::waiting) + 1;

std::string event_name(std::size_t index);

class Pairs {
 public:
  void note(const core::World& world, const core::Event& event);
  void add(const Pairs& other);
  /// The three tables, with what was never seen and why; how many are missing, and how many were seen though they
  /// cannot be.
  [[nodiscard]] std::string text(bool listed) const;
  [[nodiscard]] int wrong() const;

 private:
  template <std::size_t States>
  using Counts = std::array<std::array<std::uint64_t, event_kinds>, States>;
  Counts<service_states> services_{};
  Counts<engine_states> engines_{};
  Counts<ladder_phases> ladders_{};
};

}  // namespace plimsoll::sim

// What happens in a history, as a list that is drawn beforehand. A decision carries its own numbers and takes them
// modulo what there is when its turn comes, so that any sublist of a history is a history too: that is what lets a
// failing one be made smaller (shrink.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plimsoll::sim {

enum class Act : std::uint8_t {
  time_passes,
  long_pause,  ///< the machine slept, or the daemon was stopped: no deadline was kept
  wall_steps,  ///< the wall clock is set, forwards or back
  forks_worker,
  forks_engine,
  forks_helper,
  forks_twice,  ///< the middle one leaves at once or soon
  new_session,
  hops,  ///< forks and exits, several times
  stranger_comes,
  somebody_ends,
  engine_ends,
  main_ends,
  killed_from_outside,
  memory,
  memory_grows,
  crowd,  ///< many engines grow at once
  halts,
  unkillable,
  nature,  ///< how it answers a stop signal, whether it reaps
  connects,
  operator_asks,
  reloads,
  forwards,
  connector,  ///< comes, goes, or has lost something
  spawns_fail,
  hooks_are,   ///< how hooks are answered from now on
  probes_are,  ///< how often they fail from now on
  census_hides,
  readings_are_lost,
  evidence_is_lost,
  bound_is,     ///< how exact a quick reading of memory is
  stale_event,  ///< one that nobody waits for any more, or that comes twice
  idle_tick,    ///< a timer that was too early
  stop_asked,
};
inline constexpr std::size_t act_count = static_cast<std::size_t>(Act::stop_asked) + 1;

struct Decision {
  Act act = Act::time_passes;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
};

const char* to_text(Act act);
std::string to_text(const Decision& decision);

std::vector<Decision> draw_decisions(std::uint64_t seed, std::size_t count);

}  // namespace plimsoll::sim

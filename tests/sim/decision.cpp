#include "tests/sim/decision.hpp"

#include <array>
#include <numeric>

#include "tests/sim/random.hpp"

namespace plimsoll::sim {
namespace {

struct Kind {
  const char* text;
  int weight;
};

// In the order of Act.
constexpr std::array<Kind, act_count> kinds{{{"time passes", 60},
                                             {"a long pause", 1},
                                             {"the wall clock is set", 2},
                                             {"a worker is forked", 6},
                                             {"an engine is forked", 12},
                                             {"a helper is forked", 4},
                                             {"a double fork", 5},
                                             {"setsid()", 3},
                                             {"a fork-and-exit hopper", 2},
                                             {"a stranger comes", 2},
                                             {"a process ends", 6},
                                             {"an engine ends", 7},
                                             {"a main process ends", 3},
                                             {"SIGKILL from outside", 5},
                                             {"memory is", 8},
                                             {"memory grows", 4},
                                             {"a crowd", 2},
                                             {"SIGSTOP", 2},
                                             {"state D, or out of it", 2},
                                             {"another nature", 4},
                                             {"a connection", 4},
                                             {"an operator asks", 7},
                                             {"a reload", 1},
                                             {"a signal to forward", 2},
                                             {"the connector changes", 1},
                                             {"spawns fail, or not", 2},
                                             {"hooks are answered otherwise", 3},
                                             {"probes fail otherwise", 2},
                                             {"the census hides some", 2},
                                             {"readings of memory are lost", 1},
                                             {"evidence is lost", 1},
                                             {"quick readings hide some", 1},
                                             {"a stale event", 6},
                                             {"an idle tick", 8},
                                             {"the daemon is told to stop", 0}}};

constexpr int all_weights() {
  int sum = 0;
  for (const Kind& kind : kinds) sum += kind.weight;
  return sum;
}

Act draw_act(Random& random) {
  auto at = static_cast<int>(random.below(all_weights()));
  for (std::size_t i = 0; i < act_count; ++i) {
    at -= kinds[i].weight;
    if (at < 0) return static_cast<Act>(i);
  }
  return Act::time_passes;
}

}  // namespace

const char* to_text(Act act) {
  return kinds[static_cast<std::size_t>(act)].text;
}

std::string to_text(const Decision& decision) {
  return std::string{to_text(decision.act)} + " (" + std::to_string(decision.a) + ", " + std::to_string(decision.b) +
         ", " + std::to_string(decision.c) + ")";
}

std::vector<Decision> draw_decisions(std::uint64_t seed, std::size_t count) {
  Random random(mix(seed, 1));
  std::vector<Decision> drawn;
  drawn.reserve(count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = [&random] { return static_cast<std::uint32_t>(random.below(1'000'000)); };
    Decision decision;
    decision.act = draw_act(random);
    decision.a = number();
    decision.b = number();
    decision.c = number();
    drawn.push_back(decision);
  }
  drawn.push_back({Act::stop_asked, 0, 0, 0});
  return drawn;
}

}  // namespace plimsoll::sim

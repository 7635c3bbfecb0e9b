#include "tests/sim/shrink.hpp"

#include <algorithm>

#include "tests/sim/life.hpp"

namespace plimsoll::sim {
namespace {

constexpr int tries_at_most = 1'500;

/// "law 3, orphans": what stands before the colon.
std::string law_of(const std::string& broken) {
  return broken.substr(0, broken.find(':'));
}

bool breaks(std::uint64_t seed, const std::vector<Decision>& decisions, const std::string& law) {
  Pairs pairs;
  Life life(seed, decisions, pairs);
  life.live();
  return law_of(life.broken()) == law;
}

}  // namespace

std::vector<Decision> shrink(std::uint64_t seed, std::vector<Decision> decisions, const std::string& broken) {
  const std::string law = law_of(broken);
  int tries = 0;
  std::size_t chunk = std::max<std::size_t>(1, decisions.size() / 2);
  while (tries < tries_at_most) {
    bool smaller = false;
    for (std::size_t at = 0; at < decisions.size() && tries < tries_at_most;) {
      std::vector<Decision> fewer = decisions;
      const auto from = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(from, from + static_cast<std::ptrdiff_t>(std::min(chunk, fewer.size() - at)));
      ++tries;
      if (breaks(seed, fewer, law)) {
        decisions = std::move(fewer);
        smaller = true;
      } else {
        at += chunk;
      }
    }
    if (chunk > 1) {
      chunk /= 2;
    } else if (!smaller) {
      break;
    }
  }
  return decisions;
}

}  // namespace plimsoll::sim

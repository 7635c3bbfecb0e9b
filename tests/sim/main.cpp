// plimsoll_sim: seeded random histories of the core against a simulated kernel, the laws checked after every step.
//
//   plimsoll_sim --seed 17 --steps 2000000     life after life, from that seed on, until so many steps were taken
//   plimsoll_sim --steps 0                     until SIGINT or SIGTERM
//
// Ends with 1 when a law was broken; what is printed then is the smallest history that could be found, and the command
// that plays it again.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>

#include "tests/sim/life.hpp"
#include "tests/sim/shrink.hpp"

namespace plimsoll::sim {
namespace {

volatile std::sig_atomic_t told_to_end = 0;

struct Options {
  std::uint64_t seed = 0;
  std::uint64_t steps = 200'000;
  std::size_t decisions = 250;
  bool pairs = false;   ///< a pair that was never seen is a failure
  bool terse = false;   ///< a failure is one line
  bool survey = false;  ///< goes on after a failure; at the end each law with its count and a seed
  bool whole = false;   ///< the whole history of a failure, unshrunk
};

bool read_options(int argc, char** argv, Options& options) {
  bool seeded = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--pairs") {
      options.pairs = true;
    } else if (word == "--terse") {
      options.terse = true;
    } else if (word == "--survey") {
      options.survey = true;
    } else if (word == "--whole") {
      options.whole = true;
    } else if (i + 1 < argc && (word == "--seed" || word == "--steps" || word == "--decisions")) {
      char* end = nullptr;
      const std::uint64_t number = std::strtoull(argv[++i], &end, 10);
      if (*end != '\0' || end == argv[i]) return false;
      if (word == "--seed") seeded = true;
      (word == "--seed" ? options.seed : word == "--steps" ? options.steps : options.decisions) = number;
    } else {
      return false;
    }
  }
  if (!seeded) options.seed = std::random_device{}();
  return true;
}

void tell_failure(const Options& options, std::uint64_t seed, const std::string& broken, std::uint64_t steps) {
  std::printf("broken after %llu steps, seed %llu: %s\n", static_cast<unsigned long long>(steps),
              static_cast<unsigned long long>(seed), broken.c_str());
  std::printf("./dev sim --seed %llu --steps 1 plays it again\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  if (options.terse) return;
  std::vector<Decision> decisions = draw_decisions(seed, options.decisions);
  const std::size_t all = decisions.size();
  if (!options.whole) decisions = shrink(seed, std::move(decisions), broken);
  Pairs pairs;
  Life life(seed, decisions, pairs);
  life.tell_story = true;
  life.live();
  std::printf("the smallest history found (%zu of %zu decisions), its last lines:\n", decisions.size(), all);
  const auto& story = life.story();
  const std::size_t last = options.whole ? 2'000 : 160;
  for (std::size_t i = story.size() > last ? story.size() - last : 0; i < story.size(); ++i)
    std::printf("%s\n", story[i].c_str());
  std::printf("%s\n", life.broken().c_str());
}

int run(const Options& options) {
  std::printf("plimsoll_sim --seed %llu --steps %llu\n", static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.steps));
  std::fflush(stdout);
  Pairs pairs;
  std::map<std::string, std::pair<int, std::string>> surveyed;
  std::uint64_t steps = 0;
  std::uint64_t seed = options.seed;
  const auto began = std::chrono::steady_clock::now();
  while (told_to_end == 0 && (options.steps == 0 || steps < options.steps)) {
    Life life(seed, draw_decisions(seed, options.decisions), pairs);
    life.live();
    steps += life.steps();
    if (!life.broken().empty() && options.survey) {
      auto& [count, first] = surveyed[life.broken().substr(0, life.broken().find(':'))];
      if (count++ == 0) first = std::to_string(seed) + " after " + std::to_string(steps) + ": " + life.broken();
    } else if (!life.broken().empty()) {
      tell_failure(options, seed, life.broken(), steps);
      return 1;
    }
    ++seed;
  }
  for (const auto& [law, found] : surveyed)
    std::printf("%6d  %s, first in seed %s\n", found.first, law.c_str(), found.second.c_str());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%s", pairs.text(options.pairs).c_str());
  std::printf("%llu steps in %llu lives, %.1f s, %.0f steps per second: %s\n", static_cast<unsigned long long>(steps),
              static_cast<unsigned long long>(seed - options.seed), took.count(),
              static_cast<double>(steps) / took.count(), surveyed.empty() ? "no law was broken" : "laws were broken");
  if (!surveyed.empty()) return 1;
  if (options.pairs && pairs.wrong() > 0) {
    std::printf("%d pairs of (state, event) are not as the table says\n", pairs.wrong());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace plimsoll::sim

int main(int argc, char** argv) {
  plimsoll::sim::Options options;
  if (!plimsoll::sim::read_options(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: plimsoll_sim [--seed S] [--steps N, 0: until a signal] [--decisions N] [--pairs] [--whole] "
                 "[--survey] [--terse]\n");
    return 2;
  }
  std::signal(SIGINT, [](int) { plimsoll::sim::told_to_end = 1; });
  std::signal(SIGTERM, [](int) { plimsoll::sim::told_to_end = 1; });
  return plimsoll::sim::run(options);
}

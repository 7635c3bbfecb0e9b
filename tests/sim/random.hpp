// Numbers from a seed, the same on every machine and with every compiler: the standard's distributions are not.
#pragma once

#include <array>
#include <cstdint>

namespace plimsoll::sim {

/// splitmix64's finaliser: what depends on several numbers and on nothing else.
constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
  std::uint64_t hash = a + 0x9E3779B97F4A7C15ULL * (b + 1) + 0xD1B54A32D192ED03ULL * (c + 1);
  hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBULL;
  return hash ^ (hash >> 31);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return mix(state_++); }
  /// 0 to n - 1.
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class T, std::size_t N>
  const T& of(const std::array<T, N>& choices) {
    return choices[below(N)];
  }

 private:
  std::uint64_t state_;
};

}  // namespace plimsoll::sim

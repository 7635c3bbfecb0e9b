#include "daemon/core/jitter.hpp"

namespace plimsoll::core {

// splitmix64's finaliser over an FNV-1a hash.
double fraction(std::uint64_t seed, const std::string& service, std::uint64_t turn_number) {
  std::uint64_t hash = 14695981039346656037ULL ^ seed ^ (turn_number * 0x9E3779B97F4A7C15ULL);
  for (const char c : service) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBULL;
  return static_cast<double>((hash ^ (hash >> 31)) >> 11) / static_cast<double>(1ULL << 53);
}

}  // namespace plimsoll::core

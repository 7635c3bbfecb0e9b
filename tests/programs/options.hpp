// The command line of the test programs: words like `--rate 100`, read on demand.
#pragma once

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace programs {

/// A mistake of the test's author: says so and ends with 64, which no test expects.
[[noreturn]] inline void usage(const std::string& text) {
  std::fprintf(stderr, "test program: %s\n", text.c_str());
  std::exit(64);
}

inline long number(const std::string& text) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') usage("not a number: '" + text + "'");
  return value;
}

/// "TERM", "SIGTERM", "SIGRTMIN+1" or a number.
inline int signal_number(std::string name) {
  if (name.rfind("SIG", 0) == 0) name.erase(0, 3);
  if (name.rfind("RTMIN", 0) == 0) return SIGRTMIN + (name.size() > 6 ? static_cast<int>(number(name.substr(6))) : 0);
  for (int candidate = 1; candidate < SIGRTMIN; ++candidate) {
    const char* known = sigabbrev_np(candidate);
    if (known != nullptr && name == known) return candidate;
  }
  return static_cast<int>(number(name));
}

class Options {
 public:
  Options(int argc, char** argv) : words_(argv + 1, argv + argc) {}

  [[nodiscard]] bool has(const std::string& name) const {
    for (const auto& word : words_) {
      if (word == name) return true;
    }
    return false;
  }
  /// The word after the first `name`.
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = {}) const {
    for (std::size_t i = 0; i + 1 < words_.size(); ++i) {
      if (words_[i] == name) return words_[i + 1];
    }
    return otherwise;
  }
  [[nodiscard]] long integer(const std::string& name, long otherwise = 0) const {
    return has(name) ? number(text(name)) : otherwise;
  }

 private:
  std::vector<std::string> words_;
};

}  // namespace programs

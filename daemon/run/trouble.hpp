// Something that is wrong with us, comes and goes, and is looked at again and again: said when it begins, when it is
// called something else a minute later, every ten minutes while it lasts, and when it has been over for a while.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace plimsoll::run {

class Trouble {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// `over`: the sentence for its end.
  explicit Trouble(std::string over) : over_(std::move(over)) {}

  struct Said {
    bool bad = false;
    std::string sentence;
  };
  /// `wrong`: what is wrong now; empty: nothing is.
  std::optional<Said> look(const std::string& wrong, Time now);

 private:
  std::string over_;
  std::string said_;  ///< empty: nothing that is not over
  Time said_at_{};
  std::optional<Time> well_since_;
};

}  // namespace plimsoll::run

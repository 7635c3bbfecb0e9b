// Where a verb writes: data to stdout, talk to stderr.
#pragma once

#include <string_view>

#include "ctl/words.hpp"

namespace plimsoll::ctl {

class Console {
 public:
  Console();
  /// False: nobody reads any more, so stop quietly.
  bool put(std::string_view data);
  void say(std::string_view talk);
  [[nodiscard]] Look look() const;

 private:
  bool colour_ = false;
};

}  // namespace plimsoll::ctl

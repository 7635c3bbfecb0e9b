// Our controlling terminal, and who stands in its foreground: job control as a shell does it. tcsetpgrp(3).
#pragma once

#include <sys/types.h>

#include <optional>

#include "daemon/sys/fd.hpp"

namespace plimsoll::sys {

class Terminal {
 public:
  /// Nothing when we have none.
  static std::optional<Terminal> controlling();

  /// Close-on-exec.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Whether it is ours to give: our own group stands in the foreground, or the one that we gave it to.
  [[nodiscard]] bool is_ours() const;
  /// stdin and stdout are this terminal, none of them a pipe to somebody who may want it as well.
  [[nodiscard]] bool is_all_we_talk_to() const;
  /// Puts that group into the foreground; our own takes it back. SIGTTOU is blocked or ignored by the caller, for whom
  /// is in the background would be stopped by it.
  void give_to(pid_t group);
  /// That group was put there by itself.
  void given_to(pid_t group) { given_to_ = group; }

 private:
  explicit Terminal(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  pid_t given_to_ = 0;
};

}  // namespace plimsoll::sys

#include "daemon/sys/terminal.hpp"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace plimsoll::sys {

std::optional<Terminal> Terminal::controlling() {
  Fd fd(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  // A container can have a terminal and no /dev/tty.
  if (!fd && ::tcgetsid(STDIN_FILENO) == ::getsid(0)) fd = Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!fd) return std::nullopt;
  return Terminal(std::move(fd));
}

bool Terminal::is_ours() const {
  const pid_t foreground = ::tcgetpgrp(fd_.get());
  return foreground == ::getpgrp() || (given_to_ != 0 && foreground == given_to_);
}

bool Terminal::is_all_we_talk_to() const {
  return ::tcgetsid(STDIN_FILENO) == ::getsid(0) && ::tcgetsid(STDOUT_FILENO) == ::getsid(0);
}

void Terminal::give_to(pid_t group) {
  if (::tcsetpgrp(fd_.get(), group) == 0) given_to_ = group;
}

}  // namespace plimsoll::sys

#include "ctl/console.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

namespace plimsoll::ctl {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool wants_colour() {
  const char* no = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal && std::string_view(terminal) == "dumb";
  return ::isatty(STDOUT_FILENO) == 1 && !(no && *no) && !dumb;
}

}  // namespace

Console::Console() : colour_(wants_colour()) {
  // `plimsollctl events | head -1` ends quietly: the failed write is seen in put().
  std::signal(SIGPIPE, SIG_IGN);
}

bool Console::put(std::string_view data) {
  return write_all(STDOUT_FILENO, data);
}

void Console::say(std::string_view talk) {
  write_all(STDERR_FILENO, "plimsollctl: " + std::string(talk) + "\n");
}

Look Console::look() const {
  return {colour_, std::chrono::system_clock::now()};
}

}  // namespace plimsoll::ctl

#include "daemon/run/forwarding.hpp"

#include <charconv>
#include <csignal>

#include "config/plan/units.hpp"

namespace plimsoll::run {
namespace {

/// Neither can be caught, and sending them instead of another one would take the command its say.
bool is_absolute(int signal) {
  return signal == SIGKILL || signal == SIGSTOP;
}

/// Nothing when it is not understood.
bool read_rewrite(std::string_view text, std::map<int, int>& into) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto from = read_signal(text.substr(0, colon));
  const std::string_view wanted = text.substr(colon + 1);
  const auto to = wanted == "0" ? Read<int>{0} : read_signal(wanted);
  const int* one = std::get_if<int>(&from);
  const int* other = std::get_if<int>(&to);
  if (one == nullptr || other == nullptr || is_absolute(*one) || is_absolute(*other) || *one == SIGCHLD) return false;
  into[*one] = *other;
  return true;
}

bool read_code(std::string_view text, std::set<int>& into) {
  int code = -1;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), code);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || code < 0 || code > 255) return false;
  into.insert(code);
  return true;
}

}  // namespace

int Forwarding::rewritten(int signal) const {
  const auto found = rewrite.find(signal);
  return found == rewrite.end() ? signal : found->second;
}

std::variant<Forwarding, std::string> read_forwarding(const std::vector<std::string>& rewrites,
                                                      const std::vector<std::string>& exit_ok, bool to_group) {
  Forwarding forwarding;
  forwarding.to_group = to_group;
  for (const std::string& text : rewrites) {
    if (read_rewrite(text, forwarding.rewrite)) continue;
    return "--rewrite takes SIGNAL:SIGNAL, or SIGNAL:0 to drop it, and neither KILL, STOP nor CHLD; not '" + text + "'";
  }
  for (const std::string& text : exit_ok) {
    if (!read_code(text, forwarding.exit_ok)) return "--exit-ok takes exit codes from 0 to 255, not '" + text + "'";
  }
  return forwarding;
}

}  // namespace plimsoll::run

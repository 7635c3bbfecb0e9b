// Signals by name. The real-time ones are counted from SIGRTMIN, which the C library moves up for its own use,
// so 32 and 33 have no name here and are refused.
#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>

#include "config/plan/units.hpp"

namespace plimsoll {
namespace {

struct Named {
  std::string_view name;
  int number;
};
// Where two names share a number (SIGIOT, SIGPOLL, SIGCLD), the first is the one that is shown.
constexpr std::array<Named, 34> names{
    {{"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"ILL", SIGILL},   {"TRAP", SIGTRAP},
     {"ABRT", SIGABRT}, {"BUS", SIGBUS},       {"FPE", SIGFPE},   {"KILL", SIGKILL}, {"USR1", SIGUSR1},
     {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},     {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},
     {"STKFLT", 16},    {"CHLD", SIGCHLD},     {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},
     {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},   {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
     {"PROF", SIGPROF}, {"VTALRM", SIGVTALRM}, {"WINCH", 28},     {"IO", SIGIO},     {"PWR", 30},
     {"SYS", SIGSYS},   {"IOT", SIGABRT},      {"POLL", SIGIO},   {"CLD", SIGCHLD}}};

int whole_number(std::string_view text) {
  int number = -1;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() ? number : -1;
}

/// "+3" → 3, "" → 0 for the sign asked for; -1 for anything else.
int offset_of(std::string_view text, char sign) {
  if (text.empty()) return 0;
  return text.size() > 1 && text.front() == sign ? whole_number(text.substr(1)) : -1;
}

bool has_name(int number) {
  if (number >= SIGRTMIN && number <= SIGRTMAX) return true;
  return std::any_of(names.begin(), names.end(), [number](const Named& named) { return named.number == number; });
}

int number_of(std::string_view text) {
  if (const int number = whole_number(text); number >= 0) return number;
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (const Named& named : names) {
    if (named.name == text) return named.number;
  }
  const int span = SIGRTMAX - SIGRTMIN;
  if (text.starts_with("RTMIN")) {
    const int offset = offset_of(text.substr(5), '+');
    return offset >= 0 && offset <= span ? SIGRTMIN + offset : -1;
  }
  if (text.starts_with("RTMAX")) {
    const int offset = offset_of(text.substr(5), '-');
    return offset >= 0 && offset <= span ? SIGRTMAX - offset : -1;
  }
  return -1;
}

}  // namespace

Read<int> read_signal(std::string_view text) {
  const int number = number_of(text);
  if (!has_name(number)) return Misread{"must be a signal such as SIGTERM or SIGRTMIN+1"};
  return number;
}

std::string signal_name(int number) {
  for (const Named& named : names) {
    if (named.number == number) return "SIG" + std::string{named.name};
  }
  if (number == SIGRTMIN) return "SIGRTMIN";
  if (number > SIGRTMIN && number <= SIGRTMAX) return "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
  return "signal " + std::to_string(number);
}

}  // namespace plimsoll

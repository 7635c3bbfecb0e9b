#include "daemon/run/foreign_exit.hpp"

#include <unistd.h>

#include <array>
#include <string>

namespace plimsoll::run {
namespace {

/// The kernel shows the exit code of stat to whom it would also show the process's namespaces, and 0 to all others.
bool may_see_exit_code(pid_t pid) {
  std::array<char, 64> target;
  const std::string link = "/proc/" + std::to_string(pid) + "/ns/user";
  return ::readlink(link.c_str(), target.data(), target.size()) >= 0 || (errno != EACCES && errno != EPERM);
}

}  // namespace

ForeignExit look_at_foreign_exit(const sys::ProcFs& proc, core::ProcessId id, const sys::Fd& pidfd, bool read_status) {
  ForeignExit found;
  const auto stat = proc.stat(id.pid);
  if (!stat && proc.cannot_say(stat.error())) {
    // Unread is not reaped. The newest kernels tell by the pidfd; elsewhere it is asked about again.
    const auto status = sys::exit_status_of_reaped(pidfd);
    found.reaped = status.has_value();
    if (read_status) found.status = status;
    return found;
  }
  found.reaped = !stat || stat->start_time != id.start_time;
  if (!read_status) return found;
  if (found.reaped) {
    found.status = sys::exit_status_of_reaped(pidfd);
  } else if (stat->state == 'Z' && stat->exit_code && (*stat->exit_code != 0 || may_see_exit_code(id.pid))) {
    found.status = sys::from_wait_word(*stat->exit_code);
  }
  return found;
}

}  // namespace plimsoll::run

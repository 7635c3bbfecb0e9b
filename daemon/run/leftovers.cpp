#include "daemon/run/leftovers.hpp"

#include <unistd.h>

namespace plimsoll::run {

core::LeftoversLookedFor Leftovers::look(const std::string& service, std::optional<uid_t> user) const {
  core::LeftoversLookedFor looked;
  looked.service = service;
  const auto listed = proc_.list();
  if (!sources_.environ || !listed) return looked;
  const std::set<pid_t> spared = ourselves_and_ancestors();
  for (const auto& entry : *listed) {
    if (spared.contains(entry.pid)) continue;
    const auto tag = tag_of(entry.pid, service, user);
    if (!tag) continue;
    const auto stat = proc_.stat(entry.pid);
    if (!stat || stat->state == 'Z') continue;
    looked.found.push_back({{entry.pid, stat->start_time}, stat->comm, tag->run, tag->life.process.pid});
  }
  return looked;
}

sys::error_code Leftovers::signal(const core::SignalLeftover& effect, std::optional<uid_t> user) const {
  if (!sources_.environ || ourselves_and_ancestors().contains(effect.to.pid)) return sys::error_of(ESRCH);
  const auto pidfd = sys::open_pidfd(effect.to.pid);
  if (!pidfd) return pidfd.error();
  const auto tag = tag_of(effect.to.pid, effect.service, user);
  const auto stat = proc_.stat(effect.to.pid);
  if (!tag || !stat || stat->start_time != effect.to.start_time) return sys::error_of(ESRCH);
  return sys::send_signal(*pidfd, effect.signal);
}

/// The tag of a leftover of that service; nothing if it is none.
std::optional<RunTag> Leftovers::tag_of(pid_t pid, const std::string& service, std::optional<uid_t> user) const {
  const auto uid = proc_.uid(pid);
  if (!uid || (*uid != ::getuid() && uid_t{*uid} != user)) return std::nullopt;
  const auto environment = proc_.environ(pid);
  auto tag = environment ? find_run_tag(*environment) : std::nullopt;
  if (!tag || tag->service != service) return std::nullopt;
  Life expected = life_;
  expected.process = tag->life.process;
  if (tag->life != expected || is_alive(tag->life.process)) return std::nullopt;
  return tag;
}

bool Leftovers::is_alive(core::ProcessId daemon) const {
  const auto stat = proc_.stat(daemon.pid);
  return stat && stat->start_time == daemon.start_time && stat->state != 'Z' && stat->state != 'X';
}

std::set<pid_t> Leftovers::ourselves_and_ancestors() const {
  std::set<pid_t> spared;
  for (pid_t pid = ::getpid(); pid > 0 && spared.insert(pid).second;) {
    const auto stat = proc_.stat(pid);
    if (!stat) break;
    pid = stat->ppid;
  }
  return spared;
}

}  // namespace plimsoll::run

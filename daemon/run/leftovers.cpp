#include "daemon/run/leftovers.hpp"

#include <unistd.h>

#include <algorithm>

namespace plimsoll::run {

namespace {

constexpr std::chrono::milliseconds a_moment{50};
constexpr std::chrono::seconds a_while{2};

}  // namespace

core::LeftoversLookedFor Leftovers::look(const std::string& service, std::optional<uid_t> user) {
  core::LeftoversLookedFor looked;
  looked.service = service;
  if (!sources_.environ) return looked;
  const std::vector<Tagged>& all = tagged(user);
  looked.readable = readable_;
  for (const Tagged& one : all) {
    const auto tag = one.tag.service == service ? tag_of(one.pid, service, user) : std::nullopt;
    if (!tag) continue;
    const auto stat = proc_.stat(one.pid);
    if (!stat || stat->state == 'Z') continue;
    looked.found.push_back({{one.pid, stat->start_time}, stat->comm, tag->run, tag->life.process.pid});
  }
  return looked;
}

const std::vector<Leftovers::Tagged>& Leftovers::tagged(std::optional<uid_t> user) {
  if (!is_recent(user)) walk();
  read_tags(::getuid());
  if (user) read_tags(*user);
  return tagged_;
}

bool Leftovers::is_recent(std::optional<uid_t> user) const {
  // Who was listed and not read may have left another one behind since.
  const bool all_read = !unread_.contains(::getuid()) && !(user && unread_.contains(*user));
  const bool nobody = all_read && readable_ && tagged_.empty() && life_.process.start_time != 0;
  const auto age = std::chrono::steady_clock::now() - walked_at_;
  return nobody ? age < a_while : age < a_moment;
}

void Leftovers::walk() {
  tagged_.clear();
  unread_.clear();
  const auto listed = proc_.list();
  const std::set<pid_t> spared = listed ? ourselves_and_ancestors() : std::set<pid_t>{};
  readable_ = listed && std::any_of(listed->begin(), listed->end(),
                                    [](const sys::Listed& entry) { return entry.pid == ::getpid(); });
  for (const auto& entry : listed ? *listed : std::vector<sys::Listed>{}) {
    if (spared.contains(entry.pid)) continue;
    const auto uid = proc_.uid(entry.pid);
    if (uid) unread_[*uid].push_back(entry.pid);
    if (!uid && sys::is_shortage(uid.error())) readable_ = false;
  }
  walked_at_ = std::chrono::steady_clock::now();
}

void Leftovers::read_tags(uid_t of) {
  const auto found = unread_.extract(of);
  if (!found) return;
  for (const pid_t pid : found.mapped()) {
    const auto environment = proc_.environ(pid);
    if (!environment && sys::is_shortage(environment.error())) readable_ = false;
    auto tag = environment ? find_run_tag(*environment) : std::nullopt;
    const bool is_anothers = tag && tag->life.daemon == life_.daemon && tag->life.process != life_.process;
    if (is_anothers) tagged_.push_back({pid, std::move(*tag)});
  }
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

#include "daemon/run/members.hpp"

#include <array>
#include <csignal>
#include <utility>

namespace plimsoll::run {
namespace {

// What the watch hands back: pid and start time in one word. Linux gives out no pid of more than 22 bits; the 42 that
// are left count the ticks of a thousand years. A helper has 0 for its start time.
constexpr int pid_bits = 22;

std::uint64_t key_of(core::ProcessId id) {
  return id.start_time << pid_bits | static_cast<std::uint64_t>(id.pid);
}
core::ProcessId id_of(std::uint64_t key) {
  return {static_cast<int>(key & ((std::uint64_t{1} << pid_bits) - 1)), key >> pid_bits};
}

}  // namespace

Members::Members(Loop& loop, sys::ProcFs proc, Sources sources, Dispatch dispatch, sys::GroupOomKills group_kills)
    : loop_(loop),
      proc_(std::move(proc)),
      sources_(sources),
      dispatch_(std::move(dispatch)),
      ends_(loop, [this](WatchSet::Key key) { on_readable(key); }),
      alarm_(loop),
      sweep_alarm_(loop),
      here_(std::make_shared<bool>(true)),
      counts_(proc_, std::move(group_kills)) {}

Members::~Members() = default;

sys::error_code Members::add(core::ProcessId id, sys::Fd&& pidfd, bool own_child) {
  if (table_.find(id) != nullptr) return sys::error_of(EEXIST);
  if (const auto error = watch(pidfd, id)) return error;
  Member& member = table_[id];
  member.id = id;
  member.pidfd = std::move(pidfd);
  member.own_child = own_child;
  if (!own_child) return {};
  last_spawned_ = id;
  last_spawn_told_ = false;
  return {};
}

void Members::forget(core::ProcessId id) {
  Member* member = table_.find(id);
  if (member == nullptr) return;
  unwatch(*member);
  waiting_.erase(id);
  table_.erase(id);
}

void Members::note_fork_told(core::ProcessId id) {
  if (Member* member = table_.find(id)) member->fork_told = true;
  if (id == last_spawned_) last_spawn_told_ = true;
}

const Member* Members::find(core::ProcessId id) const {
  return table_.find(id);
}

/// Who has the pid, until it is reaped.
Member* Members::holder_of(int pid) const {
  Member* last = table_.find_last(pid);
  return last == nullptr || last->reaped ? nullptr : last;
}

const Member* Members::find_alive(int pid) const {
  const Member* holder = holder_of(pid);
  return holder == nullptr || holder->ended ? nullptr : holder;
}

const Member* Members::find_last(int pid) const {
  return table_.find_last(pid);
}

bool Members::is_our_child(pid_t pid) const {
  const Member* holder = holder_of(pid);
  if (holder == nullptr) return is_helper(pid);
  // A pid of our own fork is its own until we reap it; another's, as long as it lives.
  return holder->own_child || (!holder->ended && !sys::has_ended(holder->pidfd));
}

void Members::for_each(const std::function<void(const Member&)>& act) const {
  for (const auto& [id, member] : table_) act(*member);
}

sys::error_code Members::send_signal(core::ProcessId id, int signal) {
  Member* const found = table_.find(id);
  if (found == nullptr) return sys::error_of(ESRCH);
  Member& member = *found;
  // A zombie would take the signal without effect, and then it would be said that we killed it.
  if (member.ended || sys::has_ended(member.pidfd)) return sys::error_of(ESRCH);
  // The pidfd of our own fork came with it.
  if (!member.checked_ && !member.own_child) {
    const auto stat = proc_.stat(id.pid);
    if (stat ? stat->start_time != id.start_time : !proc_.cannot_say(stat.error())) return sys::error_of(ESRCH);
    // Where /proc cannot be read the pidfd vouches alone: it was opened before the start time was read, and lives.
    member.checked_ = stat.has_value();
  }
  const auto error = sys::send_signal(member.pidfd, signal);
  if (!error && signal == SIGKILL) member.killed_by_us = true;
  return error;
}

sys::error_code Members::watch(const sys::Fd& pidfd, core::ProcessId key) {
  return ends_.add(pidfd.get(), key_of(key));
}

/// Again for one that is not watched any more: nothing.
void Members::unwatch(Member& member) {
  if (std::exchange(member.watched_, false)) ends_.remove(member.pidfd.get());
}

void Members::take_ends() {
  ends_.take();
}

void Members::on_readable(WatchSet::Key key) {
  const core::ProcessId id = id_of(key);
  if (id.start_time == 0) {
    end_helper(id.pid);
  } else if (Member* member = table_.find(id); member != nullptr && !member->reaped) {
    if (!look_for_end(*member)) unwatch(*member);
  }
}

}  // namespace plimsoll::run

#include "daemon/run/census.hpp"

#include <unistd.h>

#include <algorithm>

namespace plimsoll::run {
namespace {

/// Parents that end while their child is looked at; then the child is read again.
constexpr int most_tries = 8;
/// Readings of our own children until all of them are known.
constexpr int most_rounds = 4;
/// Whatever the last pid says.
constexpr std::chrono::seconds walk_at_least_every{10};

}  // namespace

Census::Census(Members& members, sys::ProcFs proc, Sources sources, Life life, Feed* feed)
    : members_(members),
      proc_(std::move(proc)),
      sources_(sources),
      life_(std::move(life)),
      self_(::getpid()),
      children_(proc_),
      feed_(feed) {}

core::Looked Census::look() {
  core::Looked looked;
  look_began_ = std::chrono::steady_clock::now();
  unwatchable_ = false;
  trouble_.clear();
  must_look_ = false;
  members_.counts().watch();
  take_news(looked);
  const bool same = nothing_was_forked();
  const bool listed = same || walk(looked);
  // Nothing can be concluded of those who were not listed.
  looked.everybody = listed;
  looked.complete = (same && all_stay_known()) || (all_children_known(looked) && listed);
  reread_members(looked);
  if (unwatchable_) {
    looked.complete = false;
    if (trouble_.empty()) trouble_ = "processes cannot be watched: " + why_unwatchable_;
  }
  all_known_ = looked.complete;
  return looked;
}

/// Who forks has a pid before it can be listed, so the walk that sees a new last pid is followed by one more.
bool Census::nothing_was_forked() {
  const auto last = proc_.last_pid();
  const bool same = last && last == last_pid_;
  if (!same) walks_alike_ = 0;
  last_pid_ = last;
  return same && walks_alike_ >= 2 && look_began_ - walked_at_ < walk_at_least_every;
}

/// While nobody is forked: who becomes our child was below one before, and is known with him. Not so who was below a
/// helper, nor, where we are the first process of a container, below what was put into it from outside.
bool Census::all_stay_known() const {
  return all_known_ && self_ != 1 && !members_.had_helpers();
}

bool Census::walk(core::Looked& looked) {
  const auto listed = proc_.list();
  // A listing without us is that of something else.
  const bool of_us = listed && std::any_of(listed->begin(), listed->end(),
                                           [this](const sys::Listed& entry) { return entry.pid == self_; });
  if (!of_us) {
    walks_alike_ = 0;
    trouble_ = "/proc cannot be listed: " + (listed ? "it does not even show us" : listed.error().message());
    return false;
  }
  collect_newcomers(*listed);
  take_news(looked);
  place_newcomers(looked);
  known_.erase_if([](const Known& known) { return !known.listed; });
  ours_.erase_if([this](const core::ProcessId& id) { return members_.find(id) == nullptr; });
  walked_at_ = look_began_;
  walks_alike_ = unwatchable_ ? 0 : walks_alike_ + 1;
  return true;
}

void Census::watch(core::ProcessId id, bool on) {
  if (on) {
    watched_.insert(id);
  } else {
    watched_.erase(id);
  }
}

void Census::collect_newcomers(const std::vector<sys::Listed>& listed) {
  for (Known& known : known_) known.listed = false;
  auto next = known_.begin();
  for (const auto& entry : listed) {
    // The kernel lists by pid: it is the next one nearly always.
    if (next == known_.end() || next->pid != entry.pid) next = known_.place_of(entry.pid);
    if (next != known_.end() && next->pid == entry.pid && next->inode == entry.inode) {
      (next++)->listed = true;
      continue;
    }
    if (entry.pid == self_) continue;
    if (const auto stat = proc_.stat(entry.pid)) {
      newcomers_[entry.pid] = Newcomer{entry.inode, *stat};
    } else {
      unreadable(stat.error());
    }
  }
}

/// It has ended, or it is there and cannot be looked at now: then this look is not complete, and the next one tries
/// again.
Census::Placed Census::unreadable(const sys::error_code& error) {
  return proc_.cannot_say(error) ? unwatchable(error) : Placed::gone;
}

Census::Placed Census::unwatchable(const sys::error_code& error) {
  unwatchable_ = true;
  why_unwatchable_ = error.message();
  return Placed::gone;
}

/// Until nothing more can be placed: each turn places at least one, or all that are left are read again a bounded
/// number of times.
void Census::place_newcomers(core::Looked& looked) {
  for (bool progress = true; progress && !newcomers_.empty();) {
    progress = false;
    std::vector<pid_t> pids;
    for (const auto& [pid, newcomer] : newcomers_) pids.push_back(pid);
    for (const pid_t pid : pids) {
      Newcomer& newcomer = newcomers_.at(pid);
      const int tries = newcomer.tries;
      const std::size_t before = newcomers_.size();
      const Placed placed = place(pid, newcomer, looked);
      progress = progress || placed != Placed::waits || newcomer.tries != tries || newcomers_.size() != before;
      if (placed != Placed::waits) newcomers_.erase(pid);
    }
  }
  newcomers_.clear();
}

Census::Placed Census::place(pid_t pid, Newcomer& newcomer, core::Looked& looked) {
  if (const Member* member = members_.find({pid, newcomer.stat.start_time})) {
    remember(pid, newcomer, false);
    // Spawned by us, and seen now for the first time: the core knows of it, but not what it runs.
    if (told_.find(member->id) == nullptr && !member->ended) looked.changed.push_back(sight(*member, newcomer.stat));
    return Placed::done;
  }
  if (members_.is_helper(pid)) {
    remember(pid, newcomer, true);
    return Placed::done;
  }
  const pid_t ppid = newcomer.stat.ppid;
  if (ppid == self_ || members_.find_alive(ppid) != nullptr) return record(pid, newcomer, looked);
  return place_by_parent(pid, newcomer);
}

/// Its parent is no member: then it is foreign if that one is, and else the parent is placed first.
Census::Placed Census::place_by_parent(pid_t pid, Newcomer& newcomer) {
  const pid_t ppid = newcomer.stat.ppid;
  if (newcomers_.contains(ppid)) return Placed::waits;
  const Known* parent = known_.find(ppid);
  const bool known = parent != nullptr;
  if (ppid == 0 || (known && parent->foreign)) {
    remember(pid, newcomer, true);
    return Placed::done;
  }
  const Placed placed = read_again(pid, newcomer);
  // The same parent still, so that one lives, and was forked since the listing.
  if (placed == Placed::waits && newcomer.stat.ppid == ppid && !known) {
    if (const auto stat = proc_.stat(ppid)) newcomers_[ppid] = Newcomer{0, *stat};
  }
  return placed;
}

/// Its parent may have ended meanwhile; then it has another one.
Census::Placed Census::read_again(pid_t pid, Newcomer& newcomer) {
  if (++newcomer.tries > most_tries) return Placed::gone;
  const auto stat = proc_.stat(pid);
  if (!stat) return unreadable(stat.error());
  newcomer.stat = *stat;
  return Placed::waits;
}

/// Law 1: the pidfd first; then who it is and whose child, which the pidfd vouches for; then that this parent is the
/// one recorded.
Census::Placed Census::record(pid_t pid, Newcomer& newcomer, core::Looked& looked) {
  auto pidfd = sys::open_pidfd(pid);
  if (!pidfd) return pidfd.error().value() == ESRCH ? Placed::gone : unwatchable(pidfd.error());
  const auto stat = proc_.stat(pid);
  if (!stat) return unreadable(stat.error());
  if (stat->start_time != newcomer.stat.start_time) return Placed::gone;
  const bool ours = stat->ppid == self_;
  if (!ours && !is_recorded_parent(stat->ppid)) return read_again(pid, newcomer);
  // A dead child of ours that nobody has seen alive is the sweep's.
  if (ours && sys::has_ended(*pidfd)) return Placed::gone;
  if (ours) {
    // Who forked it may have been told since the listing was read.
    take_news(looked);
    if (members_.find({pid, stat->start_time}) != nullptr) return place(pid, newcomer, looked);
  }
  const core::ProcessId id{pid, stat->start_time};
  if (const auto error = members_.add(id, std::move(*pidfd), false)) return unwatchable(error);
  remember(pid, newcomer, false);
  ours_.put(id);
  looked.fresh.push_back(sight(*members_.find(id), *stat));
  return Placed::done;
}

/// Asked after a child's stat named that pid: it was the member's then if the member lives still, or is a zombie that
/// keeps its pid.
bool Census::is_recorded_parent(pid_t ppid) const {
  const Member* member = members_.find_alive(ppid);
  if (member == nullptr) return false;
  if (!sys::has_ended(member->pidfd)) return true;
  const auto stat = proc_.stat(ppid);
  return stat && stat->start_time == member->id.start_time;
}

void Census::remember(pid_t pid, const Newcomer& newcomer, bool foreign) {
  known_.put(Known{.pid = pid, .foreign = foreign, .inode = newcomer.inode});
}

bool Census::all_children_known(core::Looked& looked) {
  for (int round = 0; round < most_rounds; ++round) {
    bool all = true;
    const auto children = own_children();
    if (!children) return false;
    for (const pid_t pid : *children) {
      if (members_.is_our_child(pid)) continue;
      const auto stat = proc_.stat(pid);
      if (stat && members_.find({pid, stat->start_time}) != nullptr) continue;
      all = false;
      if (stat) newcomers_[pid] = Newcomer{0, *stat};
    }
    if (all) return true;
    take_news(looked);
    place_newcomers(looked);
    // Dead ones that nobody recorded would stand there for ever.
    members_.sweep();
  }
  return false;
}

bool Census::all_our_own_known() {
  if (must_look_) return false;
  const auto children = is_told_of_clones() ? children_.orphans() : children_.all();
  return children &&
         std::all_of(children->begin(), children->end(), [this](pid_t pid) { return members_.is_our_child(pid); });
}

/// The connector can fall silent without an error (an event for which the kernel had no memory; another listener that
/// switched it off): it is believed while it has told of what we forked last.
bool Census::is_told_of_clones() const {
  return feed_ != nullptr && feed_->works() && members_.is_last_spawn_told();
}

/// Nothing: that cannot be read.
std::optional<std::vector<pid_t>> Census::own_children() {
  if (auto children = children_.all()) return std::move(*children);
  // A kernel without the children files: everybody is asked for his parent, which is slow and no proof, but all there
  // is.
  std::vector<pid_t> children;
  const auto listed = proc_.list();
  if (!listed) return std::nullopt;
  bool of_us = false;
  for (const auto& entry : *listed) {
    const auto stat = proc_.stat(entry.pid);
    of_us = of_us || entry.pid == self_;
    if (!stat && proc_.cannot_say(stat.error())) return std::nullopt;
    if (stat && stat->ppid == self_) children.push_back(entry.pid);
  }
  if (!of_us) return std::nullopt;
  return children;
}

}  // namespace plimsoll::run

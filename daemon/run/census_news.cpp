// What the process connector tells of the trees. Its news come in the order in which things happened (a fork is told
// before the child has run for the first time), so at each point of them it is known which pid is whose: `ours_`. A pid
// that is given out again is told of by another fork, and then means another process.
//
// A fork is a hint: the child is opened, pidfd first, and its start time shows whether it is the one that was told of.
// If it is gone by then, it is kept as an unseen one until the news that are there have been taken: its children's
// forks are among them, and how it ended. It is told of when a living process descends from it, and else not at all.
#include <algorithm>
#include <utility>

#include "daemon/run/census.hpp"
#include "daemon/run/start_time.hpp"

namespace plimsoll::run {
namespace {

/// Bounds of one taking, for a machine that forks faster than we can look.
constexpr int most_takings = 8;
/// Between a child's start time and its fork's event its forker can be held up.
constexpr std::uint64_t held_up_seconds = 5;

/// Whether a process with that start time can be the one whose fork was told at `at`: a later one of the same pid
/// started later.
bool is_told_one(std::uint64_t start_time, std::uint64_t at) {
  return start_time <= at + 1;
}

core::Exit to_exit(const sys::WaitStatus& status) {
  core::Exit exit;
  exit.kind = status.signaled ? core::ExitKind::signaled : core::ExitKind::exited;
  exit.code = status.code;
  exit.signal = status.signal;
  exit.at = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return exit;
}

core::Sighting* find_in(std::vector<core::Sighting>& list, core::ProcessId id) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.id == id; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

core::Looked Census::take_news() {
  core::Looked looked;
  looked.everybody = false;
  looked.complete = false;
  look_began_ = std::chrono::steady_clock::now();
  take_news(looked);
  return looked;
}

void Census::take_news(core::Looked& looked) {
  if (feed_ == nullptr) return;
  bool more = true;
  for (int taking = 0; more && taking < most_takings; ++taking) {
    const auto news = feed_->take();
    // The kernel tells nothing more until all that came before a loss has been taken: what is missing comes after it.
    const bool at_a_loss = news.lost || loss_ahead_;
    loss_ahead_ = at_a_loss && news.more;
    if (at_a_loss) begin_news_again();
    for (const sys::ProcessNews& one : news.events) {
      if (const auto* forked = std::get_if<sys::Forked>(&one.what)) take(*forked, start_time_at(one.at), looked);
      if (const auto* exited = std::get_if<sys::Exited>(&one.what)) take(*exited, looked);
      if (const auto* execed = std::get_if<sys::Execed>(&one.what)) note_exec(execed->process);
      if (const auto* made = std::get_if<sys::SessionMade>(&one.what)) note_session(made->process);
    }
    if (at_a_loss && !news.more)
      members_.for_each([this](const Member& member) { members_.note_fork_told(member.id); });
    // How somebody ended who was found gone just now is behind the fork that told of him, and is there by now.
    more = news.more || std::exchange(found_gone_, false);
  }
  reread_named(looked);
  // All that the unseen ones did has been told by now, or there is more to come.
  if (more || unseen_.empty()) return;
  ours_.erase_if([this](const core::ProcessId& id) { return unseen_.contains(id); });
  unseen_.clear();
}

/// Something is missing: what is known is what lives, and a look finds the rest.
void Census::begin_news_again() {
  must_look_ = true;
  ours_.clear();
  unseen_.clear();
  members_.for_each([this](const Member& member) {
    if (!member.ended && !sys::has_ended(member.pidfd)) ours_.put(member.id);
  });
}

void Census::take(const sys::Forked& forked, std::uint64_t at, core::Looked& looked) {
  const core::ProcessId* parent = ours_.find(forked.parent);
  const bool below_member = parent != nullptr && is_told_one(parent->start_time, at);
  const core::ProcessId forker = below_member ? *parent : core::nobody;
  if (is_known_child(forked.child, at, forker, looked)) return;
  ours_.erase(forked.child);
  if (below_member) record_forked(forked.child, at, forker, looked);
  // Not forked by us, so one of our children has cloned itself a sister, and may be gone before she is: a look finds
  // her.
  if (forked.parent == self_ && !members_.is_helper(forked.child)) must_look_ = true;
}

/// Spawned by us, or found by a walk that was ahead of the news: then who forked it is said still, if nobody has been
/// told of it yet. Each fork is told once, so another one of a dead member's pid made another process, however soon.
bool Census::is_known_child(pid_t pid, std::uint64_t at, core::ProcessId forker, core::Looked& looked) {
  const Member* member = members_.find_last(pid);
  if (member == nullptr || !is_told_one(member->id.start_time, at)) return false;
  const bool lives = !member->ended && !sys::has_ended(member->pidfd);
  const bool too_late = member->id.start_time + held_up_seconds * ticks_per_second() < at;
  if (!lives && (too_late || member->fork_told)) return false;
  members_.note_fork_told(member->id);
  ours_.put(member->id);
  core::Sighting* sighting = find_in(looked.fresh, member->id);
  if (sighting == nullptr || forker == core::nobody) return true;
  sighting->forker = forker;
  tell_unseen(forker, looked);
  return true;
}

void Census::record_forked(pid_t pid, std::uint64_t at, core::ProcessId forker, core::Looked& looked) {
  auto pidfd = sys::open_pidfd(pid);
  // Out of descriptors: the walk will find it, or say so.
  if (!pidfd && pidfd.error().value() != ESRCH) return;
  const auto stat = pidfd ? proc_.stat(pid) : sys::Result<sys::Stat>{pidfd.error()};
  if (!stat && proc_.cannot_say(stat.error())) return;
  if (!stat || !is_told_one(stat->start_time, at)) {
    ours_.put({pid, at});
    return note_unseen({pid, at}, forker);
  }
  const core::ProcessId id{pid, stat->start_time};
  if (members_.add(id, std::move(*pidfd), false)) return;
  members_.note_fork_told(id);
  ours_.put(id);
  tell_unseen(forker, looked);
  looked.fresh.push_back(sight(*members_.find(id), *stat, forker));
}

void Census::note_unseen(core::ProcessId id, core::ProcessId forker) {
  found_gone_ = true;
  Unseen unseen;
  unseen.forker = forker;
  if (const auto above = unseen_.find(forker); above != unseen_.end()) {
    unseen.session = above->second.session;
    unseen.command = above->second.command;
  } else if (const Told* told = told_.find(forker)) {
    unseen.session = told->session;
    unseen.command = told->command.line();
  }
  unseen_.insert_or_assign(id, std::move(unseen));
}

/// With those above it, uppermost first.
void Census::tell_unseen(core::ProcessId id, core::Looked& looked) {
  const auto found = unseen_.find(id);
  if (found == unseen_.end() || found->second.told) return;
  found->second.told = true;
  tell_unseen(found->second.forker, looked);
  core::Sighting sighting;
  sighting.id = id;
  sighting.forker = found->second.forker;
  sighting.unseen = true;
  sighting.state = 'X';
  sighting.session = found->second.session;
  sighting.command = found->second.command;
  sighting.exit = found->second.exit;
  sighting.age = age_of(id.start_time);
  looked.fresh.push_back(std::move(sighting));
}

/// Believed of one that is known to be gone, and of nobody else.
void Census::take(const sys::Exited& exited, core::Looked& looked) {
  const core::ProcessId* of_pid = ours_.find(exited.process);
  if (of_pid == nullptr || !sources_.exit_info) return;
  const auto found = unseen_.find(*of_pid);
  if (found == unseen_.end()) return;
  found->second.exit = to_exit(exited.status);
  if (core::Sighting* sighting = find_in(looked.fresh, found->first)) sighting->exit = found->second.exit;
}

void Census::note_exec(pid_t pid) {
  const core::ProcessId* of_pid = ours_.find(pid);
  if (of_pid == nullptr) return;
  if (const auto found = unseen_.find(*of_pid); found != unseen_.end()) {
    found->second.command = {};
    found->second.exit.reset();
  } else {
    named_.insert(*of_pid);
  }
}

void Census::note_session(pid_t pid) {
  const core::ProcessId* of_pid = ours_.find(pid);
  if (of_pid == nullptr) return;
  if (const auto found = unseen_.find(*of_pid); found != unseen_.end()) {
    found->second.session = pid;
  } else {
    named_.insert(*of_pid);
  }
}

/// A program or a session that changed. Of one that is told of for the first time now, its sighting is made anew.
void Census::reread_named(core::Looked& looked) {
  for (const core::ProcessId& id : std::exchange(named_, {})) {
    const Member* member = members_.find(id);
    Told* told = told_.find(id);
    if (member == nullptr || member->ended || told == nullptr) continue;
    core::Looked reread_now;
    told->as_forked = true;
    reread(*member, *told, reread_now);
    for (core::Sighting& changed : reread_now.changed) {
      core::Sighting* fresh = find_in(looked.fresh, id);
      if (fresh == nullptr) {
        looked.changed.push_back(std::move(changed));
      } else {
        changed.forker = fresh->forker;
        *fresh = std::move(changed);
      }
    }
  }
}

}  // namespace plimsoll::run

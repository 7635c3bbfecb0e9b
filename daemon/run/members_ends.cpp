// Ends: who reaps, how it is learnt how a process ended, and asking again.
#include <algorithm>
#include <csignal>
#include <utility>
#include <vector>

#include "daemon/run/foreign_exit.hpp"
#include "daemon/run/members.hpp"

namespace plimsoll::run {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int sweep_per_turn = 256;
constexpr milliseconds before_a_sweep{5};
constexpr milliseconds first_pause{10};
constexpr milliseconds last_quick_pause{100};
constexpr milliseconds slow_pause{1'000};
/// An engine is "reaped in time" or "a zombie" by a second: until well after that it is asked often.
constexpr milliseconds quick_for{2'000};

WallTime wall_now() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

/// Whether it was reaped by us, now.
bool Members::look_for_end(Member& member) {
  const auto reaped = sys::reap(member.pidfd);
  if (reaped && *reaped && !(*reaped)->gone) {
    tell_reaped(member, (*reaped)->status);
    return true;
  }
  if (reaped && !*reaped) {
    // Our child, and nothing to wait for: its tracer comes first. Dead for us only when it can be reaped.
    ask_later(member);
    return false;
  }
  look_at_anothers(member);
  return false;
}

void Members::look_at_anothers(Member& member) {
  const ForeignExit found = look_at_foreign_exit(proc_, member.id, member.pidfd, sources_.exit_info);
  if (found.reaped) {
    tell_reaped(member, found.status);
    return;
  }
  if (!member.ended) {
    member.ended = true;
    member.statm_ = sys::Fd();
    if (found.status) member.exit_ = to_exit(member, *found.status);
    dispatch_(core::ProcessEnded{member.id, exit_of(member), false});
  } else {
    learn_exit(member, found.status);
  }
  ask_later(member);
}

/// Nothing is left of it, whoever reaped it.
void Members::tell_reaped(Member& member, std::optional<sys::WaitStatus> status) {
  member.watched_ = false;  // a descriptor that is closed leaves the epoll set
  member.pidfd = sys::Fd();
  member.statm_ = sys::Fd();
  member.reaped = true;
  waiting_.erase(member.id);
  if (member.ended) {
    learn_exit(member, status);
    dispatch_(core::ProcessReaped{member.id, exit_of(member)});
    return;
  }
  member.ended = true;
  if (status) member.exit_ = to_exit(member, *status);
  dispatch_(core::ProcessEnded{member.id, exit_of(member), true});
}

std::optional<core::Exit> Members::exit_of(const Member& member) {
  return member.exit_ ? std::optional(*member.exit_) : std::nullopt;
}

void Members::learn_exit(Member& member, std::optional<sys::WaitStatus> status) {
  if (!status || member.exit_) return;
  member.exit_ = to_exit(member, *status);
  dispatch_(core::ExitRead{member.id, *member.exit_});
}

void Members::ask_later(Member& member) {
  const auto now = steady_clock::now();
  Waiting& waiting = waiting_[member.id];
  if (waiting.pause == milliseconds(0)) {
    waiting.pause = first_pause;
    waiting.asked_first = now;
  } else {
    waiting.pause = std::min(waiting.pause * 2, last_quick_pause);
  }
  if (now - waiting.asked_first > quick_for) waiting.pause = slow_pause;
  waiting.ask_again = now + waiting.pause;
  arm();
}

void Members::arm() {
  if (waiting_.empty()) return alarm_.cancel();
  auto next = Steady::max();
  for (const auto& [id, waiting] : waiting_) next = std::min(next, waiting.ask_again);
  alarm_.set(next, [this] { ask_again(); });
}

void Members::ask_again() {
  const auto now = steady_clock::now();
  std::vector<core::ProcessId> due;
  for (const auto& [id, waiting] : waiting_) {
    if (waiting.ask_again <= now) due.push_back(id);
  }
  for (const auto& id : due) {
    if (Member* member = table_.find(id)) look_for_end(*member);
  }
  arm();
}

void Members::on_sigchld() {
  if (std::exchange(sweep_due_, true)) return;
  sweep_alarm_.set_after(before_a_sweep, [this] {
    sweep_due_ = false;
    sweep();
  });
}

void Members::sweep() {
  for (int swept = 0; swept < sweep_per_turn; ++swept) {
    const auto ended = sys::peek_ended_child();
    if (!ended || !*ended || !sweep_one((*ended)->pid)) return;
  }
  if (sweep_posted_) return;
  sweep_posted_ = true;
  loop_.post([this, here = std::weak_ptr<bool>(here_)] {
    if (here.expired()) return;
    sweep_posted_ = false;
    sweep();
  });
}

/// False if it would come again: nothing behind it can be seen in this turn.
bool Members::sweep_one(pid_t pid) {
  if (helpers_.contains(pid)) {
    end_helper(pid);
    return !helpers_.contains(pid);
  }
  if (Member* holder = holder_of(pid)) {
    if (look_for_end(*holder)) return true;
  }
  if (sys::reap_pid(pid)) return false;
  ++reaped_unrecorded_;
  return true;
}

void Members::add_helper(pid_t pid, sys::Fd pidfd, std::function<void(sys::WaitStatus)> on_end) {
  // If it cannot be watched, SIGCHLD tells of its end all the same.
  (void)watch(pidfd, {pid, 0});
  helpers_[pid] = Helper{std::move(pidfd), std::move(on_end)};
  had_helpers_ = true;
}

sys::error_code Members::signal_helper(pid_t pid, int signal) {
  const auto found = helpers_.find(pid);
  if (found == helpers_.end()) return sys::error_of(ESRCH);
  found->second.ended_by_us = true;
  const auto error = sys::send_signal(found->second.pidfd, signal);
  sys::send_signal_to_group(pid, signal);
  return error;
}

void Members::end_helper(pid_t pid) {
  const auto found = helpers_.find(pid);
  if (found == helpers_.end()) return;
  ends_.remove(found->second.pidfd.get());
  if (found->second.ended_by_us) sys::send_signal_to_group(pid, SIGKILL);
  const auto reaped = sys::reap(found->second.pidfd);
  // Traced: its parent, which we are, gets another SIGCHLD when the tracer lets it go.
  if (!reaped || !*reaped) return;
  loop_.post([on_end = std::move(found->second.on_end), status = (*reaped)->status] { on_end(status); });
  helpers_.erase(found);
}

core::Exit Members::to_exit(const Member& member, const sys::WaitStatus& status) {
  core::Exit exit;
  exit.at = wall_now();
  if (!status.signaled) {
    exit.code = status.code;
    return exit;
  }
  exit.kind = core::ExitKind::signaled;
  exit.signal = status.signal;
  if (status.signal != SIGKILL || member.killed_by_us) return exit;
  if (counts_.oom_killed_lately()) exit.kind = core::ExitKind::oom_killed;
  return exit;
}

}  // namespace plimsoll::run

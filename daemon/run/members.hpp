// The table of recorded processes, and the one reaper. Each member holds the pidfd that was opened when it was first
// seen; through it alone it is signalled, and its becoming readable is its death (all threads gone).
//
// Who reaps: a process whose parent we are, by fork or by adoption, is reaped through its pidfd as soon as it is dead,
// and its end is told with its exit. One that is somebody else's stays for its parent: how it ended is read while it is
// a zombie (/proc/PID/stat) or after it was reaped (PIDFD_GET_INFO), and it is asked again, first often, then each
// second, until it is gone. Both ways begin by trying to reap, as the kernel alone knows whose child it is by now: a
// zombie becomes ours when its parent dies.
//
// Dead children that nobody recorded are swept on SIGCHLD, a bounded number in a turn, as unreaped ones hide those
// behind them. A pidfd that is readable while there is nothing to wait for is a traced child: asked again by the clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "config/plan/rare.hpp"
#include "daemon/core/event.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/run/by_id.hpp"
#include "daemon/run/dispatch.hpp"
#include "daemon/run/kernel_counts.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/run/sources.hpp"
#include "daemon/run/watch_set.hpp"
#include "daemon/sys/pidfd.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

struct Member {
  core::ProcessId id;
  sys::Fd pidfd;              ///< until it is reaped
  bool own_child = false;     ///< forked by us; adopted ones are not
  bool ended = false;         ///< its end was dispatched
  bool reaped = false;        ///< nothing of it is left
  bool killed_by_us = false;  ///< SIGKILL of ours reached it alive
  bool fork_told = false;     ///< by the connector, or that is lost

 private:
  friend class Members;
  bool watched_ = true;   ///< by epoll
  bool checked_ = false;  ///< start time compared before the first signal
  sys::Fd statm_;         ///< held from the first reading
  Rare<core::Exit> exit_;
};

class Members {
 public:
  Members(Loop& loop, sys::ProcFs proc, Sources sources, Dispatch dispatch, sys::GroupOomKills group_kills = {});
  ~Members();
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  /// `pidfd` must have been opened before the start time was read. EEXIST if it is recorded already; another error if
  /// it cannot be watched; then `pidfd` is still the caller's. A spawned process is added in the turn of its spawn,
  /// before the sweep can take it for nobody's.
  sys::error_code add(core::ProcessId id, sys::Fd&& pidfd, bool own_child);
  /// A dead one that is not reaped yet is no longer asked about.
  void forget(core::ProcessId id);
  void note_fork_told(core::ProcessId id);
  /// Null if it is not recorded. Valid until forget().
  [[nodiscard]] const Member* find(core::ProcessId id) const;
  /// The recorded process that is alive under that pid, as far as is known, or null.
  [[nodiscard]] const Member* find_alive(int pid) const;
  /// The one that was recorded last under that pid, dead or alive, or null.
  [[nodiscard]] const Member* find_last(int pid) const;
  /// Asked after the list of our children named that pid: it is a recorded process, or a helper. True without a doubt
  /// only; who is dead, and was not forked by us, may have given its pid to another one.
  [[nodiscard]] bool is_our_child(pid_t pid) const;
  /// Dead ones that are not forgotten too. `act` must not add or forget.
  void for_each(const std::function<void(const Member&)>& act) const;
  [[nodiscard]] std::size_t size() const { return table_.size(); }
  /// Whether note_fork_told() was called for the last one that was added as our own fork.
  [[nodiscard]] bool is_last_spawn_told() const { return last_spawn_told_; }

  /// ESRCH: not recorded, dead, or (before the first signal) not the process that was recorded.
  sys::error_code send_signal(core::ProcessId id, int signal);
  /// Reads through held descriptors. Who is dead or not recorded is left out. `exact` is by smaps_rollup and falls
  /// back to statm where that cannot be read (then Sample::exact is false).
  std::vector<core::Sample> read_memory(const std::vector<core::ProcessId>& of, bool peak, bool exact);

  /// Called when the loop has told of those that ended together, 256 at most: who waits for a replacement need not wait
  /// for what else the loop has to do.
  void when_ends_are_told(std::function<void()> act) { ends_.when_told(std::move(act)); }
  /// Tells of every end that can be seen now. The loop calls it; so does who must not be ahead of it (a census that
  /// shows children of a process which has just died).
  void take_ends();
  /// Some child of ours has ended. Members tell of themselves; the others are swept a moment later, all at once: asking
  /// for any dead child walks all that live.
  void on_sigchld();
  /// Sweeps, and goes on in a later turn if there is more.
  void sweep();
  /// Dead children that nobody had recorded, reaped so far.
  [[nodiscard]] std::uint64_t reaped_unrecorded() const { return reaped_unrecorded_; }
  [[nodiscard]] KernelCounts& counts() { return counts_; }

  /// A process of our own that is no member (an exec hook): reaped here too. `on_end` comes once, in a later turn.
  void add_helper(pid_t pid, sys::Fd pidfd, std::function<void(sys::WaitStatus)> on_end);
  [[nodiscard]] bool is_helper(pid_t pid) const { return helpers_.contains(pid); }
  /// There was one at some time, and what it has forked may be anywhere.
  [[nodiscard]] bool had_helpers() const { return had_helpers_; }
  /// To it and its group, which is its own; whatever of the group outlives it is killed. ESRCH when it has been reaped.
  sys::error_code signal_helper(pid_t pid, int signal);

 private:
  struct Helper {
    sys::Fd pidfd;
    std::function<void(sys::WaitStatus)> on_end;
    bool ended_by_us = false;
  };
  using Steady = std::chrono::steady_clock::time_point;
  /// A dead one that is not reaped.
  struct Waiting {
    Steady asked_first{};
    Steady ask_again{};
    std::chrono::milliseconds pause{};
  };

  // members.cpp
  [[nodiscard]] Member* holder_of(int pid) const;
  sys::error_code watch(const sys::Fd& pidfd, core::ProcessId key);
  void unwatch(Member& member);
  void on_readable(WatchSet::Key key);
  // members_ends.cpp
  bool look_for_end(Member& member);
  void tell_reaped(Member& member, std::optional<sys::WaitStatus> status);
  void look_at_anothers(Member& member);
  static std::optional<core::Exit> exit_of(const Member& member);
  void learn_exit(Member& member, std::optional<sys::WaitStatus> status);
  void ask_later(Member& member);
  void arm();
  void ask_again();
  bool sweep_one(pid_t pid);
  void end_helper(pid_t pid);
  core::Exit to_exit(const Member& member, const sys::WaitStatus& status);
  // members_memory.cpp
  std::optional<std::uint64_t> read_rss(Member& member);

  Loop& loop_;
  sys::ProcFs proc_;
  Sources sources_;
  Dispatch dispatch_;
  ById<Member> table_;
  std::map<pid_t, Helper> helpers_;
  bool had_helpers_ = false;
  std::map<core::ProcessId, Waiting> waiting_;  ///< asked again by the clock
  WatchSet ends_;
  Alarm alarm_;
  bool sweep_posted_ = false;
  Alarm sweep_alarm_;
  bool sweep_due_ = false;
  std::shared_ptr<bool> here_;  ///< for posted sweeps that outlive us
  std::uint64_t reaped_unrecorded_ = 0;
  core::ProcessId last_spawned_;
  bool last_spawn_told_ = false;
  KernelCounts counts_;
};

}  // namespace plimsoll::run

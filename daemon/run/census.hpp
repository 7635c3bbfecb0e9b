// Who is in which tree, by the /proc walk. A look compares the listing of /proc with what is known by (pid, inode of
// /proc/PID), so that only newcomers are opened: at a thousand processes it costs half a millisecond.
//
// A newcomer is ours when its parent is a recorded process that lives (checked by that one's pidfd after the parent's
// pid was read), or is us; parents are placed before their children, and an unknown parent is looked up on the spot: a
// walk is no snapshot. Its pidfd is opened first and its stat read after, so that what is recorded is what the pidfd
// holds. What is not ours is remembered and costs nothing more. On a quiet host even the listing is left out: while no
// pid was given out in our namespace there are no newcomers.
//
// Where the process connector works (feed.hpp), each fork below a member is told as it happens, and who forked is known
// whatever became of it (census_news.cpp). Its news are taken before the listing is read and again before what the
// listing shows is placed, so a walk finds what the news left out and nothing else.
//
// `complete` is the part that can be relied upon: only this thread reaps our children, so no entry can leave the lists
// of them while they are read, and the kernel appends; one reading in which all of them are known therefore proves that
// nothing of a tree hides below us. A hopper (fork, exit, fork, exit) always leaves a zombie there, or is known.
// Of the two lists (own_children.hpp) that of the orphans is enough while the connector works: it tells of whoever was
// cloned into the other one.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/event.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/run/by_id.hpp"
#include "daemon/run/by_pid.hpp"
#include "daemon/run/feed.hpp"
#include "daemon/run/members.hpp"
#include "daemon/run/own_children.hpp"
#include "daemon/run/packed_command.hpp"
#include "daemon/run/run_tag.hpp"
#include "daemon/run/sources.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

class Census {
 public:
  /// New members are added to `members`, pidfd and all. Without a `feed` there is the walk alone.
  Census(Members& members, sys::ProcFs proc, Sources sources, Life life, Feed* feed = nullptr);

  /// `fresh`: first sights, parents before children. A process may be dead already when it is told; its ProcessEnded
  /// comes after. `changed`: parent, session, program or state (of T t D Z or none of them); a spawned main process is
  /// among them when it is seen first, with what it runs. The young are read at each look, the others once a second or
  /// when their parent died.
  core::Looked look();
  /// What the feed has told meanwhile: those it named, and nobody else. Nothing is in it when nothing of ours was.
  core::Looked take_news();
  /// The same, put into what a look has found.
  void take_news(core::Looked& looked);
  /// The feed lost something since the last look: another one is due.
  [[nodiscard]] bool must_look() const { return must_look_; }
  /// One reading of our own children without opening anything, after the news were taken: true if each of them is
  /// recorded, which proves that nobody is below us who was not seen. False says nothing: a look is needed.
  [[nodiscard]] bool all_our_own_known();
  void set_life(const Life& life) { life_ = life; }
  /// Read at each look: an engine, whose state matters.
  void watch(core::ProcessId id, bool on);
  /// Why the last look could not see or record everything ("processes cannot be watched: Too many open files"); empty
  /// if it could.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  using Steady = std::chrono::steady_clock::time_point;
  /// An entry of the listing that need not be opened again.
  struct Known {
    pid_t pid = 0;
    bool foreign = true;
    bool listed = true;  ///< by the last walk, or found since
    std::uint64_t inode = 0;
  };
  /// A member as it was last told. Its command line stays, so that a change of state need not read it again, which can
  /// block.
  struct Told {
    core::ProcessId parent;
    bool ourselves = false;
    int session = 0;
    char state = 'S';  ///< T t D Z, or S for all others
    PackedCommand command;
    bool as_forked = false;  ///< it runs what its parent runs: an exec may come that changes nothing but argv
    Steady read_at{};
  };
  struct Newcomer {
    std::uint64_t inode = 0;
    sys::Stat stat;
    int tries = 0;
  };
  enum class Placed { done, waits, gone };
  /// A process that was gone when its fork was told. Kept until all that it did has been told, which ends with the news
  /// that are there when it is found gone.
  struct Unseen {
    core::ProcessId forker;
    int session = 0;
    core::CommandLine command;  ///< its forker's; empty after an exec
    std::optional<core::Exit> exit;
    bool told = false;
  };

  // census.cpp: who is ours
  [[nodiscard]] bool nothing_was_forked();
  [[nodiscard]] bool all_stay_known() const;
  bool walk(core::Looked& looked);
  void collect_newcomers(const std::vector<sys::Listed>& listed);
  void place_newcomers(core::Looked& looked);
  Placed place(pid_t pid, Newcomer& newcomer, core::Looked& looked);
  Placed place_by_parent(pid_t pid, Newcomer& newcomer);
  Placed read_again(pid_t pid, Newcomer& newcomer);
  Placed record(pid_t pid, Newcomer& newcomer, core::Looked& looked);
  [[nodiscard]] bool is_recorded_parent(pid_t ppid) const;
  void remember(pid_t pid, const Newcomer& newcomer, bool foreign);
  bool all_children_known(core::Looked& looked);
  [[nodiscard]] std::optional<std::vector<pid_t>> own_children();
  Placed unreadable(const sys::error_code& error);
  Placed unwatchable(const sys::error_code& error);
  [[nodiscard]] bool is_told_of_clones() const;
  // census_news.cpp: what the connector tells
  void begin_news_again();
  void take(const sys::Forked& forked, std::uint64_t at, core::Looked& looked);
  void take(const sys::Exited& exited, core::Looked& looked);
  bool is_known_child(pid_t pid, std::uint64_t at, core::ProcessId forker, core::Looked& looked);
  void record_forked(pid_t pid, std::uint64_t at, core::ProcessId forker, core::Looked& looked);
  void note_unseen(core::ProcessId id, core::ProcessId forker);
  void tell_unseen(core::ProcessId id, core::Looked& looked);
  void note_exec(pid_t pid);
  void note_session(pid_t pid);
  void reread_named(core::Looked& looked);
  // census_sight.cpp: what is told of a member
  void reread_members(core::Looked& looked);
  [[nodiscard]] bool is_urgent(const Member& member, const Told& told) const;
  void reread(const Member& member, Told& told, core::Looked& looked);
  bool reread_program(const sys::Stat& stat, bool young, Told& told) const;
  core::Sighting sight(const Member& member, const sys::Stat& stat, std::optional<core::ProcessId> forker = {});
  void set_parent(core::Sighting& sighting, const sys::Stat& stat) const;
  void read_tag(core::Sighting& sighting) const;
  [[nodiscard]] bool may_be_in_exec(pid_t pid) const;
  [[nodiscard]] core::CommandLine read_command(const sys::Stat& stat) const;

  Members& members_;
  sys::ProcFs proc_;
  Sources sources_;
  Life life_;
  pid_t self_;
  OwnChildren children_;
  std::optional<pid_t> last_pid_;  ///< before the last walk
  int walks_alike_ = 0;            ///< walks since it changed
  bool all_known_ = false;         ///< the last look was complete
  Steady walked_at_{};
  Steady look_began_{};
  ByPid<Known> known_;
  ById<Told> told_;
  std::map<pid_t, Newcomer> newcomers_;
  std::set<core::ProcessId> watched_;
  Feed* feed_;
  ByPid<core::ProcessId> ours_;  ///< at the point to which the news have been taken
  bool loss_ahead_ = false;      ///< in the news that have not been taken yet
  std::map<core::ProcessId, Unseen> unseen_;
  bool found_gone_ = false;          ///< by the taking at work
  std::set<core::ProcessId> named_;  ///< by an exec or a session: read again when all news are taken
  bool must_look_ = false;
  bool unwatchable_ = false;  ///< something in this look
  std::string why_unwatchable_;
  std::string trouble_;
};

}  // namespace plimsoll::run

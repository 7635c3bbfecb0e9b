#include "daemon/run/members.hpp"

#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <cstring>
#include <thread>

#include "tests/unit/run/edge.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

using core::ExitKind;
using core::ExitRead;
using core::ProcessEnded;
using core::ProcessId;
using core::ProcessReaped;

bool is_zombie(pid_t pid) {
  const auto stat = sys::ProcFs().stat(pid);
  return stat && stat->state == 'Z';
}

TEST(Members, OwnChildIsReapedAndItsExitCodeIsTold) {
  Edge edge;
  const auto child = edge.add_child([] { return 3; });
  const auto ended = edge.wait_for<ProcessEnded>(child, "the end of a child");
  EXPECT_TRUE(ended.reaped);
  ASSERT_TRUE(ended.exit);
  EXPECT_EQ(ended.exit->kind, ExitKind::exited);
  EXPECT_EQ(ended.exit->code, 3);
  EXPECT_FALSE(sys::ProcFs().stat(child.pid)) << "not reaped";
  EXPECT_EQ(edge.members.reaped_unrecorded(), 0U);
  EXPECT_FALSE(edge.members.find(child)->pidfd) << "it holds a descriptor until it is forgotten";
}

TEST(Members, EachEndIsToldOnceThoughSigchldAndThePidfdBothTellOfIt) {
  Edge edge;
  std::vector<core::ProcessId> children;
  for (int i = 0; i < 100; ++i) children.push_back(edge.add_child([] { return 0; }));
  edge.until([&] { return edge.all<ProcessEnded>().size() >= children.size(); }, "a hundred ends");
  edge.turns(10);
  EXPECT_EQ(edge.all<ProcessEnded>().size(), children.size());
  EXPECT_EQ(edge.events.size(), children.size());
}

TEST(Members, AdoptedProcessIsReapedByUs) {
  Edge edge;
  const Pipe pipe;
  const auto parent = edge.add_child([&] {
    pipe.tell(Edge::fork_child([] {
      wait_for_ever();
      return 0;
    }));
    wait_for_ever();
    return 0;
  });
  const auto orphan = edge.add(pipe.next(), false);
  EXPECT_FALSE(edge.members.send_signal(parent, SIGKILL));
  edge.wait_for<ProcessEnded>(parent, "the parent's end");
  EXPECT_FALSE(edge.members.send_signal(orphan, SIGTERM));
  const auto ended = edge.wait_for<ProcessEnded>(orphan, "the orphan's end");
  EXPECT_TRUE(ended.reaped);
  ASSERT_TRUE(ended.exit);
  EXPECT_EQ(ended.exit->kind, ExitKind::signaled);
  EXPECT_EQ(ended.exit->signal, SIGTERM);
}

/// A parent that reaps its one child at once, and tells its pid.
int reap_at_once(const Pipe& pipe) {
  const pid_t child = Edge::fork_child([] {
    wait_for_ever();
    return 0;
  });
  pipe.tell(child);
  ::waitpid(child, nullptr, 0);
  pipe.tell(0);
  wait_for_ever();
}

/// A parent that never looks at its one child.
int never_reap(const Pipe& pipe) {
  pipe.tell(Edge::fork_child([] {
    wait_for_ever();
    return 0;
  }));
  wait_for_ever();
}

TEST(Members, ChildOfAnotherIsLeftToItsParentAndItsReapingIsTold) {
  Edge edge;
  const Pipe pipe;
  edge.add_child([&] { return reap_at_once(pipe); });
  const auto engine = edge.add(pipe.next(), false);
  ASSERT_EQ(::kill(engine.pid, SIGKILL), 0);
  EXPECT_EQ(pipe.next(), 0);
  const auto ended = edge.wait_for<ProcessEnded>(engine, "the engine's end");
  if (!ended.reaped) edge.wait_for<ProcessReaped>(engine, "its reaping");
  const Member* member = edge.members.find(engine);
  ASSERT_NE(member, nullptr);
  EXPECT_TRUE(member->reaped);
  // It was reaped before we looked: only a kernel with PIDFD_GET_INFO's exit can tell how it ended. None may tell it
  // wrong.
  if (ended.exit) {
    EXPECT_EQ(ended.exit->signal, SIGKILL);
  }
}

TEST(Members, ZombieThatNobodyReapsIsToldWithItsExitAndReapedWhenItBecomesOurs) {
  Edge edge;
  const Pipe pipe;
  const auto parent = edge.add_child([&] { return never_reap(pipe); });
  const auto engine = edge.add(pipe.next(), false);
  ASSERT_EQ(::kill(engine.pid, SIGTERM), 0);
  const auto ended = edge.wait_for<ProcessEnded>(engine, "the engine's end");
  EXPECT_FALSE(ended.reaped);
  ASSERT_TRUE(ended.exit);
  EXPECT_EQ(ended.exit->signal, SIGTERM);
  edge.turns(20);
  EXPECT_TRUE(is_zombie(engine.pid));
  EXPECT_EQ(edge.of<ProcessReaped>(engine), nullptr);

  EXPECT_FALSE(edge.members.send_signal(parent, SIGKILL));
  const auto reaped = edge.wait_for<ProcessReaped>(engine, "its reaping");
  ASSERT_TRUE(reaped.exit);
  EXPECT_EQ(reaped.exit->signal, SIGTERM);
  EXPECT_FALSE(sys::ProcFs().stat(engine.pid));
}

TEST(Members, WithoutExitInfoNothingIsSaidOfAnothersChildUntilItIsOurs) {
  Sources without;
  without.exit_info = false;
  Edge edge(without);
  const Pipe pipe;
  const auto parent = edge.add_child([&] { return never_reap(pipe); });
  const auto engine = edge.add(pipe.next(), false);
  ASSERT_EQ(::kill(engine.pid, SIGTERM), 0);
  EXPECT_FALSE(edge.wait_for<ProcessEnded>(engine, "the engine's end").exit);
  edge.turns(20);
  EXPECT_EQ(edge.of<ExitRead>(engine), nullptr);
  EXPECT_FALSE(edge.members.send_signal(parent, SIGKILL));
  edge.wait_for<ProcessReaped>(engine, "its reaping");
  const auto read = edge.of<ExitRead>(engine);
  ASSERT_NE(read, nullptr) << "our own child by then";
  EXPECT_EQ(read->exit.signal, SIGTERM);
}

TEST(Members, ForgottenZombieIsNoLongerAskedAbout) {
  Edge edge;
  const Pipe pipe;
  edge.add_child([&] { return never_reap(pipe); });
  const auto engine = edge.add(pipe.next(), false);
  ASSERT_EQ(::kill(engine.pid, SIGKILL), 0);
  edge.wait_for<ProcessEnded>(engine, "the engine's end");
  edge.members.forget(engine);
  const auto told = edge.events.size();
  edge.turns(30);
  EXPECT_EQ(edge.events.size(), told);
  EXPECT_EQ(edge.members.find(engine), nullptr);
}

TEST(Members, DeadChildThatIsTracedIsNotDeadBeforeItsTracerLetsGo) {
  Edge edge;
  const Pipe pipe;
  const auto traced = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  const auto tracer = edge.add_child([&] {
    pipe.tell(::ptrace(PTRACE_SEIZE, traced.pid, nullptr, nullptr) == 0 ? 1 : 2);
    wait_for_ever();
    return 0;
  });
  if (pipe.next() != 1) GTEST_FAIL() << "ptrace is not allowed here";
  EXPECT_FALSE(edge.members.send_signal(traced, SIGKILL));
  edge.until([&] { return is_zombie(traced.pid); }, "a zombie");
  edge.turns(20);
  EXPECT_EQ(edge.of<ProcessEnded>(traced), nullptr);
  EXPECT_FALSE(edge.members.send_signal(tracer, SIGKILL));
  EXPECT_EQ(edge.wait_for<ProcessEnded>(traced, "its end").exit->signal, SIGKILL);
}

TEST(Members, SixHundredDeadChildrenThatNobodyRecordedAreSwept) {
  Edge edge;
  constexpr int count = 600;
  for (int i = 0; i < count; ++i) Edge::fork_child([] { return 0; });
  edge.until([&] { return edge.members.reaped_unrecorded() == count; }, "six hundred reaped");
  EXPECT_TRUE(edge.events.empty());
  EXPECT_EQ(sys::peek_ended_child().error().value(), ECHILD);
}

TEST(Members, NoSignalGoesToAProcessWhoseStartTimeIsAnother) {
  Edge edge;
  const pid_t pid = Edge::fork_child([] {
    wait_for_ever();
    return 0;
  });
  auto pidfd = sys::open_pidfd(pid);
  ASSERT_TRUE(pidfd.has_value());
  const core::ProcessId earlier{pid, Edge::id_of(pid).start_time - 1};
  ASSERT_FALSE(edge.members.add(earlier, std::move(*pidfd), false));
  EXPECT_EQ(edge.members.send_signal(earlier, SIGKILL).value(), ESRCH);
  edge.turns(10);
  EXPECT_TRUE(sys::ProcFs().stat(pid).has_value());
  EXPECT_TRUE(edge.events.empty());
}

TEST(Members, SignalToTheDeadIsNoProcess) {
  Edge edge;
  const auto child = edge.add_child([] { return 0; });
  edge.wait_for<ProcessEnded>(child, "the end");
  EXPECT_EQ(edge.members.send_signal(child, SIGTERM).value(), ESRCH);
  EXPECT_EQ(edge.members.send_signal({child.pid, child.start_time + 1}, SIGTERM).value(), ESRCH);
}

TEST(Members, SameProcessIsRecordedOnce) {
  Edge edge;
  const auto child = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  auto again = sys::open_pidfd(child.pid);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(edge.members.add(child, std::move(*again), false).value(), EEXIST);
  EXPECT_TRUE(*again) << "still the caller's";
  EXPECT_TRUE(edge.members.find(child)->own_child);
}

TEST(Members, KillByAnotherIsNoOomKillWhileTheCounterStands) {
  const ScratchFolder proc;
  proc.write("vmstat", "nr_free_pages 1\noom_kill 5\n");
  Edge edge({}, sys::ProcFs(proc.path()));
  const auto child = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  ASSERT_EQ(::kill(child.pid, SIGKILL), 0);
  EXPECT_EQ(edge.wait_for<ProcessEnded>(child, "the end").exit->kind, ExitKind::signaled);
}

TEST(Members, KillByAnotherIsAnOomKillWhenTheCounterRose) {
  const ScratchFolder proc;
  proc.write("vmstat", "nr_free_pages 1\noom_kill 5\n");
  Edge edge({}, sys::ProcFs(proc.path()));
  const auto child = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  const auto asked = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  proc.write("vmstat", "nr_free_pages 1\noom_kill 6\n");
  ASSERT_EQ(::kill(child.pid, SIGKILL), 0);
  EXPECT_EQ(edge.wait_for<ProcessEnded>(child, "the end").exit->kind, ExitKind::oom_killed);
  ASSERT_EQ(::kill(asked.pid, SIGTERM), 0);
  EXPECT_EQ(edge.wait_for<ProcessEnded>(asked, "the end").exit->kind, ExitKind::signaled);
}

/// A machine whose kernel counts, and on it a group of the second version that is ours.
class OomCounters {
 public:
  OomCounters() {
    tree_.write("proc/self/mountinfo", "26 25 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    tree_.write("proc/self/cgroup", "0::/ours\n");
    of_machine(5);
    of_group("oom_kill 5\n");
  }
  void of_machine(int kills) { tree_.write("proc/vmstat", "oom_kill " + std::to_string(kills) + "\n"); }
  void of_group(std::string_view text) { tree_.write("sys/fs/cgroup/ours/memory.events", text); }
  [[nodiscard]] sys::ProcFs proc() const { return sys::ProcFs(tree_ / "proc"); }
  [[nodiscard]] sys::GroupOomKills group() const { return sys::Cgroups(tree_.path()).open_oom_kills(); }

 private:
  ScratchFolder tree_;
};

ExitKind kind_of_a_kill(
    Edge& edge, const std::function<void()>& before,
    const std::function<void(const ProcessId&)>& after = [](const ProcessId&) {}) {
  const auto child = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  before();
  EXPECT_EQ(::kill(child.pid, SIGKILL), 0);
  after(child);
  return edge.wait_for<ProcessEnded>(child, "the end").exit->kind;
}

TEST(Members, AnOomKillOfAnotherGroupIsNotOurs) {
  OomCounters counters;
  Edge edge({}, counters.proc(), counters.group());
  EXPECT_EQ(kind_of_a_kill(edge, [&] { counters.of_machine(6); }), ExitKind::signaled);
  EXPECT_EQ(kind_of_a_kill(edge, [&] { counters.of_group("oom_kill 6\n"); }), ExitKind::oom_killed);
}

TEST(Members, AKillThatComesTooLateIsNotOurs) {
  OomCounters counters;
  Edge edge({}, counters.proc(), counters.group());
  const auto kind = kind_of_a_kill(
      edge, [] {},
      [&](const ProcessId& id) {
        counters.of_group("oom_kill 6\n");
        siginfo_t info{};
        ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(id.pid), &info, WEXITED | WNOWAIT), 0)
            << "nobody has told of it yet";
        EXPECT_EQ(edge.members.send_signal(id, SIGKILL).value(), ESRCH);
        EXPECT_EQ(edge.members.send_signal(id, SIGUSR1).value(), ESRCH);
      });
  EXPECT_EQ(kind, ExitKind::oom_killed);
}

TEST(Members, WhenTheirGroupIsGoneTheMachinesOomKillsCount) {
  OomCounters counters;
  Edge edge({}, counters.proc(), counters.group());
  counters.of_group("");
  EXPECT_EQ(kind_of_a_kill(edge, [&] { counters.of_machine(9); }), ExitKind::signaled)
      << "not compared with the group's";
  EXPECT_EQ(kind_of_a_kill(edge, [&] { counters.of_machine(10); }), ExitKind::oom_killed);
}

TEST(Members, OurOwnKillIsNoOomKillThoughTheCounterRose) {
  const ScratchFolder proc;
  proc.write("vmstat", "oom_kill 5\n");
  Edge edge({}, sys::ProcFs(proc.path()));
  const auto child = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  const auto stat = "(x) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(child.start_time);
  proc.write(std::to_string(child.pid) + "/stat", std::to_string(child.pid) + " " + stat + " 0 0");
  proc.write("vmstat", "oom_kill 6\n");
  EXPECT_FALSE(edge.members.send_signal(child, SIGKILL));
  EXPECT_EQ(edge.wait_for<ProcessEnded>(child, "the end").exit->kind, ExitKind::signaled);
}

TEST(Members, MemoryAndPeakOfALiveProcessAreRead) {
  Edge edge;
  const Pipe pipe;
  constexpr std::size_t size = 32U << 20;
  const auto child = edge.add_child([&] {
    std::vector<char> memory(size, 'x');
    pipe.tell(1);
    wait_for_ever();
    return memory.front();
  });
  pipe.next();
  const auto samples = edge.members.read_memory({child, core::ProcessId{1, 1}}, true, true);
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].id, child);
  EXPECT_GE(samples[0].rss.count, size);
  EXPECT_TRUE(samples[0].exact);
  ASSERT_TRUE(samples[0].peak);
  EXPECT_GE(samples[0].peak->count, size);
  const auto plain = edge.members.read_memory({child}, false, false);
  ASSERT_EQ(plain.size(), 1U);
  EXPECT_FALSE(plain[0].exact);
  EXPECT_FALSE(plain[0].peak);
}

TEST(Members, MemoryOfAProcessWhoseLeaderIsDeadIsReadThroughALiveThread) {
  Edge edge;
  const Pipe pipe;
  constexpr std::size_t size = 16U << 20;
  const auto child = edge.add_child([&] {
    static std::vector<char> memory(size, 'x');
    std::thread([] { wait_for_ever(); }).detach();
    pipe.tell(1);
    ::syscall(SYS_exit, 0);
    return 0;
  });
  pipe.next();
  edge.until([&] { return is_zombie(child.pid); }, "a dead leader");
  EXPECT_EQ(edge.of<ProcessEnded>(child), nullptr) << "a leader's end is no process's end";
  const auto samples = edge.members.read_memory({child}, false, false);
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_GE(samples[0].rss.count, size);
}

TEST(Members, DeadProcessHasNoSample) {
  Edge edge;
  const auto child = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  ASSERT_EQ(edge.members.read_memory({child}, false, false).size(), 1U);
  EXPECT_FALSE(edge.members.send_signal(child, SIGKILL));
  edge.wait_for<ProcessEnded>(child, "the end");
  EXPECT_TRUE(edge.members.read_memory({child}, true, true).empty());
}

TEST(Members, HelperIsReapedAndIsNoMember) {
  Edge edge;
  const pid_t pid = Edge::fork_child([] { return 4; });
  auto pidfd = sys::open_pidfd(pid);
  ASSERT_TRUE(pidfd.has_value());
  int code = -1;
  edge.members.add_helper(pid, std::move(*pidfd), [&](const sys::WaitStatus& status) { code = status.code; });
  EXPECT_TRUE(edge.members.is_helper(pid));
  edge.until([&] { return code >= 0; }, "the helper's end");
  EXPECT_EQ(code, 4);
  EXPECT_FALSE(edge.members.is_helper(pid));
  EXPECT_TRUE(edge.events.empty());
  EXPECT_EQ(edge.members.reaped_unrecorded(), 0U);
  EXPECT_EQ(edge.members.signal_helper(pid, SIGTERM).value(), ESRCH);
}

}  // namespace
}  // namespace plimsoll::run

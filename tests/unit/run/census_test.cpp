#include "daemon/run/census.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "tests/unit/run/edge.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

using core::Looked;
using core::ProcessEnded;
using core::Sighting;

/// A process below a member, which tells its pid and waits.
int tell_and_wait(const Pipe& pipe) {
  pipe.tell(::getpid());
  wait_for_ever();
}

class CensusTest : public ::testing::Test {
 protected:
  explicit CensusTest(Sources sources = {})
      : edge(sources), life(*own_life(edge.proc, "test")), census(edge.members, edge.proc, edge.sources, life) {}

  /// Looks until something was told of that pid as fresh.
  Sighting wait_fresh(pid_t pid) {
    Sighting found;
    edge.until([&] { return take(pid, &Looked::fresh, found); }, "a first sight");
    return found;
  }
  Sighting wait_changed(pid_t pid, const std::function<bool(const Sighting&)>& wanted) {
    Sighting found;
    edge.until([&] { return take(pid, &Looked::changed, found) && wanted(found); }, "a change");
    return found;
  }
  bool take(pid_t pid, std::vector<Sighting> Looked::*list, Sighting& found) {
    last = census.look();
    const auto& seen = last.*list;
    const auto one = std::find_if(seen.begin(), seen.end(), [&](const auto& each) { return each.id.pid == pid; });
    if (one == seen.end()) return false;
    found = *one;
    return true;
  }

  Edge edge;
  Life life;
  Census census;
  Looked last;
};

TEST_F(CensusTest, SpawnedProcessIsToldOnceAsChangedWithWhatItRuns) {
  const Pipe pipe;
  const auto main = edge.add_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  const Looked looked = census.look();
  EXPECT_TRUE(looked.complete);
  EXPECT_TRUE(looked.fresh.empty());
  ASSERT_EQ(looked.changed.size(), 1U);
  EXPECT_EQ(looked.changed[0].id, main);
  EXPECT_TRUE(looked.changed[0].ourselves);
  EXPECT_EQ(looked.changed[0].parent, core::nobody);
  EXPECT_FALSE(looked.changed[0].command.argv.empty());
  EXPECT_FALSE(looked.changed[0].command.exe.empty());
  EXPECT_LT(looked.changed[0].age, Duration{60'000});
  EXPECT_TRUE(census.look().changed.empty());
}

TEST_F(CensusTest, ChildrenAreToldAfterTheirParentsInOneLook) {
  const Pipe pipe;
  const auto main = edge.add_child([&] {
    Edge::fork_child([&] {
      Edge::fork_child([&] { return tell_and_wait(pipe); });
      return tell_and_wait(pipe);
    });
    wait_for_ever();
    return 0;
  });
  pipe.next();
  pipe.next();
  const Looked looked = census.look();
  ASSERT_EQ(looked.fresh.size(), 2U);
  EXPECT_EQ(looked.fresh[0].parent, main);
  EXPECT_EQ(looked.fresh[1].parent, looked.fresh[0].id);
  for (const auto& sighting : looked.fresh) {
    EXPECT_FALSE(sighting.ourselves);
    EXPECT_NE(edge.members.find(sighting.id), nullptr);
  }
}

TEST_F(CensusTest, ChildOfAThreadIsFoundAndSoIsItsSession) {
  const Pipe pipe;
  const auto main = edge.add_child([&] {
    std::thread([&] {
      Edge::fork_child([&] {
        ::setsid();
        return tell_and_wait(pipe);
      });
    }).join();
    wait_for_ever();
    return 0;
  });
  const int child = pipe.next();
  const Sighting sighting = wait_fresh(child);
  EXPECT_EQ(sighting.parent, main);
  EXPECT_EQ(sighting.session, child);
}

TEST_F(CensusTest, WhatIsNotOfOurTreesIsNotRecorded) {
  const Pipe pipe;
  const auto main = edge.add_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  for (int i = 0; i < 3; ++i) census.look();
  EXPECT_EQ(edge.members.size(), 1U);
  EXPECT_NE(edge.members.find(main), nullptr);
}

TEST_F(CensusTest, OrphanThatWasSeenBeforeChangesItsParentToUs) {
  const Pipe pipe;
  const auto parent = edge.add_child([&] {
    Edge::fork_child([&] { return tell_and_wait(pipe); });
    wait_for_ever();
    return 0;
  });
  const int orphan = pipe.next();
  EXPECT_EQ(wait_fresh(orphan).parent, parent);
  EXPECT_FALSE(edge.members.send_signal(parent, SIGKILL));
  edge.wait_for<ProcessEnded>(parent, "the parent's end");
  const Looked looked = census.look();
  ASSERT_EQ(looked.changed.size(), 1U);
  EXPECT_EQ(looked.changed[0].id.pid, orphan);
  EXPECT_TRUE(looked.changed[0].ourselves);
  EXPECT_TRUE(looked.complete);
}

TEST_F(CensusTest, OrphanThatNobodyHadSeenIsAdopted) {
  const Pipe pipe;
  const auto parent = edge.add_child([&] {
    Edge::fork_child([&] { return tell_and_wait(pipe); });
    return 0;
  });
  const int orphan = pipe.next();
  edge.wait_for<ProcessEnded>(parent, "the parent's end");
  const Looked looked = census.look();
  ASSERT_EQ(looked.fresh.size(), 1U);
  EXPECT_EQ(looked.fresh[0].id.pid, orphan);
  EXPECT_TRUE(looked.fresh[0].ourselves);
  EXPECT_EQ(looked.fresh[0].parent, core::nobody);
  EXPECT_TRUE(looked.fresh[0].run_service.empty()) << "it carries no PLIMSOLL_RUN";
}

TEST_F(CensusTest, ForeignProcessThatBecomesOursIsSeen) {
  // A helper's child is foreign as long as the helper lives.
  const Pipe pipe;
  const pid_t helper = Edge::fork_child([&] {
    Edge::fork_child([&] { return tell_and_wait(pipe); });
    wait_for_ever();
    return 0;
  });
  bool ended = false;
  edge.members.add_helper(helper, std::move(*sys::open_pidfd(helper)), [&](const sys::WaitStatus&) { ended = true; });
  const int orphan = pipe.next();
  EXPECT_TRUE(census.look().fresh.empty());
  EXPECT_TRUE(census.look().complete) << "a helper is known";
  EXPECT_FALSE(edge.members.signal_helper(helper, SIGKILL));
  edge.until([&] { return ended; }, "the helper's end");
  const Looked looked = census.look();
  ASSERT_EQ(looked.fresh.size(), 1U);
  EXPECT_EQ(looked.fresh[0].id.pid, orphan);
  EXPECT_TRUE(looked.fresh[0].ourselves);
}

TEST_F(CensusTest, ProcessBelowAMemberThatAdoptsIsThatOnesChild) {
  const Pipe pipe;
  const auto master = edge.add_child([&] {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t worker = Edge::fork_child([&] {
      Edge::fork_child([&] { return tell_and_wait(pipe); });
      return tell_and_wait(pipe);
    });
    ::waitpid(worker, nullptr, 0);
    pipe.tell(1);
    wait_for_ever();
    return 0;
  });
  const int one = pipe.next();
  const int other = pipe.next();
  const Sighting first = wait_fresh(one);
  const auto [worker, engine] =
      first.parent == master ? std::pair(first.id, Edge::id_of(other)) : std::pair(Edge::id_of(other), first.id);
  EXPECT_FALSE(edge.members.send_signal(worker, SIGKILL));
  EXPECT_EQ(pipe.next(), 1);
  const Sighting moved = wait_changed(engine.pid, [&](const Sighting& sighting) { return sighting.parent == master; });
  EXPECT_FALSE(moved.ourselves);
}

TEST_F(CensusTest, ExecIsSeenByItsName) {
  const Pipe pipe;
  const Pipe go(0);
  edge.add_child([&] {
    Edge::fork_child([&] {
      pipe.tell(::getpid());
      go.next();
      ::execl("/bin/sleep", "sleep", "100000", nullptr);
      return 127;
    });
    wait_for_ever();
    return 0;
  });
  const int child = pipe.next();
  EXPECT_NE(wait_fresh(child).command.comm, "sleep");
  go.tell(1);
  const Sighting after = wait_changed(child, [](const Sighting& sighting) { return sighting.command.comm == "sleep"; });
  EXPECT_TRUE(after.command.exe.ends_with("/sleep") || after.command.exe.find("coreutils") != std::string::npos);
}

TEST_F(CensusTest, ExecOfAChildToTheProgramOfItsParentIsSeenByItsArguments) {
  const ScratchFolder folder;
  ASSERT_EQ(::mkfifo((folder / "go").c_str(), 0600), 0);
  const std::string script =
      "(read x < " + (folder / "go") + "; exec /bin/sh -c 'read y < " + (folder / "go") + "; : second') & wait; exit 0";
  const auto shell = edge.add_child([&] {
    ::execl("/bin/sh", "/bin/sh", "-c", script.c_str(), nullptr);
    return 127;
  });
  Sighting child;
  edge.until(
      [&] {
        last = census.look();
        const auto found =
            std::find_if(last.fresh.begin(), last.fresh.end(), [&](const auto& s) { return s.parent == shell; });
        if (found != last.fresh.end()) child = *found;
        return child.id.pid != 0;
      },
      "the subshell");
  const sys::Fd go(::open((folder / "go").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::write(go.get(), "x\n", 2), 2);
  const Sighting after = wait_changed(child.id.pid, [](const Sighting& sighting) {
    return sighting.command.argv.size() == 3 && sighting.command.argv[2].ends_with(": second");
  });
  EXPECT_EQ(after.command.comm, child.command.comm);
}

TEST_F(CensusTest, StoppedProcessIsToldAtOnceWhenItIsWatched) {
  const Pipe pipe;
  const auto child = edge.add_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  census.look();
  census.watch(child, true);
  EXPECT_FALSE(edge.members.send_signal(child, SIGSTOP));
  EXPECT_EQ(wait_changed(child.pid, [](const Sighting& s) { return s.state == 'T'; }).state, 'T');
  EXPECT_FALSE(edge.members.send_signal(child, SIGCONT));
  EXPECT_NE(wait_changed(child.pid, [](const Sighting& s) { return s.state != 'T'; }).state, 'T');
}

TEST_F(CensusTest, DeadChildrenThatNobodyKnewAreReapedBeforeItIsComplete) {
  for (int i = 0; i < 20; ++i) {
    const auto pidfd = sys::open_pidfd(Edge::fork_child([] { return 0; }));
    pollfd ask{pidfd->get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ask, 1, 60'000), 1);
  }
  const Looked looked = census.look();
  EXPECT_TRUE(looked.complete);
  EXPECT_TRUE(looked.fresh.empty());
  EXPECT_EQ(edge.members.reaped_unrecorded(), 20U);
  EXPECT_TRUE(Edge::children().empty());
}

/// Forks a successor and exits, over and over.
[[noreturn]] void hop(int hops) {
  for (; hops > 0; --hops) {
    const pid_t next = ::fork();
    if (next < 0) ::_exit(1);
    if (next > 0) ::_exit(0);
  }
  wait_for_ever();
}

/// As if another file system was mounted over /proc: it can be listed, and shows nobody.
TEST_F(CensusTest, ListingWithoutUsProvesNothingAndEndsNobody) {
  const core::ProcessId child = edge.add_child([] {
    for (;;) ::pause();
    return 0;
  });
  const ScratchFolder nothing;
  Census blind(edge.members, sys::ProcFs(nothing.path()), edge.sources, life);
  const Looked looked = blind.look();
  EXPECT_FALSE(looked.everybody);
  EXPECT_FALSE(looked.complete);
  EXPECT_EQ(blind.trouble(), "/proc cannot be listed: it does not even show us");
  edge.turns(10);
  EXPECT_EQ(edge.of<ProcessEnded>(child), nullptr);
  EXPECT_EQ(edge.members.send_signal(child, 0).value(), 0);
}

TEST_F(CensusTest, OurOwnChildrenCanBeListedWithoutAnyDescriptor) {
  const pid_t known = edge.add_child([] {
                            for (;;) ::pause();
                            return 0;
                          })
                          .pid;
  EXPECT_TRUE(census.look().complete);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool all_known = census.all_our_own_known();
  const pid_t unknown = Edge::fork_child([] {
    for (;;) ::pause();
    return 0;
  });
  const bool all_known_still = census.all_our_own_known();
  const Looked looked = census.look();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(all_known) << known;
  EXPECT_FALSE(all_known_still) << unknown;
  EXPECT_FALSE(looked.complete);
  EXPECT_FALSE(looked.everybody);
  wait_fresh(unknown);
}

TEST_F(CensusTest, HopperIsNeverHiddenFromACompleteLook) {
  constexpr int hops = 3'000;
  edge.add_child([] {
    hop(hops);
    return 0;
  });
  int complete = 0;
  int live = 0;
  // Until it has come to rest: each complete look knows a live process of it, or one whose end is still to be told.
  edge.until(
      [&] {
        last = census.look();
        live = 0;
        edge.members.for_each([&](const Member& member) { live += member.ended ? 0 : 1; });
        if (last.complete) {
          ++complete;
          EXPECT_GE(live, 1) << "complete, and the hopper was hidden";
        }
        const auto children = Edge::children();
        const auto stat = children.size() == 1 ? edge.proc.stat(children[0]) : sys::error_of(ESRCH);
        return ::testing::Test::HasFailure() ||
               (stat && stat->state == 'S' && edge.members.find({stat->pid, stat->start_time}) != nullptr &&
                last.complete);
      },
      "the hopper at rest");
  EXPECT_GE(complete, 1);
  EXPECT_EQ(live, 1);
}

class CensusWithTag : public CensusTest, public ::testing::WithParamInterface<bool> {
 protected:
  static Sources sources() {
    Sources some;
    some.environ = GetParam();
    return some;
  }
  CensusWithTag() : CensusTest(sources()) {}
};

TEST_P(CensusWithTag, AdoptedProcessIsPlacedByItsTagIfEnvironmentsMayBeRead) {
  const Pipe pipe(0);
  const std::string tag = "PLIMSOLL_RUN=" + to_text(RunTag{life, "web", 7});
  const auto parent = edge.add_child([&] {
    Edge::fork_child([&] {
      // dash knows descriptors of one digit only.
      ::dup2(pipe.write_end.get(), 9);
      const std::string script = "printf 'okay' >&9; exec sleep 100000";
      const char* environment[] = {tag.c_str(), "PATH=/usr/bin:/bin", nullptr};
      ::execle("/bin/sh", "sh", "-c", script.c_str(), nullptr, environment);
      return 127;
    });
    return 0;
  });
  pipe.next();
  edge.wait_for<ProcessEnded>(parent, "the parent's end");
  const Looked looked = census.look();
  ASSERT_EQ(looked.fresh.size(), 1U);
  EXPECT_EQ(looked.fresh[0].run_service, GetParam() ? "web" : "");
  EXPECT_EQ(looked.fresh[0].run, GetParam() ? 7U : 0U);
}
INSTANTIATE_TEST_SUITE_P(Environ, CensusWithTag, ::testing::Values(true, false));

TEST_F(CensusTest, AdoptedProcessesWithNoEnvironmentAreNotWaitedFor) {
  constexpr int count = 20;
  const Pipe pipe(0);
  const auto parent = edge.add_child([&] {
    for (int i = 0; i < count; ++i) {
      Edge::fork_child([&] {
        ::dup2(pipe.write_end.get(), 9);
        const char* environment[] = {nullptr};
        ::execle("/bin/sh", "sh", "-c", "printf 'okay' >&9; kill -STOP $$", nullptr, environment);
        return 127;
      });
    }
    return 0;
  });
  for (int i = 0; i < count; ++i) pipe.next();
  edge.wait_for<ProcessEnded>(parent, "the parent's end");
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_THREAD, &before);
  const Looked looked = census.look();
  ::getrusage(RUSAGE_THREAD, &after);
  EXPECT_EQ(looked.fresh.size(), std::size_t{count});
  // Who waits gives up the processor: it would be 20 times for each of them.
  EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, count);
}

}  // namespace
}  // namespace plimsoll::run

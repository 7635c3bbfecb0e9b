// A machine's own counts, in a tree of files; members_test.cpp has what they make of a death.
#include "daemon/run/kernel_counts.hpp"

#include <gtest/gtest.h>

#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

class KernelCountsTree : public testing::Test {
 protected:
  KernelCountsTree() {
    tree.write("proc/self/mountinfo", "26 25 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    tree.write("proc/self/cgroup", "0::/ours\n");
    machine(100, 5);
    group(5);
  }
  void machine(int faults, int kills) {
    tree.write("proc/vmstat", "pgfault " + std::to_string(faults) + "\noom_kill " + std::to_string(kills) + "\n");
  }
  void group(int kills) { tree.write("sys/fs/cgroup/ours/memory.events", "oom_kill " + std::to_string(kills) + "\n"); }
  [[nodiscard]] KernelCounts by_machine() const { return {sys::ProcFs(tree / "proc"), {}}; }
  [[nodiscard]] KernelCounts by_group() const {
    return {sys::ProcFs(tree / "proc"), sys::Cgroups(tree.path()).open_oom_kills()};
  }

  ScratchFolder tree;
};

TEST_F(KernelCountsTree, NobodyWasKilledWhileTheCountStands) {
  KernelCounts counts = by_machine();
  EXPECT_FALSE(counts.oom_killed_lately());
  EXPECT_FALSE(by_group().oom_killed_lately());
}

TEST_F(KernelCountsTree, ARiseThatAReadingOfPageFaultsHasNotedIsNotForgotten) {
  KernelCounts counts = by_machine();
  machine(250, 6);
  EXPECT_EQ(counts.page_faults(), 250U);
  EXPECT_TRUE(counts.oom_killed_lately());
}

TEST_F(KernelCountsTree, PageFaultsAreTheMachinesThoughTheGroupCountsTheKills) {
  KernelCounts counts = by_group();
  machine(250, 6);
  EXPECT_EQ(counts.page_faults(), 250U);
  EXPECT_FALSE(counts.oom_killed_lately()) << "of another group";
  group(6);
  EXPECT_TRUE(counts.oom_killed_lately());
}

TEST_F(KernelCountsTree, ACountThatFallsIsNoRise) {
  KernelCounts counts = by_machine();
  machine(1, 4);
  EXPECT_FALSE(counts.oom_killed_lately());
}

TEST_F(KernelCountsTree, WhereNothingCanBeReadNothingIsKnown) {
  const ScratchFolder empty;
  KernelCounts counts{sys::ProcFs(empty.path()), {}};
  EXPECT_FALSE(counts.page_faults());
  EXPECT_FALSE(counts.oom_killed_lately());
}

}  // namespace
}  // namespace plimsoll::run

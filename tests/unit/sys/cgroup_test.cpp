#include "daemon/sys/cgroup.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::sys {
namespace {

using Names = std::vector<std::string>;

// As a machine with systemd has it: the second version alone.
constexpr auto unified_mounts =
    "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "26 25 0:23 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
// Both: the controllers of the first, the second's beside them without any.
constexpr auto hybrid_mounts =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime shared:9 master:1 - cgroup cgroup rw,freezer\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST(Cgroup, MembershipsNameTheirControllers) {
  const auto found = parse_memberships("9:name=systemd:/\n2:cpu,cpuacct:/a b\n1:memory:/docker/12ab\n0::/user.slice\n");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].controllers, Names{"name=systemd"});
  EXPECT_EQ(found[1].controllers, (Names{"cpu", "cpuacct"}));
  EXPECT_EQ(found[1].path, "/a b");
  EXPECT_EQ(found[2].path, "/docker/12ab");
  EXPECT_TRUE(found[3].controllers.empty());
  EXPECT_EQ(found[3].path, "/user.slice");
}

TEST(Cgroup, APathMayHoldColonsAndARemovedGroupIsNamedAsItWas) {
  const auto found = parse_memberships("0::/a:b (deleted)\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "/a:b");
}

TEST(Cgroup, LinesThatAreNoneAreLeftOut) {
  EXPECT_TRUE(parse_memberships("").empty());
  EXPECT_TRUE(parse_memberships("nonsense\n::\n0:\n0::relative\n").empty());
  EXPECT_TRUE(parse_cgroup_mounts("").empty());
  EXPECT_TRUE(parse_cgroup_mounts("1 2 - cgroup2 cgroup2 rw\n1 2 3 / /x rw -\n - \n").empty());
}

TEST(Cgroup, MountsOfBothVersionsAreFoundAmongOthers) {
  const auto found = parse_cgroup_mounts(hybrid_mounts);
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0].controllers, (Names{"rw", "cpu", "cpuacct"}));
  EXPECT_EQ(found[0].point, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(found[2].root, "/");
  EXPECT_TRUE(found[4].controllers.empty());
}

TEST(Cgroup, BlanksInAMountPointAreReadBack) {
  const auto found = parse_cgroup_mounts("1 2 0:3 /a\\040b /mnt/c\\011d\\9 rw - cgroup2 none rw\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].root, "/a b");
  EXPECT_EQ(found[0].point, "/mnt/c\td\\9");
}

class CgroupTree : public testing::Test {
 protected:
  void mounts(std::string_view text) { tree.write("proc/self/mountinfo", text); }
  void groups(std::string_view text, std::string_view pid = "self") {
    tree.write("proc/" + std::string(pid) + "/cgroup", text);
  }
  void limit_v2(const std::string& folder, std::string_view max, std::uint64_t current, std::string_view stat = "") {
    tree.write(folder + "/memory.max", std::string(max) + "\n");
    tree.write(folder + "/memory.current", std::to_string(current) + "\n");
    tree.write(folder + "/memory.stat", stat);
  }
  void limit_v1(const std::string& folder, std::uint64_t limit, std::uint64_t usage, std::string_view stat = "") {
    tree.write(folder + "/memory.limit_in_bytes", std::to_string(limit) + "\n");
    tree.write(folder + "/memory.usage_in_bytes", std::to_string(usage) + "\n");
    tree.write(folder + "/memory.stat", stat);
  }

  ScratchFolder tree;
  Cgroups cgroups{tree.path()};
};

TEST_F(CgroupTree, WithoutAnythingThereIsNoLimitAndNobodyIsFrozen) {
  EXPECT_FALSE(cgroups.open_container().read());
  EXPECT_EQ(cgroups.frozen_by(5), "");
}

TEST_F(CgroupTree, InANamespaceOfTheSecondVersionTheLimitIsAtTheMount) {
  mounts(unified_mounts);
  groups("0::/\n");
  limit_v2("sys/fs/cgroup", "1073741824", 900, "anon 500\ninactive_file 200\nactive_file 100\nslab 50\n");
  const auto found = cgroups.open_container().read();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->limit, 1073741824U);
  EXPECT_EQ(found->used, 600U) << "the cache of files can be taken back";
}

TEST_F(CgroupTree, MaxIsNoLimit) {
  mounts(unified_mounts);
  groups("0::/\n");
  limit_v2("sys/fs/cgroup", "max", 900);
  EXPECT_FALSE(cgroups.open_container().read());
}

TEST_F(CgroupTree, ALimitSetLaterIsReadThroughTheSameDescriptors) {
  mounts(unified_mounts);
  groups("0::/\n");
  limit_v2("sys/fs/cgroup", "max", 900);
  const ContainerReader reader = cgroups.open_container();
  ASSERT_FALSE(reader.read());
  limit_v2("sys/fs/cgroup", "2000", 1000);
  ASSERT_TRUE(reader.read());
  EXPECT_EQ(reader.read()->limit, 2000U);
  EXPECT_EQ(reader.read()->used, 1000U);
}

TEST_F(CgroupTree, OfOurOwnGroupAndThoseAboveTheSmallestLimitCountsWithItsUsage) {
  mounts(unified_mounts);
  groups("0::/pod/app\n");
  limit_v2("sys/fs/cgroup/pod/app", "5000", 100);
  limit_v2("sys/fs/cgroup/pod", "4000", 3900);
  const auto found = cgroups.open_container().read();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->limit, 4000U);
  EXPECT_EQ(found->used, 3900U);
}

TEST_F(CgroupTree, AGroupWithoutTheControllerIsLimitedByTheOneAbove) {
  mounts(unified_mounts);
  groups("0::/pod/app\n");
  tree.write("sys/fs/cgroup/pod/app/cgroup.procs", "");
  limit_v2("sys/fs/cgroup/pod", "4000", 3900);
  ASSERT_TRUE(cgroups.open_container().read());
  EXPECT_EQ(cgroups.open_container().read()->limit, 4000U);
}

TEST_F(CgroupTree, FilesAboveTheMountPointAreNotTheHierarchys) {
  mounts(unified_mounts);
  groups("0::/app\n");
  limit_v2("sys/fs/cgroup/app", "max", 100);
  limit_v2("sys/fs", "4000", 3900);
  EXPECT_FALSE(cgroups.open_container().read());
}

TEST_F(CgroupTree, WithBothVersionsTheMemoryControllerIsTheFirsts) {
  mounts(hybrid_mounts);
  groups("4:memory:/docker/12ab\n3:cpu,cpuacct:/docker/12ab\n0::/docker/12ab\n");
  limit_v1("sys/fs/cgroup/memory/docker/12ab", 1000, 900,
           "inactive_file 1\nactive_file 1\ntotal_inactive_file 200\ntotal_active_file 300\n");
  limit_v1("sys/fs/cgroup/memory", 9223372036854771712U, 5000);
  limit_v2("sys/fs/cgroup/unified/docker/12ab", "10", 10);
  const auto found = cgroups.open_container().read();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->limit, 1000U);
  EXPECT_EQ(found->used, 400U) << "with the groups below it";
}

TEST_F(CgroupTree, TheFirstVersionsLargestNumberIsNoLimit) {
  mounts(hybrid_mounts);
  groups("4:memory:/\n0::/\n");
  limit_v1("sys/fs/cgroup/memory", 9223372036854771712U, 5000);
  EXPECT_FALSE(cgroups.open_container().read());
}

TEST_F(CgroupTree, AMountOfOneGroupOnlyIsThatGroupThoughTheHostsPathIsShown) {
  mounts("35 31 0:32 /docker/12ab /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory\n");
  groups("4:memory:/docker/12ab\n");
  limit_v1("sys/fs/cgroup/memory", 1000, 900);
  ASSERT_TRUE(cgroups.open_container().read());
  EXPECT_EQ(cgroups.open_container().read()->limit, 1000U);
}

TEST_F(CgroupTree, WhereThePathMakesNoSenseTheMountIsTakenForOurGroup) {
  mounts("35 31 0:32 /../../12ab /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw\n");
  groups("0::/elsewhere\n");
  limit_v2("sys/fs/cgroup", "1000", 900);
  ASSERT_TRUE(cgroups.open_container().read());
}

TEST_F(CgroupTree, ACacheThatGrewSinceTheUsageWasReadIsNoHugeNumber) {
  mounts(unified_mounts);
  groups("0::/\n");
  limit_v2("sys/fs/cgroup", "1000", 100, "inactive_file 500\n");
  EXPECT_EQ(cgroups.open_container().read()->used, 0U);
}

TEST_F(CgroupTree, OomKillsAreThoseOfOurOwnGroup) {
  mounts(unified_mounts);
  groups("0::/app.slice/a\n");
  tree.write("sys/fs/cgroup/app.slice/memory.events", "oom_kill 40\n");
  tree.write("sys/fs/cgroup/app.slice/a/memory.events", "low 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 0\n");
  const GroupOomKills kills = cgroups.open_oom_kills();
  EXPECT_EQ(kills.read(), 3U);
  tree.write("sys/fs/cgroup/app.slice/a/memory.events", "oom_kill 4\n");
  EXPECT_EQ(kills.read(), 4U) << "through the same descriptor";
  tree.write("sys/fs/cgroup/app.slice/a/memory.events", "");
  EXPECT_FALSE(kills.read());
}

TEST_F(CgroupTree, OomKillsOfTheFirstVersionStandBesideItsSwitch) {
  mounts(hybrid_mounts);
  groups("8:memory:/docker/12ab\n0::/\n");
  tree.write("sys/fs/cgroup/memory/docker/12ab/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  EXPECT_EQ(cgroups.open_oom_kills().read(), 2U);
}

TEST_F(CgroupTree, OomKillsAreNotCountedByWhatMayBeAnothersGroupOrAnOldKernels) {
  mounts("35 31 0:32 /12ab /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw\n");
  groups("0::/elsewhere\n");
  tree.write("sys/fs/cgroup/memory.events", "oom_kill 3\n");
  EXPECT_FALSE(cgroups.open_oom_kills().is_open()) << "by the mount alone";
  mounts(hybrid_mounts);
  groups("8:memory:/a\n");
  tree.write("sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
  EXPECT_FALSE(cgroups.open_oom_kills().is_open());
}

TEST_F(CgroupTree, AFrozenGroupOfTheFirstVersionIsNamed) {
  mounts(hybrid_mounts);
  groups("6:freezer:/jobs/a\n0::/\n", "7");
  tree.write("sys/fs/cgroup/freezer/jobs/a/freezer.state", "FROZEN\n");
  EXPECT_EQ(cgroups.frozen_by(7), "cgroup v1 /jobs/a");
  tree.write("sys/fs/cgroup/freezer/jobs/a/freezer.state", "FREEZING\n");
  EXPECT_EQ(cgroups.frozen_by(7), "cgroup v1 /jobs/a");
  tree.write("sys/fs/cgroup/freezer/jobs/a/freezer.state", "THAWED\n");
  EXPECT_EQ(cgroups.frozen_by(7), "");
}

TEST_F(CgroupTree, AFrozenGroupOfTheSecondVersionIsNamed) {
  mounts(unified_mounts);
  groups("0::/jobs/a\n", "7");
  tree.write("sys/fs/cgroup/jobs/a/cgroup.events", "populated 1\nfrozen 1\n");
  EXPECT_EQ(cgroups.frozen_by(7), "cgroup v2 /jobs/a");
  tree.write("sys/fs/cgroup/jobs/a/cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_EQ(cgroups.frozen_by(7), "");
}

TEST_F(CgroupTree, AGroupThatCannotBeSeenFreezesNobodyByGuess) {
  mounts("35 31 0:32 /12ab /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw\n");
  groups("0::/elsewhere\n", "7");
  tree.write("sys/fs/cgroup/cgroup.events", "frozen 1\n");
  EXPECT_EQ(cgroups.frozen_by(7), "");
}

TEST(Cgroup, OurOwnGroupOnThisMachineIsReadWithoutError) {
  const Cgroups machine;
  EXPECT_EQ(machine.frozen_by(::getpid()), "");
  if (const auto found = machine.open_container().read()) {
    EXPECT_GT(found->limit, 0U);
  }
}

}  // namespace
}  // namespace plimsoll::sys

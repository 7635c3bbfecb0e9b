#include "daemon/run/stuck.hpp"

#include <gtest/gtest.h>

#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

/// A machine of files: /proc and, below it in the same folder, the mounted groups.
class Stuck : public testing::Test {
 protected:
  void process(int pid, char state, std::string_view status = "") {
    const std::string folder = "proc/" + std::to_string(pid);
    tree.write(folder + "/stat", std::to_string(pid) + " (worker) " + state +
                                     " 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
                                     "0 0 0 0 0 0 0 0 0 0 0 0\n");
    tree.write(folder + "/status", status);
  }
  [[nodiscard]] std::string told(const std::vector<core::ProcessId>& processes) const {
    return describe_stuck(sys::ProcFs(tree / "proc"), sys::Cgroups(tree.path()), processes);
  }

  ScratchFolder tree;
};

TEST_F(Stuck, UninterruptibleIsSaidWithThePlaceInTheKernel) {
  process(9, 'D');
  tree.write("proc/9/wchan", "rpc_wait_bit_killable");
  EXPECT_EQ(told({{9, 4711}}),
            "cannot be killed: 9 (worker) in state D, where no signal is taken, waiting in rpc_wait_bit_killable");
}

TEST_F(Stuck, ATracerIsNamedWithItsProgram) {
  process(9, 't', "TracerPid:\t12\n");
  process(12, 'S');
  EXPECT_EQ(told({{9, 4711}}), "cannot be killed: 9 (worker) in state t, stopped by its tracer, traced by 12 (worker)");
  process(9, 'Z', "TracerPid:\t13\n");
  EXPECT_EQ(told({{9, 4711}}), "cannot be killed: 9 (worker) in state Z, dead and not let go, traced by 13");
}

TEST_F(Stuck, ACoreDumpIsSaid) {
  process(9, 'D', "CoreDumping:\t1\n");
  EXPECT_EQ(told({{9, 4711}}),
            "cannot be killed: 9 (worker) in state D, where no signal is taken, writing a core dump");
  process(9, 'D', "CoreDumping:\t0\nTracerPid:\t0\n");
  EXPECT_EQ(told({{9, 4711}}), "cannot be killed: 9 (worker) in state D, where no signal is taken");
}

TEST_F(Stuck, AFreezerOfEitherVersionIsNamed) {
  process(9, 'D');
  tree.write("proc/self/mountinfo",
             "37 31 0:34 / /freezer rw - cgroup cgroup rw,freezer\n41 31 0:38 / /unified rw - cgroup2 cgroup2 rw\n");
  tree.write("proc/9/cgroup", "6:freezer:/jobs\n0::/slice\n");
  tree.write("freezer/jobs/freezer.state", "FROZEN\n");
  EXPECT_EQ(told({{9, 4711}}),
            "cannot be killed: 9 (worker) in state D, where no signal is taken, frozen by cgroup v1 /jobs");
  tree.write("freezer/jobs/freezer.state", "THAWED\n");
  tree.write("unified/slice/cgroup.events", "populated 1\nfrozen 1\n");
  EXPECT_EQ(told({{9, 4711}}),
            "cannot be killed: 9 (worker) in state D, where no signal is taken, frozen by cgroup v2 /slice");
}

TEST_F(Stuck, OneThatIsGoneOrAnothersByNowIsSaidSo) {
  process(9, 'S');
  EXPECT_EQ(told({{9, 5}, {10, 5}}),
            "cannot be killed: 9 (gone by now); 10 (cannot be read: No such file or directory)");
}

TEST_F(Stuck, OfManyTheFirstEightAreNamed) {
  std::vector<core::ProcessId> many;
  for (int pid = 101; pid <= 111; ++pid) {
    process(pid, 'D');
    many.push_back({pid, 4711});
  }
  const std::string text = told(many);
  EXPECT_NE(text.find("; 108 (worker)"), std::string::npos) << text;
  EXPECT_EQ(text.find("109"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("; and 3 more")) << text;
}

}  // namespace
}  // namespace plimsoll::run

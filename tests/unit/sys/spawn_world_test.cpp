// What the child finds around it: each order is seen to hold in /proc of a real child, and each one that the kernel
// refuses is told by its step. As root everything is tried on a user without rights; without root, that it is refused.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "daemon/sys/io_priority.hpp"
#include "daemon/sys/spawn.hpp"
#include "tests/unit/sys/processes.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::sys {
namespace {

constexpr uid_t nobody_user = 65534;
constexpr gid_t some_group = 12345;

bool are_root() {
  return ::geteuid() == 0;
}

/// "Uid:" → "0\t0\t0\t0" of /proc/self/status, as a child of that request finds it.
std::string line_of(SpawnRequest request, const std::string& name) {
  request.argv = {"cat", "/proc/self/status"};
  std::istringstream status(output_of(request));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return "(none)";
}

void expect_refused(const SpawnRequest& request, SpawnStep step, int error) {
  const auto outcome = spawn(request);
  EXPECT_FALSE(outcome.ok);
  EXPECT_EQ(std::string(to_text(outcome.failure.step)), to_text(step));
  EXPECT_EQ(outcome.failure.error, error) << ::strerror(outcome.failure.error);
}

TEST(SpawnWorld, UserAndGroupsAreAllOfThem) {
  SpawnRequest request = request_of({"true"});
  request.user = nobody_user;
  request.group = some_group;
  request.groups = {7, 1000};
  if (!are_root()) return expect_refused(request, SpawnStep::groups, EPERM);
  EXPECT_EQ(line_of(request, "Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(line_of(request, "Gid"), "12345\t12345\t12345\t12345");
  EXPECT_EQ(line_of(request, "Groups"), "7 1000 ");
  EXPECT_EQ(line_of(request, "CapEff"), "0000000000000000");
  request.groups.emplace();
  EXPECT_EQ(line_of(request, "Groups"), " ") << "an empty list is none at all";
}

TEST(SpawnWorld, ParentStaysWhoItIs) {
  SpawnRequest request = request_of({"true"});
  request.user = are_root() ? nobody_user : ::geteuid();
  request.umask = 0;
  request.nice = 5;
  request.oom_score_adj = 500;
  const uid_t user = ::geteuid();
  const mode_t mask = ::umask(022);
  const int niceness = ::getpriority(PRIO_PROCESS, 0);
  ASSERT_EQ(::prctl(PR_GET_DUMPABLE), 1);
  const std::string oom = [] {
    std::string text(16, '\0');
    const Fd file(::open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC));
    text.resize(static_cast<std::size_t>(::read(file.get(), text.data(), text.size())));
    return text;
  }();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok) << to_text(outcome.failure.step);
  EXPECT_EQ(status_of(outcome.spawned.pidfd).code, 0);
  EXPECT_EQ(::geteuid(), user);
  EXPECT_EQ(::umask(mask), 022U);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), niceness);
  EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 1) << "core dumps of the daemon, and its own files in /proc";
  SpawnRequest after = request_of({"cat", "/proc/self/oom_score_adj"});
  EXPECT_EQ(output_of(after), oom) << "a child without orders has ours";
}

TEST(SpawnWorld, UmaskNiceIoPriorityAndOomScoreHold) {
  SpawnRequest request = request_of({"true"});
  request.umask = 0027;
  EXPECT_EQ(line_of(request, "Umask"), "0027");
  request.argv = {"nice"};
  request.nice = 7;
  EXPECT_EQ(output_of(request), "7\n");
  request.oom_score_adj = 321;
  request.argv = {"cat", "/proc/self/oom_score_adj"};
  EXPECT_EQ(output_of(request), "321\n");
  request.io_priority = io_priority(IoPriorityClass::best_effort, 6);
  request.argv = {"sh", "-c", "read line; :"};
  Pipe in;
  request.stdin_fd = in.read_end.get();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok);
  EXPECT_EQ(::syscall(SYS_ioprio_get, io_priority_of_process, outcome.spawned.pid), *request.io_priority);
  in.write_end = Fd();
  status_of(outcome.spawned.pidfd);
}

TEST(SpawnWorld, LimitsHoldAndTheHardOneTakesTheSoftOneAlong) {
  SpawnRequest request = request_of({"sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc"});
  request.descriptor_limit = 99;
  request.limits = {{RLIMIT_NOFILE, 64, {}}, {RLIMIT_CORE, {}, 0}};
  rlimit ours{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &ours), 0);
  EXPECT_EQ(output_of(request), "64\n" + std::to_string(ours.rlim_max) + "\n0\n0\n");
}

TEST(SpawnWorld, RefusedLimitIsNamed) {
  SpawnRequest request = request_of({"true"});
  request.limits = {{RLIMIT_CORE, 0, 0}, {RLIMIT_NICE, 5, 4}};
  const auto outcome = spawn(request);
  EXPECT_FALSE(outcome.ok);
  EXPECT_EQ(outcome.failure.step, SpawnStep::limits);
  EXPECT_EQ(outcome.failure.error, EINVAL);
  EXPECT_EQ(outcome.failure.resource, RLIMIT_NICE);
}

TEST(SpawnWorld, WhatTheKernelRefusesIsToldByItsStep) {
  SpawnRequest request = request_of({"true"});
  request.oom_score_adj = 2000;
  expect_refused(request, SpawnStep::oom_score_adj, EINVAL);
  request.oom_score_adj.reset();
  request.io_priority = 7 << 13;
  expect_refused(request, SpawnStep::io_priority, EINVAL);
  request.io_priority.reset();
  request.working_directory = "/no/such/folder";
  expect_refused(request, SpawnStep::working_directory, ENOENT);
}

TEST(SpawnWorld, WithoutRightsEachStepThatNeedsThemIsTold) {
  const std::pair<SpawnStep, void (*)(SpawnRequest&)> steps[] = {
      {SpawnStep::nice, [](SpawnRequest& request) { request.nice = -20; }},
      {SpawnStep::groups, [](SpawnRequest& request) { request.groups = {some_group}; }},
      {SpawnStep::group, [](SpawnRequest& request) { request.group = some_group; }},
      {SpawnStep::user, [](SpawnRequest& request) { request.user = 12345; }},
      {SpawnStep::capabilities, [](SpawnRequest& request) { request.capabilities = 0; }}};
  for (const auto& [step, ask] : steps) {
    in_own_process([&step = step, &ask = ask]() -> std::string {
      if (are_root() && (::setgid(nobody_user) != 0 || ::setuid(nobody_user) != 0)) return "setuid";
      SpawnRequest request = request_of({"true"});
      ask(request);
      const auto outcome = spawn(request);
      if (outcome.ok) return std::string("it was allowed: ") + to_text(step);
      const bool denied = outcome.failure.error == EPERM || outcome.failure.error == EACCES;
      return outcome.failure.step == step && denied ? ""
                                                    : std::string("another failure: ") + to_text(outcome.failure.step);
    });
  }
}

TEST(SpawnWorld, CapabilitiesThatAreNotKeptLeaveTheBoundingSet) {
  SpawnRequest request = request_of({"true"});
  request.capabilities = 1U << 10U | 1U;  // NET_BIND_SERVICE and CHOWN
  if (!are_root()) return expect_refused(request, SpawnStep::capabilities, EPERM);
  EXPECT_EQ(line_of(request, "CapBnd"), "0000000000000401");
  EXPECT_EQ(line_of(request, "CapEff"), "0000000000000401");
  EXPECT_EQ(line_of(request, "CapAmb"), "0000000000000000");
  request.user = nobody_user;
  EXPECT_EQ(line_of(request, "CapBnd"), "0000000000000401");
  EXPECT_EQ(line_of(request, "CapEff"), "0000000000000000");
}

TEST(SpawnWorld, NoNewPrivilegesHolds) {
  SpawnRequest request = request_of({"true"});
  EXPECT_EQ(line_of(request, "NoNewPrivs"), "0");
  request.no_new_privs = true;
  EXPECT_EQ(line_of(request, "NoNewPrivs"), "1");
  if (are_root()) request.user = nobody_user;
  EXPECT_EQ(line_of(request, "NoNewPrivs"), "1");
}

TEST(SpawnWorld, WorkingDirectoryIsEnteredAsTheUser) {
  const ScratchFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
  SpawnRequest request = request_of({"pwd"});
  request.working_directory = folder.path();
  EXPECT_EQ(output_of(request), folder.path() + "\n");
  request.user = nobody_user;
  expect_refused(request, are_root() ? SpawnStep::working_directory : SpawnStep::user, are_root() ? EACCES : EPERM);
}

TEST(SpawnWorld, GroupOfItsOwnStaysInOurSession) {
  SpawnRequest request = request_of({"cat", "/proc/self/stat"});
  request.session = SpawnSession::group;
  std::istringstream stat(output_of(request));
  std::string pid, comm, state, parent, group, session;
  stat >> pid >> comm >> state >> parent >> group >> session;
  EXPECT_EQ(group, pid);
  EXPECT_EQ(session, std::to_string(::getsid(0)));
}

}  // namespace
}  // namespace plimsoll::sys

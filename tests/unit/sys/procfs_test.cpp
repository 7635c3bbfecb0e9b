#include "daemon/sys/procfs.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/unit/sys/processes.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::sys {
namespace {

namespace fs = std::filesystem;
using Pids = std::vector<pid_t>;

Pids sorted(Pids pids) {
  std::sort(pids.begin(), pids.end());
  return pids;
}

/// A tree in the place of /proc.
class FixtureTree : public testing::Test {
 protected:
  ScratchFolder tree;
  ProcFs proc{tree.path()};
};

TEST_F(FixtureTree, ListTakesThePidsWithTheirInodes) {
  for (const char* name : {"1", "77", "4194304", "self", "sys", "1x", "007", "0", "-3", "99999999999"}) {
    fs::create_directory(tree / name);
  }
  const auto listed = proc.list();
  ASSERT_TRUE(listed.has_value());
  Pids pids;
  for (const auto& entry : *listed) {
    pids.push_back(entry.pid);
    struct stat found {};
    ASSERT_EQ(::stat((tree / std::to_string(entry.pid)).c_str(), &found), 0);
    EXPECT_EQ(entry.inode, found.st_ino);
  }
  EXPECT_EQ(sorted(pids), (Pids{1, 77, 4194304}));
}

TEST_F(FixtureTree, ListOfATreeThatIsNotThereIsAnError) {
  const auto listed = ProcFs(tree / "missing").list();
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().value(), ENOENT);
}

TEST_F(FixtureTree, WordsWithoutEndAreReadOnlySoFar) {
  fs::create_directory(tree / "77");
  std::ofstream(tree / "77/environ") << std::string(std::size_t{5} << 20, '\0');
  const auto words = proc.environ(77);
  ASSERT_TRUE(words);
  EXPECT_LE(words->size(), (std::size_t{1} << 20) + 4096);
}

TEST_F(FixtureTree, ProcessThatIsNotThereIsEnoentEverywhere) {
  EXPECT_EQ(proc.stat(5).error().value(), ENOENT);
  EXPECT_EQ(proc.cmdline(5).error().value(), ENOENT);
  EXPECT_EQ(proc.environ(5).error().value(), ENOENT);
  EXPECT_EQ(proc.exe(5).error().value(), ENOENT);
  EXPECT_EQ(proc.cwd(5).error().value(), ENOENT);
  EXPECT_EQ(proc.uid(5).error().value(), ENOENT);
  EXPECT_EQ(proc.open_children(5, 5).error().value(), ENOENT);
  EXPECT_EQ(proc.socket_inodes(5).error().value(), ENOENT);
  EXPECT_EQ(proc.tcp(5).error().value(), ENOENT);
  EXPECT_EQ(proc.open_statm(5).error().value(), ENOENT);
  EXPECT_EQ(proc.catches(5, SIGTERM).error().value(), ENOENT);
  EXPECT_FALSE(proc.peak_rss(5));
  EXPECT_FALSE(proc.exact_rss(5));
  EXPECT_EQ(proc.wchan(5), "");
  EXPECT_EQ(proc.tracer(5), 0);
  EXPECT_EQ(proc.open_vmstat().error().value(), ENOENT);
  EXPECT_EQ(proc.boot_id(), "");
  EXPECT_EQ(proc.pid_namespace(), 0U);
}

TEST_F(FixtureTree, TextThatIsNoneIsBadAndNotGuessed) {
  tree.write("5/stat", "5 (cut");
  tree.write("5/status", "Name:\tx\n");
  EXPECT_EQ(proc.stat(5).error().value(), EBADMSG);
  EXPECT_EQ(proc.uid(5).error().value(), EBADMSG);
  EXPECT_EQ(proc.catches(5, SIGTERM).error().value(), EBADMSG);
}

TEST_F(FixtureTree, StatusIsReadLineByLine) {
  tree.write("5/status",
             "Name:\tUid: 9\nUid:\t1000\t1001\t1002\t1003\nTracerPid:\t321\nVmHWM:\t   2048 kB\nVmRSS:\t  1024 kB\n"
             "SigBlk:\tffffffffffffffff\nSigCgt:\t8000000000004002\n");
  EXPECT_EQ(*proc.uid(5), uid_t{1000});
  EXPECT_EQ(proc.tracer(5), 321);
  EXPECT_EQ(proc.peak_rss(5), 2048U * 1024);
  EXPECT_TRUE(*proc.catches(5, 2));
  EXPECT_TRUE(*proc.catches(5, 15));
  EXPECT_TRUE(*proc.catches(5, 64));
  for (const int other : {-1, 0, 1, 3, 14, 16, 63, 65, 1000}) EXPECT_FALSE(*proc.catches(5, other)) << other;
}

TEST_F(FixtureTree, ChildrenAreThoseOfAThread) {
  tree.write("5/task/5/children", "10 11 ");
  tree.write("5/task/6/children", "12 ");
  tree.write("5/task/7/children", "");
  EXPECT_EQ(*read_children(*proc.open_children(5, 5)), (Pids{10, 11}));
  EXPECT_EQ(*read_children(*proc.open_children(5, 6)), (Pids{12}));
  EXPECT_EQ(*read_children(*proc.open_children(5, 7)), Pids{});
}

TEST_F(FixtureTree, ChildrenOfAKernelWithoutThemAreAnError) {
  fs::create_directories(tree / "5/task/5");
  EXPECT_EQ(proc.open_children(5, 5).error().value(), ENOENT);
}

TEST_F(FixtureTree, LinksAreReadWithoutTheMarkOfADeletedFile) {
  fs::create_directories(tree / "5");
  fs::create_symlink("/opt/app/query-engine (deleted)", tree / "5/exe");
  fs::create_symlink("/srv/api", tree / "5/cwd");
  EXPECT_EQ(*proc.exe(5), "/opt/app/query-engine");
  EXPECT_EQ(*proc.cwd(5), "/srv/api");
}

TEST_F(FixtureTree, SocketsAreFoundAmongTheDescriptors) {
  fs::create_directories(tree / "5/fd");
  fs::create_symlink("socket:[4711]", tree / "5/fd/3");
  fs::create_symlink("pipe:[4712]", tree / "5/fd/4");
  fs::create_symlink("/var/socket:[4713]", tree / "5/fd/5");
  fs::create_symlink("socket:[x]", tree / "5/fd/6");
  EXPECT_EQ(*proc.socket_inodes(5), std::vector<std::uint64_t>{4711});
}

TEST_F(FixtureTree, TcpOfOneFamilyIsEnough) {
  const std::string line = "0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n";
  tree.write("5/net/tcp", line);
  EXPECT_EQ(proc.tcp(5)->size(), 1U);
  tree.write("5/net/tcp6", line + line);
  EXPECT_EQ(proc.tcp(5)->size(), 3U);
}

TEST_F(FixtureTree, WholeMachineIsReadAtTheRoot) {
  tree.write("vmstat", "nr_free_pages 5\noom_kill_x 3\noom_kill 12\n");
  tree.write("sys/kernel/random/boot_id", "d2b1c3e4-0000-4000-8000-000000000001\n");
  const std::string link = tree.write("self/ns/pid", "");
  const auto vmstat = proc.open_vmstat();
  ASSERT_TRUE(vmstat);
  EXPECT_EQ(read_vmstat(*vmstat).oom_kills, 12U);
  tree.write("vmstat", "nr_free_pages 5\n" + std::string(20'000, 'x') + " 1\noom_kill 13\nlast 1\n");
  EXPECT_EQ(read_vmstat(*vmstat).oom_kills, 13U) << "it is held, and read anew, however long";
  tree.write("vmstat", "nr_free_pages 5\n");
  EXPECT_FALSE(read_vmstat(*vmstat).oom_kills);
  EXPECT_EQ(proc.boot_id(), "d2b1c3e4-0000-4000-8000-000000000001");
  struct stat found {};
  ASSERT_EQ(::stat(link.c_str(), &found), 0);
  EXPECT_EQ(proc.pid_namespace(), found.st_ino);
}

TEST_F(FixtureTree, WchanOfNothingIsEmpty) {
  tree.write("5/wchan", "do_wait");
  tree.write("6/wchan", "0");
  EXPECT_EQ(proc.wchan(5), "do_wait");
  EXPECT_EQ(proc.wchan(6), "");
}

TEST_F(FixtureTree, LongTextIsReadWhole) {
  std::string words;
  for (int i = 0; i < 5000; ++i) words += "word" + std::string(1, '\0');
  tree.write("5/cmdline", words);
  EXPECT_EQ(proc.cmdline(5)->size(), 5000U);
}

TEST_F(FixtureTree, StatmWithoutPagesIsZeroAndNotNothing) {
  tree.write("5/statm", "0 0 0 0 0 0 0\n");
  tree.write("6/statm", "garbage");
  EXPECT_EQ(read_statm_resident(*proc.open_statm(5)), 0U);
  EXPECT_FALSE(read_statm_resident(*proc.open_statm(6)));
}

// The kernel's own tree
// ---------------------------------------------------------------------------------------------------

class KernelTree : public testing::Test {
 protected:
  ProcFs proc;
  pid_t self = ::getpid();
};

TEST_F(KernelTree, ListHasUsWithTheInodeOfOurFolder) {
  struct stat found {};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(self)).c_str(), &found), 0);
  const auto listed = proc.list();
  ASSERT_TRUE(listed.has_value());
  const auto us = std::find_if(listed->begin(), listed->end(), [&](const Listed& entry) { return entry.pid == self; });
  ASSERT_NE(us, listed->end());
  EXPECT_EQ(us->inode, found.st_ino);
}

TEST_F(KernelTree, TellsWhoAChildIs) {
  const ScratchFolder folder;
  Pipe in;
  Pipe out;
  SpawnRequest request = request_of({"cat", "-"});
  request.environment.push_back("PLIMSOLL_RUN=x y");
  request.working_directory = folder.path();
  request.stdin_fd = in.read_end.get();
  request.stdout_fd = out.write_end.get();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok);
  const pid_t pid = outcome.spawned.pid;
  ASSERT_EQ(::write(in.write_end.get(), "x", 1), 1);
  ASSERT_EQ(read_exactly(out.read_end, 1), "x") << "its exec is over once it answers";
  const auto stat = proc.stat(pid);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->pid, pid);
  EXPECT_EQ(stat->ppid, self);
  EXPECT_EQ(stat->session, pid);
  EXPECT_EQ(stat->threads, 1U);
  EXPECT_GE(stat->start_time, proc.stat(self)->start_time);
  EXPECT_EQ(*proc.cmdline(pid), (std::vector<std::string>{"cat", "-"}));
  EXPECT_EQ(*proc.environ(pid), request.environment);
  EXPECT_EQ(*proc.cwd(pid), folder.path());
  EXPECT_EQ(fs::path(*proc.exe(pid)).filename(), fs::canonical("/usr/bin/cat").filename());
  EXPECT_EQ(*proc.uid(pid), ::getuid());
  EXPECT_GT(proc.peak_rss(pid).value_or(0), 0U);
  EXPECT_GT(proc.exact_rss(pid).value_or(0), 0U);
  EXPECT_FALSE(*proc.catches(pid, SIGTERM));
  in.write_end = Fd();
  EXPECT_EQ(status_of(outcome.spawned.pidfd).code, 0);
}

TEST_F(KernelTree, ZombieHasItsExitCodeAndNoMemory) {
  const auto outcome = spawn(request_of({"sh", "-c", "exit 7"}));
  ASSERT_TRUE(outcome.ok);
  ASSERT_TRUE(becomes_readable(outcome.spawned.pidfd.get()));
  const pid_t pid = outcome.spawned.pid;
  const auto stat = proc.stat(pid);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->state, 'Z');
  EXPECT_EQ(stat->exit_code, 7 << 8);
  EXPECT_FALSE(proc.peak_rss(pid));
  EXPECT_FALSE(proc.exact_rss(pid));
  const auto statm = proc.open_statm(pid);
  ASSERT_TRUE(statm.has_value());
  EXPECT_EQ(read_statm_resident(*statm), 0U);

  (void)status_of(outcome.spawned.pidfd);
  EXPECT_FALSE(read_statm_resident(*statm)) << "gone";
  EXPECT_FALSE(proc.stat(pid).has_value());
}

TEST_F(KernelTree, CommWithParenthesesIsReadWhole) {
  in_own_process([]() -> std::string {
    if (::prctl(PR_SET_NAME, ") R 1 (x)") != 0) return "prctl";
    const auto stat = ProcFs().stat(::getpid());
    return stat && stat->comm == ") R 1 (x)" && stat->ppid == ::getppid() ? "" : "misread";
  });
}

TEST_F(KernelTree, ErrorsThatSayNothingAboutTheProcessAreKnown) {
  EXPECT_FALSE(proc.cannot_say(error_of(ENOENT))) << "we are there, so it is gone";
  EXPECT_FALSE(proc.cannot_say(error_of(ESRCH)));
  EXPECT_FALSE(proc.cannot_say(error_of(EACCES))) << "not ours to see";
  EXPECT_TRUE(proc.cannot_say(error_of(EMFILE)));
  EXPECT_TRUE(proc.cannot_say(error_of(ENOMEM)));
  const ScratchFolder nothing;
  EXPECT_TRUE(ProcFs(nothing.path()).cannot_say(error_of(ENOENT))) << "nobody is there, not even we";
}

TEST_F(KernelTree, HeldListOfChildrenIsReadAnewEachTime) {
  const auto held = ProcFs().open_children(::getpid(), ::getpid());
  ASSERT_TRUE(held.has_value());
  const auto before = read_children(*held);
  ASSERT_TRUE(before.has_value());
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  const auto with_child = read_children(*held);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto after = read_children(*held);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(*after, *before);
  ASSERT_TRUE(with_child.has_value());
  EXPECT_EQ(with_child->size(), before->size() + 1);
  EXPECT_EQ(with_child->back(), child);
}

TEST_F(KernelTree, HandlerIsSeen) {
  ASSERT_NE(::signal(SIGUSR2, [](int) {}), SIG_ERR);
  EXPECT_TRUE(*proc.catches(self, SIGUSR2));
  ASSERT_NE(::signal(SIGUSR2, SIG_IGN), SIG_ERR);
  EXPECT_FALSE(*proc.catches(self, SIGUSR2));
  ::signal(SIGUSR2, SIG_DFL);
}

TEST_F(KernelTree, ListeningSocketIsFoundByPortAndInode) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  socklen_t length = sizeof at;
  ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &length), 0);
  struct stat found {};
  ASSERT_EQ(::fstat(socket.get(), &found), 0);

  const auto inodes = proc.socket_inodes(self);
  ASSERT_TRUE(inodes.has_value());
  EXPECT_NE(std::find(inodes->begin(), inodes->end(), found.st_ino), inodes->end());
  const auto lines = proc.tcp(self);
  ASSERT_TRUE(lines.has_value());
  const auto ours =
      std::find_if(lines->begin(), lines->end(), [&](const TcpSocket& line) { return line.inode == found.st_ino; });
  ASSERT_NE(ours, lines->end());
  EXPECT_EQ(ours->local_port, ntohs(at.sin_port));
  EXPECT_EQ(ours->state, 10);
}

TEST_F(KernelTree, AnotherUsersProcessHidesWhatItHasOpen) {
  in_own_process([]() -> std::string {
    // Root has a process of another user in its parent once it is nobody; others have PID 1, unless that is theirs too.
    const pid_t other = ::geteuid() == 0 ? ::getppid() : 1;
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return "setresuid";
    const ProcFs all;
    const auto uid = all.uid(other);
    if (!all.stat(other) || !uid) return "stat and status are for everybody";
    const int expected = *uid == ::geteuid() ? 0 : EACCES;
    const auto inodes = all.socket_inodes(other);
    const auto exe = all.exe(other);
    if (inodes.error().value() != expected) return "descriptors: " + inodes.error().message();
    return exe.error().value() == expected ? "" : "exe: " + exe.error().message();
  });
}

TEST_F(KernelTree, WhoWeAre) {
  EXPECT_EQ(proc.boot_id().size(), 36U);
  EXPECT_EQ("pid:[" + std::to_string(proc.pid_namespace()) + "]", fs::read_symlink("/proc/self/ns/pid").string());
  const auto vmstat = proc.open_vmstat();
  ASSERT_TRUE(vmstat);
  EXPECT_TRUE(read_vmstat(*vmstat).oom_kills);
  const auto before = read_vmstat(*vmstat).faulted_pages;
  constexpr std::size_t pages = 4'096;
  std::vector<char> touched(pages * 4'096, 'x');
  EXPECT_EQ(touched.back(), 'x');
  EXPECT_GE(read_vmstat(*vmstat).faulted_pages.value(), before.value() + pages / 16);
}

TEST(StatmBound, IsNoneWhereTheKernelSumsAndStatedWhereItDoesNot) {
  const auto bound = measure_statm_bound(ProcFs());
  EXPECT_TRUE(bound.exact || !kernel_is_at_least(6, 16));
  EXPECT_EQ(bound.exact, bound.per_thread == 0 && bound.per_process == 0);
  EXPECT_TRUE(bound.per_thread == 0 || bound.per_process == 0) << "one kernel has one of them";
}

TEST(StatmBound, WhatCannotBeComparedIsNotCalledExact) {
  const ScratchFolder empty;
  const auto bound = measure_statm_bound(ProcFs(empty.path()));
  EXPECT_FALSE(bound.exact);
  EXPECT_GT(bound.per_thread + bound.per_process, 0U);
}

TEST(StatmBound, StatmThatLagsBehindThePageTablesIsNotExact) {
  const ScratchFolder tree;
  const std::string self = std::to_string(::getpid());
  tree.write(self + "/statm", "1000 500 0 0 0 0 0\n");
  tree.write(self + "/smaps_rollup", "Rss:    9000 kB\n");
  EXPECT_FALSE(measure_statm_bound(ProcFs(tree.path())).exact);
  tree.write(self + "/smaps_rollup", "Rss:    1 kB\n");
  EXPECT_TRUE(measure_statm_bound(ProcFs(tree.path())).exact);
}

}  // namespace
}  // namespace plimsoll::sys

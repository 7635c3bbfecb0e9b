#include "daemon/sys/spawn.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>
#include <future>
#include <sstream>
#include <thread>

#include "daemon/sys/procfs.hpp"
#include "tests/unit/sys/processes.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::sys {
namespace {

void expect_failure(const SpawnRequest& request, SpawnStep step, int error) {
  const auto outcome = spawn(request);
  EXPECT_FALSE(outcome.ok);
  EXPECT_EQ(to_text(outcome.failure.step), std::string(to_text(step)));
  EXPECT_EQ(outcome.failure.error, error) << strerror(outcome.failure.error);
  EXPECT_FALSE(outcome.spawned.pidfd);
}

std::string executable(const ScratchFolder& folder, std::string_view name, std::string_view text) {
  std::string path = folder.write(name, text);
  EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
  return path;
}

TEST(Spawn, DescriptorBesideStdioIsPlacedWhereItIsAskedFor) {
  for (const int target : {3, 4, 9, 200}) {
    Pipe said;
    SpawnRequest request = request_of({"python3", "-c", "import os,sys; os.write(int(sys.argv[1]), b'ready\\n')"});
    request.argv.push_back(std::to_string(target));
    request.notification_fd = said.write_end.get();
    request.notification_target = target;
    EXPECT_EQ(output_of(request), "");
    said.write_end = Fd();
    EXPECT_EQ(read_to_end(said.read_end), "ready\n") << target;
  }
}

TEST(Spawn, DescriptorBesideStdioIsTheOnlyOneThere) {
  Pipe said;
  SpawnRequest request = request_of({"ls", "/proc/self/fd"});
  request.notification_fd = said.write_end.get();
  request.notification_target = 7;
  // 3 is what ls opened itself.
  EXPECT_EQ(output_of(request), "0\n1\n2\n3\n7\n");
}

TEST(Spawn, ProgramThatIsNowhereInPathIsNotFound) {
  expect_failure(request_of({"plimsoll-no-such-program"}), SpawnStep::exec, ENOENT);
}

TEST(Spawn, PathThatLeadsNowhereIsNotFound) {
  expect_failure(request_of({"/no/such/program"}), SpawnStep::exec, ENOENT);
  expect_failure(request_of({""}), SpawnStep::exec, ENOENT);
}

TEST(Spawn, FileWithoutTheXBitIsNotExecutable) {
  const ScratchFolder folder;
  expect_failure(request_of({folder.write("program", "#!/bin/sh\n")}), SpawnStep::exec, EACCES);
}

TEST(Spawn, NotExecutableIsRememberedOverNotFound) {
  const ScratchFolder folder;
  folder.write("denied/program", "#!/bin/sh\n");
  SpawnRequest request = request_of({"program"});
  request.environment = {"PATH=" + folder / "denied" + ":" + folder / "missing"};
  expect_failure(request, SpawnStep::exec, EACCES);
  request.environment = {"PATH=" + folder / "missing" + ":" + folder / "denied"};
  expect_failure(request, SpawnStep::exec, EACCES);
}

TEST(Spawn, LaterFolderOfPathIsTakenAfterOneThatCannot) {
  const ScratchFolder folder;
  folder.write("denied/program", "#!/bin/sh\n");
  folder.write("file", "");
  executable(folder, "good/program", "#!/bin/sh\necho good\n");
  SpawnRequest request = request_of({"program"});
  request.environment = {"PATH=" + folder / "missing" + ":" + folder / "file" + ":/" + std::string(300, 'x') + ":" +
                         folder / "denied" + ":" + folder / "good"};
  EXPECT_EQ(output_of(request), "good\n");
}

TEST(Spawn, EmptyFolderOfPathIsTheWorkingDirectory) {
  const ScratchFolder folder;
  executable(folder, "program", "#!/bin/sh\necho here\n");
  SpawnRequest request = request_of({"program"});
  request.working_directory = folder.path();
  for (const char* path : {"PATH=", "PATH=/missing:", "PATH=:/missing", "PATH=/missing::/missing"}) {
    request.environment = {path};
    EXPECT_EQ(output_of(request), "here\n") << path;
  }
}

TEST(Spawn, WithoutPathTheUsualFoldersAreSearched) {
  SpawnRequest request = request_of({"sh", "-c", "echo found"});
  request.environment = {};
  EXPECT_EQ(output_of(request), "found\n");
}

TEST(Spawn, ScriptWithoutInterpreterIsReportedAndNotGivenToAShell) {
  const ScratchFolder folder;
  expect_failure(request_of({executable(folder, "program", "echo never\n")}), SpawnStep::exec, ENOEXEC);
}

TEST(Spawn, BadWorkingDirectoryIsToldApart) {
  const ScratchFolder folder;
  SpawnRequest request = request_of({"true"});
  request.working_directory = folder / "missing";
  expect_failure(request, SpawnStep::working_directory, ENOENT);
  request.working_directory = folder.write("file", "");
  expect_failure(request, SpawnStep::working_directory, ENOTDIR);
}

TEST(Spawn, StartsInTheWorkingDirectory) {
  const ScratchFolder folder;
  SpawnRequest request = request_of({"pwd"});
  request.working_directory = folder.path();
  EXPECT_EQ(output_of(request), folder.path() + "\n");
}

TEST(Spawn, ClosedDescriptorIsToldApart) {
  SpawnRequest request = request_of({"true"});
  request.stderr_fd = 9999;
  expect_failure(request, SpawnStep::descriptors, EBADF);
}

TEST(Spawn, EmptyArgvAndNulInsideAreRefused) {
  expect_failure(request_of({}), SpawnStep::exec, EINVAL);
  expect_failure(request_of({"true", std::string("a\0b", 3)}), SpawnStep::exec, EINVAL);
  SpawnRequest request = request_of({"true"});
  request.environment.push_back(std::string("A=\0", 3));
  expect_failure(request, SpawnStep::exec, EINVAL);
}

TEST(Spawn, NoMoreProcessesAllowedIsAFailureOfClone) {
  in_own_process([]() -> std::string {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return "setresuid";
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) return "setrlimit";
    const auto outcome = spawn(request_of({"true"}));
    if (outcome.ok) return "it started";
    return outcome.failure.step == SpawnStep::clone && outcome.failure.error == EAGAIN ? "" : "another failure";
  });
}

TEST(Spawn, FailedChildLeavesNoZombie) {
  expect_failure(request_of({"/no/such/program"}), SpawnStep::exec, ENOENT);
  const auto child = peek_ended_child();
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().value(), ECHILD);
}

TEST(Spawn, ArgumentsAndEnvironmentArriveUnchanged) {
  SpawnRequest request = request_of({"sh", "-c", "printf '<%s>' \"$@\"; env", "sh", "", "a b", "\xff\n*"});
  request.environment = {"PATH=/usr/bin:/bin", "ONE=1", "TWO=a b=c", "PWD=/", "OLDPWD=/"};
  const std::string text = output_of(request);
  EXPECT_TRUE(text.starts_with("<><a b><\xff\n*>")) << text;
  EXPECT_NE(text.find("ONE=1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("TWO=a b=c\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("HOME="), std::string::npos) << text;
}

/// In a thread of its own: what is to be reset is learned by a thread's first spawn.
void in_own_thread(const std::function<void()>& act) {
  std::thread(act).join();
}

/// Every signal that can be, but for SIGCHLD (nobody could be reaped), and back as they were at the end.
class AllIgnored {
 public:
  AllIgnored() {
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
      struct sigaction ignore {};
      ignore.sa_handler = SIG_IGN;
      ignored_[signal] = signal != SIGCHLD && ::sigaction(signal, &ignore, &before_[signal]) == 0;
    }
  }
  AllIgnored(const AllIgnored&) = delete;
  AllIgnored& operator=(const AllIgnored&) = delete;
  ~AllIgnored() {
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
      if (ignored_[signal]) ::sigaction(signal, &before_[signal], nullptr);
    }
  }

 private:
  std::array<bool, 65> ignored_{};
  std::array<struct sigaction, 65> before_{};
};

TEST(Spawn, DispositionsAndMaskAreResetAndOursStay) {
  in_own_thread([] {
    const AllIgnored ignored;
    sigset_t block;
    ::sigemptyset(&block);
    ::sigaddset(&block, SIGUSR1);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &block, nullptr), 0);

    for (const char* when : {"at first", "and again"}) {
      const std::string status = output_of(request_of({"cat", "/proc/self/status"}));
      EXPECT_NE(status.find("SigBlk:\t0000000000000000\n"), std::string::npos) << when << status;
      EXPECT_NE(status.find("SigIgn:\t0000000000000000\n"), std::string::npos) << when << status;
    }

    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    EXPECT_TRUE(::sigismember(&mask, SIGUSR1));
    EXPECT_FALSE(::sigismember(&mask, SIGUSR2));
    for (const int signal : {SIGHUP, SIGINT, SIGPIPE, SIGRTMIN + 3}) {
      struct sigaction ours {};
      ::sigaction(signal, nullptr, &ours);
      EXPECT_EQ(ours.sa_handler, SIG_IGN) << signal;
    }
  });
}

volatile sig_atomic_t handled = 0;

/// While it looks for its program the child has no signal blocked, and our memory.
TEST(Spawn, SignalBeforeTheExecRunsNoHandlerOfOurs) {
  const ProcFs proc;
  struct sigaction before {};
  struct sigaction catching {};
  catching.sa_handler = [](int) { handled = 1; };
  ASSERT_EQ(::sigaction(SIGUSR1, &catching, &before), 0);
  std::promise<pid_t> spawner;
  std::thread sender([&, thread = spawner.get_future()]() mutable {
    const auto children = proc.open_children(::getpid(), thread.get());
    ASSERT_TRUE(children.has_value());
    for (;;) {
      const auto listed = read_children(*children);
      ASSERT_TRUE(listed.has_value());
      if (!listed->empty()) return (void)::kill(listed->front(), SIGUSR1);
    }
  });
  in_own_thread([&] {
    SpawnRequest request = request_of({"plimsoll-no-such-program"});
    request.environment = {"PATH="};
    for (int i = 0; i < 100'000; ++i) request.environment.front() += "/x:";
    spawner.set_value(::gettid());
    const auto outcome = spawn(request);
    ASSERT_TRUE(outcome.ok) << "it found time to look everywhere";
    const auto status = status_of(outcome.spawned.pidfd);
    EXPECT_TRUE(status.signaled);
    EXPECT_EQ(status.signal, SIGUSR1);
  });
  sender.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(handled, 0);
}

TEST(Spawn, NoDescriptorLeaksThoughOpenedWithoutCloexec) {
  const Fd kept(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd careless(::dup2(kept.get(), 57));
  ASSERT_EQ(careless.get(), 57);
  std::istringstream listed(output_of(request_of({"ls", "/proc/self/fd"})));
  std::vector<int> numbers;
  for (int number = 0; listed >> number;) numbers.push_back(number);
  EXPECT_EQ(numbers, (std::vector<int>{0, 1, 2, 3})) << "3 is what ls reads the folder with";
  EXPECT_EQ(::fcntl(57, F_GETFD), 0) << "ours are left as they are";
}

TEST(Spawn, StdioIsRedirected) {
  Pipe in;
  Pipe out;
  Pipe err;
  SpawnRequest request = request_of({"sh", "-c", "read line; echo \"out $line\"; echo \"err $line\" >&2"});
  request.stdin_fd = in.read_end.get();
  request.stdout_fd = out.write_end.get();
  request.stderr_fd = err.write_end.get();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok);
  in.read_end = Fd();
  out.write_end = Fd();
  err.write_end = Fd();
  ASSERT_EQ(::write(in.write_end.get(), "word\n", 5), 5);
  EXPECT_EQ(read_to_end(out.read_end), "out word\n");
  EXPECT_EQ(read_to_end(err.read_end), "err word\n");
  EXPECT_EQ(status_of(outcome.spawned.pidfd).code, 0);
}

TEST(Spawn, DescriptorsZeroAndOneCanBeExchanged) {
  Pipe in;
  Pipe out;
  ASSERT_EQ(::write(in.write_end.get(), "through\n", 8), 8);
  in.write_end = Fd();
  in_own_process([&]() -> std::string {
    // The wrong way round on purpose.
    if (::dup2(in.read_end.get(), 1) != 1 || ::dup2(out.write_end.get(), 0) != 0) return "dup2";
    SpawnRequest request = request_of({"cat"});
    request.stdin_fd = 1;
    request.stdout_fd = 0;
    const auto outcome = spawn(request);
    if (!outcome.ok) return to_text(outcome.failure.step);
    return status_of(outcome.spawned.pidfd).code == 0 ? "" : "cat failed";
  });
  out.write_end = Fd();
  EXPECT_EQ(read_to_end(out.read_end), "through\n");
}

TEST(Spawn, DescriptorThatIsInPlaceLosesItsCloexec) {
  Pipe out;
  in_own_process([&]() -> std::string {
    if (::dup3(out.write_end.get(), 1, O_CLOEXEC) != 1) return "dup3";
    SpawnRequest request = request_of({"echo", "in place"});
    request.stdout_fd = 1;
    const auto outcome = spawn(request);
    if (!outcome.ok) return to_text(outcome.failure.step);
    return status_of(outcome.spawned.pidfd).code == 0 ? "" : "echo failed";
  });
  out.write_end = Fd();
  EXPECT_EQ(read_to_end(out.read_end), "in place\n");
}

TEST(Spawn, OneDescriptorCanBeSeveral) {
  Pipe out;
  SpawnRequest request = request_of({"sh", "-c", "echo one; echo two >&2"});
  request.stderr_fd = out.write_end.get();
  request.stdout_fd = out.write_end.get();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok);
  out.write_end = Fd();
  EXPECT_EQ(read_to_end(out.read_end), "one\ntwo\n");
  EXPECT_EQ(status_of(outcome.spawned.pidfd).code, 0);
}

TEST(Spawn, DescriptorLimitIsTheChildsAlone) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  SpawnRequest request = request_of({"sh", "-c", "ulimit -Sn"});
  request.descriptor_limit = 64;
  EXPECT_EQ(output_of(request), "64\n");
  request.descriptor_limit = before.rlim_max + 1;
  EXPECT_EQ(output_of(request), std::to_string(before.rlim_max) + "\n") << "as much as there is";
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_cur);
}

TEST(Spawn, SessionIsNewUnlessItIsToStay) {
  SpawnRequest request = request_of({"cat", "/proc/self/stat"});
  const auto own = parse_stat(output_of(request));
  ASSERT_TRUE(own);
  EXPECT_EQ(own->session, own->pid);
  request.session = SpawnSession::inherited;
  const auto shared = parse_stat(output_of(request));
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->session, ::getsid(0));
}

TEST(Spawn, PidfdIsTheProcessAndCloseOnExec) {
  const Endless child;
  EXPECT_EQ(::fcntl(child.pidfd().get(), F_GETFD), FD_CLOEXEC);
  const auto stat = ProcFs().stat(child.pid());
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->ppid, ::getpid());
}

TEST(Spawn, ThreadsCanSpawnAtTheSameTime) {
  constexpr int threads_at_once = 4;
  constexpr int spawns_each = 25;
  std::vector<std::thread> threads;
  std::vector<int> good(threads_at_once, 0);
  for (int i = 0; i < threads_at_once; ++i) {
    threads.emplace_back([&good, i] {
      for (int n = 0; n < spawns_each; ++n) {
        const int code = n % 2 == 0 ? i : 0;
        const auto outcome = spawn(request_of({"sh", "-c", "exit " + std::to_string(code)}));
        const auto missing = spawn(request_of({"/no/such/program"}));
        const bool exact = !missing.ok && missing.failure.error == ENOENT;
        if (outcome.ok && exact && status_of(outcome.spawned.pidfd).code == code) ++good[static_cast<std::size_t>(i)];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, std::vector<int>(threads_at_once, spawns_each));
}

}  // namespace
}  // namespace plimsoll::sys

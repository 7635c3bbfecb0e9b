#include "daemon/sys/pidfd.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/unit/sys/processes.hpp"

namespace plimsoll::sys {
namespace {

TEST(Pidfd, SignalEndsAndReapTellsWhich) {
  const Endless child;
  EXPECT_FALSE(has_ended(child.pidfd()));
  const auto early = reap(child.pidfd());
  ASSERT_TRUE(early.has_value());
  EXPECT_FALSE(early->has_value());

  EXPECT_FALSE(send_signal(child.pidfd(), SIGKILL));
  ASSERT_TRUE(becomes_readable(child.pidfd().get()));
  EXPECT_TRUE(has_ended(child.pidfd()));
  const auto reaped = reap(child.pidfd());
  ASSERT_TRUE(reaped && *reaped);
  EXPECT_EQ((*reaped)->pid, child.pid());
  EXPECT_TRUE((*reaped)->status.signaled);
  EXPECT_EQ((*reaped)->status.signal, SIGKILL);
  EXPECT_FALSE((*reaped)->gone);
}

TEST(Pidfd, ZombieTakesASignalAndTheReapedDoesNot) {
  const Endless child;
  EXPECT_FALSE(send_signal(child.pidfd(), SIGTERM));
  ASSERT_TRUE(becomes_readable(child.pidfd().get()));
  EXPECT_FALSE(send_signal(child.pidfd(), SIGKILL));
  EXPECT_EQ(status_of(child.pidfd()).signal, SIGTERM);
  EXPECT_EQ(send_signal(child.pidfd(), SIGKILL).value(), ESRCH);
  EXPECT_TRUE(has_ended(child.pidfd()));
}

TEST(Pidfd, ExitCodeIsToldAsItIs) {
  for (const int code : {0, 1, 42, 255}) {
    const auto outcome = spawn(request_of({"sh", "-c", "exit " + std::to_string(code)}));
    ASSERT_TRUE(outcome.ok);
    const auto status = status_of(outcome.spawned.pidfd);
    EXPECT_FALSE(status.signaled);
    EXPECT_EQ(status.code, code);
  }
}

TEST(Pidfd, ReapedBySomebodyElseIsGone) {
  const auto outcome = spawn(request_of({"true"}));
  ASSERT_TRUE(outcome.ok);
  (void)status_of(outcome.spawned.pidfd);
  const auto again = reap(outcome.spawned.pidfd);
  ASSERT_TRUE(again && *again);
  EXPECT_TRUE((*again)->gone);
}

TEST(Pidfd, ProcessThatIsNoMoreCannotBeOpened) {
  const auto outcome = spawn(request_of({"true"}));
  ASSERT_TRUE(outcome.ok);
  (void)status_of(outcome.spawned.pidfd);
  const auto fd = open_pidfd(outcome.spawned.pid);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().value(), ESRCH);
}

TEST(Pidfd, PeekLeavesTheChildToBeReaped) {
  const auto outcome = spawn(request_of({"sh", "-c", "exit 3"}));
  ASSERT_TRUE(outcome.ok);
  ASSERT_TRUE(becomes_readable(outcome.spawned.pidfd.get()));
  for (int look = 0; look < 2; ++look) {
    const auto peeked = peek_ended_child();
    ASSERT_TRUE(peeked && *peeked);
    EXPECT_EQ((*peeked)->pid, outcome.spawned.pid);
    EXPECT_EQ((*peeked)->status.code, 3);
  }
  EXPECT_FALSE(reap_pid(outcome.spawned.pid));
  const auto none = peek_ended_child();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().value(), ECHILD);
}

TEST(Pidfd, ChildThatRunsIsNeitherPeekedNorReaped) {
  const Endless child;
  const auto peeked = peek_ended_child();
  ASSERT_TRUE(peeked.has_value());
  EXPECT_FALSE(peeked->has_value());
  EXPECT_EQ(reap_pid(child.pid()).value(), EAGAIN);
}

/// A process whose own parent reaps it, as an engine's worker does: not our child, but held by us through a pidfd.
class Grandchild {
 public:
  /// Ends by `signal`, or with `code` if that is 0.
  Grandchild(int code, int signal) {
    Pipe tell;
    parent_ = fork_unbuffered();
    if (parent_ == 0) ::_exit(be_parent(tell, code, signal));
    auto parent_fd = open_pidfd(parent_);
    EXPECT_TRUE(parent_fd.has_value());
    parent_fd_ = std::move(*parent_fd);
    pid_t pid = 0;
    EXPECT_EQ(::read(tell.read_end.get(), &pid, sizeof pid), ssize_t{sizeof pid});
    auto fd = open_pidfd(pid);
    EXPECT_TRUE(fd.has_value());
    fd_ = std::move(*fd);
  }
  [[nodiscard]] const Fd& pidfd() const { return fd_; }
  void end() { go_.write_end = Fd(); }
  /// Its parent ends once it has reaped.
  void be_reaped() { EXPECT_EQ(status_of(parent_fd_).code, 0); }

 private:
  int be_parent(const Pipe& tell, int code, int signal) {
    const pid_t pid = fork_unbuffered();
    go_.write_end = Fd();
    if (pid == 0) {
      char nothing = 0;
      while (::read(go_.read_end.get(), &nothing, 1) > 0) {
      }
      if (signal != 0) ::raise(signal);
      ::_exit(code);
    }
    if (::write(tell.write_end.get(), &pid, sizeof pid) != ssize_t{sizeof pid}) return 1;
    return ::waitpid(pid, nullptr, 0) == pid ? 0 : 1;
  }

  Pipe go_;
  pid_t parent_ = 0;
  Fd parent_fd_;
  Fd fd_;
};

TEST(ExitStatusOfReaped, TellsHowAnothersChildEnded) {
  Grandchild exits(42, 0);
  EXPECT_FALSE(exit_status_of_reaped(exits.pidfd())) << "it lives";
  exits.end();
  exits.be_reaped();
  const auto exited = exit_status_of_reaped(exits.pidfd());

  Grandchild falls(0, SIGTERM);
  falls.end();
  falls.be_reaped();
  const auto fell = exit_status_of_reaped(falls.pidfd());

  const bool kernel_tells = kernel_is_at_least(6, 15);
  ASSERT_EQ(exited.has_value(), kernel_tells);
  ASSERT_EQ(fell.has_value(), kernel_tells);
  if (!kernel_tells) return;
  EXPECT_FALSE(exited->signaled);
  EXPECT_EQ(exited->code, 42);
  EXPECT_TRUE(fell->signaled);
  EXPECT_EQ(fell->signal, SIGTERM);
}

TEST(ExitStatusOfReaped, KnowsNothingOfAZombie) {
  const auto outcome = spawn(request_of({"sh", "-c", "exit 5"}));
  ASSERT_TRUE(outcome.ok);
  ASSERT_TRUE(becomes_readable(outcome.spawned.pidfd.get()));
  EXPECT_FALSE(exit_status_of_reaped(outcome.spawned.pidfd));
  EXPECT_EQ(status_of(outcome.spawned.pidfd).code, 5);
}

TEST(ExitStatusOfReaped, KnowsNothingOfWhatIsNoPidfd) {
  const Pipe pipe;
  EXPECT_FALSE(exit_status_of_reaped(pipe.read_end));
  EXPECT_FALSE(exit_status_of_reaped(Fd()));
}

TEST(Subreaper, OrphanBecomesOurChild) {
  in_own_process([]() -> std::string {
    if (become_subreaper()) return "prctl";
    const auto outcome = spawn(request_of({"sh", "-c", "sh -c 'exit 9' & exit 0"}));
    if (!outcome.ok) return "spawn";
    int orphans = 0;
    int status = 0;
    for (pid_t pid = ::wait(&status); pid > 0; pid = ::wait(&status)) {
      if (pid != outcome.spawned.pid && WIFEXITED(status) && WEXITSTATUS(status) == 9) ++orphans;
    }
    return orphans == 1 ? "" : "the orphan went to somebody else";
  });
}

TEST(DescriptorLimit, IsRaisedToTheHardOneAndTheOldOneTold) {
  in_own_process([]() -> std::string {
    const rlimit small{64, 128};
    if (::setrlimit(RLIMIT_NOFILE, &small) != 0) return "setrlimit";
    const auto before = raise_descriptor_limit();
    if (!before || *before != 64) return "the limit before";
    rlimit now{};
    if (::getrlimit(RLIMIT_NOFILE, &now) != 0) return "getrlimit";
    return now.rlim_cur == 128 && now.rlim_max == 128 ? "" : "the limit after";
  });
}

}  // namespace
}  // namespace plimsoll::sys

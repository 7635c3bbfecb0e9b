// A small daemon without a core, for the tests of this folder: a loop, members with a real SIGCHLD, and the events they
// tell. Nothing sleeps: the loop runs until what is waited for is there, with a deadline that only a hang reaches.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/run/census.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/run/members.hpp"
#include "daemon/run/own_children.hpp"

namespace plimsoll::run {

struct Pipe {
  sys::Fd read_end;
  sys::Fd write_end;
  explicit Pipe(int flags = O_CLOEXEC) {
    int ends[2];
    if (::pipe2(ends, flags) != 0) std::abort();
    read_end = sys::Fd(ends[0]);
    write_end = sys::Fd(ends[1]);
  }
  /// The next number a child has told; 0 and a failure when none comes.
  int next() const {
    pollfd ask{read_end.get(), POLLIN, 0};
    int number = 0;
    if (::poll(&ask, 1, 60'000) != 1 || ::read(read_end.get(), &number, sizeof number) != sizeof number) {
      ADD_FAILURE() << "the child told nothing";
    }
    return number;
  }
  void tell(int number) const {
    if (::write(write_end.get(), &number, sizeof number) != sizeof number) ::_exit(99);
  }
};

[[noreturn]] inline void wait_for_ever() {
  for (;;) ::pause();
}

/// The SIGCHLD of the whole test program, taken by whichever Edge there is.
inline sigset_t sigchld_only() {
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGCHLD);
  return only;
}

class Edge {
 public:
  explicit Edge(Sources with = {}, sys::ProcFs where = sys::ProcFs(), sys::GroupOomKills group_kills = {})
      : proc(std::move(where)),
        sources(with),
        members(
            loop, proc, with, [this](core::Event event) { events.push_back(std::move(event)); },
            std::move(group_kills)) {
    EXPECT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    const sigset_t only = sigchld_only();
    ::sigprocmask(SIG_BLOCK, &only, nullptr);
    signals_ = sys::Fd(::signalfd(-1, &only, SFD_CLOEXEC | SFD_NONBLOCK));
    watch_ = std::make_unique<Watch>(loop, signals_.get());
    watch_->on_readable([this] {
      signalfd_siginfo info;
      while (::read(signals_.get(), &info, sizeof info) > 0) {
      }
      members.on_sigchld();
    });
  }
  Edge(const Edge&) = delete;
  Edge& operator=(const Edge&) = delete;
  /// Nothing is left of a test: what came to us as a subreaper is killed too.
  ~Edge() {
    for (;;) {
      const auto left = children();
      if (left.empty()) return;
      for (const pid_t pid : left) ::kill(pid, SIGKILL);
      for (const pid_t pid : left) ::waitpid(pid, nullptr, 0);
    }
  }

  /// Of this test program, as the kernel lists them.
  static std::vector<pid_t> children() {
    auto listed = OwnChildren(sys::ProcFs()).all();
    EXPECT_TRUE(listed.has_value());
    return listed ? std::move(*listed) : std::vector<pid_t>{};
  }

  /// Runs the loop until `there` says so; asked after each turn of a 2 ms clock.
  void until(const std::function<bool()>& there, const char* what) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    Alarm clock(loop);
    bool found = false;
    std::function<void()> ask = [&] {
      found = there();
      if (found || std::chrono::steady_clock::now() > deadline) return loop.stop();
      clock.set_after(std::chrono::milliseconds(2), ask);
    };
    loop.post(ask);
    loop.run();
    EXPECT_TRUE(found) << "waited in vain: " << what;
  }
  /// Turns of the loop in which something that must not happen could.
  void turns(int count) {
    until([&count] { return count-- <= 0; }, "turns");
  }

  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> found;
    for (const auto& event : events) {
      if (const T* one = std::get_if<T>(&event)) found.push_back(*one);
    }
    return found;
  }
  template <class T>
  const T* of(core::ProcessId id) const {
    for (const auto& event : events) {
      const T* one = std::get_if<T>(&event);
      if (one != nullptr && one->id == id) return one;
    }
    return nullptr;
  }
  template <class T>
  T wait_for(core::ProcessId id, const char* what) {
    until([&] { return of<T>(id) != nullptr; }, what);
    const T* found = of<T>(id);
    return found != nullptr ? *found : T{};
  }

  [[nodiscard]] static core::ProcessId id_of(pid_t pid) {
    const auto stat = sys::ProcFs().stat(pid);
    EXPECT_TRUE(stat.has_value()) << pid;
    return {pid, stat ? stat->start_time : 0};
  }
  core::ProcessId add(pid_t pid, bool own_child) {
    auto pidfd = sys::open_pidfd(pid);
    EXPECT_TRUE(pidfd.has_value());
    const core::ProcessId id = id_of(pid);
    EXPECT_FALSE(members.add(id, std::move(*pidfd), own_child));
    return id;
  }
  /// A child of ours that runs `act` and leaves with what it returns.
  static pid_t fork_child(const std::function<int()>& act) {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(act());
    EXPECT_GT(pid, 0);
    return pid;
  }
  core::ProcessId add_child(const std::function<int()>& act) { return add(fork_child(act), true); }

  Loop loop;
  sys::ProcFs proc;
  Sources sources;
  std::vector<core::Event> events;
  Members members;

 private:
  sys::Fd signals_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace plimsoll::run

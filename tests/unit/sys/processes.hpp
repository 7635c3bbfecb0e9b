// Real processes for the tests of this folder. Nothing here sleeps: ends are waited for on pidfds and pipes, with a
// deadline so generous that only a hang reaches it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/sys/pidfd.hpp"
#include "daemon/sys/spawn.hpp"

namespace plimsoll::sys {

constexpr int deadline_ms = 60'000;

inline bool becomes_readable(int fd) {
  pollfd ask{fd, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&ask, 1, deadline_ms);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

/// Reads until every writer is gone.
inline std::string read_to_end(const Fd& fd) {
  std::string text;
  std::array<char, 4096> piece;
  while (becomes_readable(fd.get())) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  ADD_FAILURE() << "nothing to read within the deadline";
  return text;
}

/// Reads exactly that much; for what never ends.
inline std::string read_exactly(const Fd& fd, std::size_t size) {
  std::string text;
  std::array<char, 4096> piece;
  while (text.size() < size && becomes_readable(fd.get())) {
    const ssize_t got = ::read(fd.get(), piece.data(), std::min(piece.size(), size - text.size()));
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

struct Pipe {
  Fd read_end;
  Fd write_end;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
};

/// Waits for the end of a child of ours and reaps it.
inline WaitStatus status_of(const Fd& pidfd) {
  EXPECT_TRUE(becomes_readable(pidfd.get())) << "the process did not end";
  const auto reaped = reap(pidfd);
  EXPECT_TRUE(reaped && *reaped && !(*reaped)->gone) << "the process could not be reaped";
  return reaped && *reaped ? (*reaped)->status : WaitStatus{true, 0, 0, false};
}

inline SpawnRequest request_of(std::vector<std::string> argv) {
  SpawnRequest request;
  request.argv = std::move(argv);
  request.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  return request;
}

/// What a program writes to its stdout; its exit code must be 0.
inline std::string output_of(SpawnRequest request) {
  Pipe out;
  request.stdout_fd = out.write_end.get();
  const auto outcome = spawn(request);
  EXPECT_TRUE(outcome.ok) << to_text(outcome.failure.step) << " " << outcome.failure.error;
  if (!outcome.ok) return {};
  out.write_end = Fd();
  std::string text = read_to_end(out.read_end);
  const auto status = status_of(outcome.spawned.pidfd);
  EXPECT_FALSE(status.signaled) << status.signal;
  EXPECT_EQ(status.code, 0);
  return text;
}

/// A program that runs until it is killed; killed and reaped at the end of the test if it was not before.
class Endless {
 public:
  Endless() : outcome_(spawn(request_of({"sleep", "100000"}))) { EXPECT_TRUE(outcome_.ok); }
  Endless(const Endless&) = delete;
  Endless& operator=(const Endless&) = delete;
  ~Endless() {
    (void)send_signal(pidfd(), SIGKILL);
    (void)becomes_readable(pidfd().get());
    (void)reap(pidfd());
  }
  [[nodiscard]] pid_t pid() const { return outcome_.spawned.pid; }
  [[nodiscard]] const Fd& pidfd() const { return outcome_.spawned.pidfd; }

 private:
  SpawnOutcome outcome_;
};

/// fork with nothing left in stdio's buffers: ThreadSanitizer's _exit would write the child's copy of them out.
inline pid_t fork_unbuffered() {
  std::fflush(nullptr);
  return ::fork();
}

/// Runs `check` in a process of its own, for what would change ours for good (descriptors 0 to 2, limits, uid). `check`
/// tells what is wrong by returning it; empty is good.
inline void in_own_process(const std::function<std::string()>& check) {
  Pipe report;
  const pid_t pid = fork_unbuffered();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    const std::string wrong = check();
    const ssize_t written = ::write(report.write_end.get(), wrong.data(), wrong.size());
    ::_exit(written == static_cast<ssize_t>(wrong.size()) ? 0 : 1);
  }
  auto pidfd = open_pidfd(pid);
  ASSERT_TRUE(pidfd.has_value());
  report.write_end = Fd();
  EXPECT_EQ(read_to_end(report.read_end), "");
  const auto status = status_of(*pidfd);
  EXPECT_FALSE(status.signaled) << status.signal;
  EXPECT_EQ(status.code, 0);
}

inline bool kernel_is_at_least(int wanted_major, int wanted_minor) {
  utsname names{};
  int found_major = 0;
  int found_minor = 0;
  EXPECT_EQ(::uname(&names), 0);
  EXPECT_EQ(std::sscanf(names.release, "%d.%d", &found_major, &found_minor), 2);
  return std::pair(found_major, found_minor) >= std::pair(wanted_major, wanted_minor);
}

}  // namespace plimsoll::sys

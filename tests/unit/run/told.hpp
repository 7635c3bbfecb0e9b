// The process connector with a test in the kernel's place: a socket pair, and what is told is written by hand.
#pragma once

#include <sys/socket.h>
#include <time.h>

#include <string>
#include <utility>
#include <vector>

#include "daemon/run/feed.hpp"
#include "tests/unit/run/edge.hpp"
#include "tests/unit/sys/news_bytes.hpp"

namespace plimsoll::run {

inline std::uint64_t monotonic_now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

class Teller {
 public:
  static constexpr int probe = 4'000'000;  ///< a pid that no process has

  Feed::Settings settings() {
    Feed::Settings made = Feed::Settings::usual();
    made.patience = std::chrono::milliseconds{100};
    made.between_tries = std::chrono::milliseconds{20};
    made.open = [this]() -> sys::Result<sys::Connector> {
      ++opened;
      if (refuse != 0) return sys::error_of(refuse);
      int ends[2] = {-1, -1};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
      kernel_ = sys::Fd(ends[0]);
      if (answers) send(sys::subscribed_bytes());
      return sys::Connector(sys::Fd(ends[1]));
    };
    made.fork = [this]() -> sys::Result<pid_t> {
      tell_fork(::getpid(), tells_truth ? probe : probe + 1);
      return probe;
    };
    return made;
  }

  void send(const std::string& bytes) {
    ASSERT_EQ(::send(kernel_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void tell_fork(int parent, int child, std::uint64_t at = monotonic_now()) {
    send(sys::fork_bytes(parent, child, at));
  }
  void tell_exec(int pid) { send(sys::exec_bytes(pid, monotonic_now())); }
  void tell_exit(int pid, int status) { send(sys::exit_bytes(pid, status, monotonic_now())); }
  /// The socket fails.
  void hang_up() { kernel_ = sys::Fd(); }

  int refuse = 0;
  bool answers = true;
  bool tells_truth = true;
  int opened = 0;

 private:
  sys::Fd kernel_;
};

}  // namespace plimsoll::run

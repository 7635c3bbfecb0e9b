// The least a supervisor can do: the floor that ./dev bench lays below plimsolld's figures, measured in the same run,
// on the same services. It has no configuration, control, log, restart policy or idea of a tree: what it does not do is
// what a figure above 1.0 pays for.
//
//   least COUNT PROGRAM ARG...      COUNT times PROGRAM ARG... INDEX
//
// With LEAST_UID each child is given the world that plimsolld's have in the figures of a restart: a session, that user,
// two limits and a working directory.
//
// One clone each, on our memory, with its pidfd; what ends is started again at once; each second every resident size is
// read through a held statm; SIGTERM ends all, and us when all are reaped.
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Child {
  std::string index;
  std::vector<char*> argv;
  int pidfd = -1;
  int statm = -1;
};

constexpr std::uint32_t of_signals = ~0U;
constexpr std::uint32_t of_clock = ~0U - 1;
alignas(16) std::array<char, 64 * 1024> stack;
sigset_t none;
long world = -1;  ///< the user; negative: the children's world is ours

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// By number, as the C library's own would change every thread of the process whose memory this is.
void take_world() {
  const auto id = static_cast<gid_t>(world);
  const rlimit files{1024, 1024};
  const rlimit none_at_all{0, 0};
  const bool done = setsid() > 0 && syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, nullptr) == 0 &&
                    syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none_at_all, nullptr) == 0 &&
                    syscall(SYS_setgroups, 1, &id) == 0 && syscall(SYS_setresgid, id, id, id) == 0 &&
                    syscall(SYS_setresuid, id, id, id) == 0 && chdir("/") == 0;
  if (!done) _exit(126);
}

int run_child(void* argument) {
  auto* const* argv = static_cast<char* const*>(argument);
  if (world >= 0) take_world();
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(argv[0], argv);
  _exit(127);
}

void listen_to(int epoll, int fd, std::uint32_t what) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = what;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("least: epoll_ctl");
}

void start(int epoll, std::vector<Child>& children, std::uint32_t which) {
  Child& child = children[which];
  const pid_t pid = clone(run_child, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                          child.argv.data(), &child.pidfd);
  if (pid < 0) fail("least: clone");
  listen_to(epoll, child.pidfd, which);
  const std::string statm = "/proc/" + std::to_string(pid) + "/statm";
  child.statm = open(statm.c_str(), O_RDONLY | O_CLOEXEC);
}

void forget(const Child& child) {
  siginfo_t info{};
  waitid(P_PIDFD, static_cast<id_t>(child.pidfd), &info, WEXITED);
  close(child.pidfd);
  close(child.statm);
}

long sample(const std::vector<Child>& children) {
  std::array<char, 128> text{};
  long sum = 0;
  for (const Child& child : children) {
    if (pread(child.statm, text.data(), text.size() - 1, 0) <= 0) continue;
    if (const char* resident = std::strchr(text.data(), ' ')) sum += std::strtol(resident, nullptr, 10);
  }
  return sum;
}

int open_clock() {
  const int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  itimerspec each_second{};
  each_second.it_interval.tv_sec = each_second.it_value.tv_sec = 1;
  timerfd_settime(clock, 0, &each_second, nullptr);
  return clock;
}

std::vector<Child> make_children(int count, char** words) {
  std::vector<Child> children(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i].index = std::to_string(i);
    for (char** word = words; *word != nullptr; ++word) children[i].argv.push_back(*word);
    children[i].argv.push_back(children[i].index.data());
    children[i].argv.push_back(nullptr);
  }
  return children;
}

void run(std::vector<Child>& children, int epoll, int signals, int clock) {
  bool stopping = false;
  std::array<epoll_event, 64> events{};
  for (std::size_t left = children.size(); left > 0;) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const std::uint32_t which = events[static_cast<std::size_t>(i)].data.u32;
      if (which == of_clock) {
        std::uint64_t times = 0;
        if (read(clock, &times, sizeof times) > 0 && sample(children) < 0) return;
      } else if (which == of_signals) {
        signalfd_siginfo info{};
        if (read(signals, &info, sizeof info) < 0) return;
        stopping = true;
        for (const Child& child : children) syscall(SYS_pidfd_send_signal, child.pidfd, SIGTERM, nullptr, 0);
      } else {
        forget(children[which]);
        if (stopping) {
          --left;
        } else {
          start(epoll, children, which);
        }
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  if (const char* uid = std::getenv("LEAST_UID")) world = std::atol(uid);
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int signals = signalfd(-1, &wanted, SFD_CLOEXEC);
  const int clock = open_clock();
  listen_to(epoll, signals, of_signals);
  listen_to(epoll, clock, of_clock);
  std::vector<Child> children = make_children(std::atoi(argv[1]), argv + 2);
  for (std::uint32_t i = 0; i < children.size(); ++i) start(epoll, children, i);
  run(children, epoll, signals, clock);
  return 0;
}

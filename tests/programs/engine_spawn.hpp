// The ways in which apps start their engine: each leaves another trace in /proc, and a supervisor must see through all
// of them.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <thread>

#include "tests/programs/options.hpp"

namespace programs {

using Argv = std::vector<std::string>;

/// A port that was free a moment ago, chosen as prisma-client-py does: bound, read, closed.
inline int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    usage("no free port");
  }
  close(fd);
  return ntohs(address.sin_port);
}

/// In the child: signals as a fresh program expects them, and never back.
[[noreturn]] inline void become(const Argv& words) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  usage("cannot execute " + words[0]);
}

/// Exec from a thread that is not the main one: the kernel ends the main thread and gives its pid to the new program,
/// which the process connector reports as an exit of a living process.
[[noreturn]] inline void become_from_a_thread(const Argv& words) {
  std::thread([&words] { become(words); }).detach();
  for (;;) pause();
}

/// `hops` generations that fork and exit at once, then the program: an orphan by birth. Returns the last one's pid.
inline pid_t spawn_by_hops(int hops, bool new_session, const Argv& words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) usage("no pipe");
  const pid_t first = fork();
  if (first == 0) {
    if (new_session) setsid();
    for (int hop = 0; hop < hops; ++hop) {
      if (fork() != 0) _exit(0);
    }
    const pid_t self = getpid();
    if (write(ends[1], &self, sizeof self) != sizeof self) _exit(70);
    become(words);
  }
  close(ends[1]);
  waitpid(first, nullptr, 0);
  pid_t last = -1;
  if (read(ends[0], &last, sizeof last) != sizeof last) usage("the hopper got lost");
  close(ends[0]);
  return last;
}

/// See spawn_engine().
inline pid_t fork_engine(const std::string& how, const Argv& words) {
  if (how == "double") return spawn_by_hops(1, true, words);
  if (how == "hop") return spawn_by_hops(3, false, words);
  if (how == "thread" || how == "pool") {
    pid_t pid = -1;
    std::atomic<bool> forked = false;
    std::thread thread([&pid, &forked, &words, stays = how == "pool"] {
      pid = fork();
      if (pid == 0) become(words);
      forked = true;
      forked.notify_one();
      while (stays) pause();
    });
    forked.wait(false);
    if (how == "pool") {
      thread.detach();
    } else {
      thread.join();
    }
    return pid;
  }
  // A child of our parent: fork(2) but for whose it is.
  const bool sister = how == "sister";
  const pid_t pid =
      sister ? static_cast<pid_t>(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, 0)) : fork();
  if (pid != 0) return pid;
  if (how == "setsid") setsid();
  if (how == "exec-thread") become_from_a_thread(words);
  if (how == "shell") {
    Argv wrapped{"sh", "-c", "\"$0\" \"$@\"; exit $?"};
    wrapped.insert(wrapped.end(), words.begin(), words.end());
    become(wrapped);
  }
  if (how != "plain" && how != "setsid" && !sister) usage("no way to start an engine: " + how);
  become(words);
}

/// `how`: plain; thread (forked by a thread that ends at once); pool (by a thread that stays); setsid; double (double
/// fork with setsid); hop (three quick generations); sister (a child of our own parent, by CLONE_PARENT); exec-thread;
/// shell (below `sh -c`, whose pid is returned). Returns when the program runs, as Popen does: a signal sent before its
/// exec would reach our own handler.
inline pid_t spawn_engine(const std::string& how, const Argv& words) {
  int gate[2];  // its far end is closed by exec
  if (pipe2(gate, O_CLOEXEC) != 0) usage("no pipe");
  const pid_t pid = fork_engine(how, words);
  close(gate[1]);
  char byte = 0;
  while (read(gate[0], &byte, 1) < 0 && errno == EINTR) {
  }
  close(gate[0]);
  return pid;
}

}  // namespace programs

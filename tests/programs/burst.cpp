// Imitates an app that forks in a burst: `burst --count N --life MS [--abandon] [--ready FILE]`, one burst for each
// SIGUSR1.
//
// Each burst is N children at once, each of which lives MS ms and exits. The app reaps them, or with `--abandon` starts
// each below an intermediate that exits at once, so that all N are adopted by whoever stands above. FILE holds the
// number of bursts forked.
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "tests/programs/options.hpp"

namespace {

volatile sig_atomic_t asked = 0;
void on_signal(int) {
  asked = asked + 1;
}

[[noreturn]] void live(long ms) {
  const timespec life{ms / 1000, ms % 1000 * 1'000'000};
  nanosleep(&life, nullptr);
  _exit(0);
}

void burst(long count, long ms, bool abandon) {
  for (long i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) programs::usage("cannot fork");
    if (child > 0) {
      if (abandon) waitpid(child, nullptr, 0);
      continue;
    }
    signal(SIGUSR1, SIG_DFL);
    if (!abandon) live(ms);
    if (fork() == 0) live(ms);
    _exit(0);
  }
}

void note(const std::string& path, int done) {
  const int fd = open((path + ".new").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  dprintf(fd, "%d\n", done);
  close(fd);
  rename((path + ".new").c_str(), path.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGUSR1, &action, nullptr);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  int done = 0;
  note(options.text("--ready"), done);
  for (;;) {
    while (done == asked) sigsuspend(&before);
    burst(options.integer("--count", 1000), options.integer("--life", 200), options.has("--abandon"));
    ++done;
    note(options.text("--ready"), done);
    while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
  }
}

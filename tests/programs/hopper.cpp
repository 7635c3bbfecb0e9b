// Imitates a process that is never there when one looks: forks, lets the child go on and exits, generation after
// generation.
//
//   hopper --hops K [--first-stays] [--pause US] [--stay | -- CMD ARG…] [--last FILE]
//
// The K-th generation stays for ever (`--stay`), becomes CMD, or ends with 0. FILE holds its pid. With `--first-stays`
// the first process waits for its own child and then lives on, as an app would whose helper hops away from it.
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/programs/options.hpp"

namespace {

void write_pid(const std::string& path) {
  const std::string text = std::to_string(getpid()) + "\n";
  const int fd = open((path + ".new").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, text.data(), text.size()) < 0) programs::usage("cannot write " + path);
  close(fd);
  rename((path + ".new").c_str(), path.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  const timespec between{0, options.integer("--pause") * 1000};
  for (long hop = options.integer("--hops"); hop > 0; --hop) {
    const bool first = hop == options.integer("--hops");
    const pid_t child = fork();
    if (child < 0) programs::usage("cannot fork");
    if (child > 0) {
      if (!first || !options.has("--first-stays")) _exit(0);
      waitpid(child, nullptr, 0);
      for (;;) pause();
    }
    nanosleep(&between, nullptr);
  }
  if (options.has("--last")) write_pid(options.text("--last"));
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--") == 0) {
      execv(argv[i + 1], argv + i + 1);
      programs::usage("cannot execute " + std::string(argv[i + 1]));
    }
  }
  if (!options.has("--stay")) return 0;
  for (;;) pause();
}

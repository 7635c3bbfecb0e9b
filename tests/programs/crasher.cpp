// Imitates a program that ends by itself: `crasher [--after MS] [--exit CODE | --signal NAME] [--once FILE]`.
//
// After `--after` ms (default 0) it leaves with CODE, or dies by the signal as a crash would (default action, no core).
// With `--once FILE` it does so only when FILE does not exist yet, makes it, and lives on the next time: an app that
// recovers at its second start.
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/programs/options.hpp"

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  const std::string once = options.text("--once");
  if (!once.empty() && open(once.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644) < 0) {
    for (;;) pause();
  }
  const long after = options.integer("--after");
  const timespec wait{after / 1000, after % 1000 * 1'000'000};
  nanosleep(&wait, nullptr);
  if (!options.has("--signal")) _exit(static_cast<int>(options.integer("--exit")));
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  const int number = programs::signal_number(options.text("--signal"));
  signal(number, SIG_DFL);
  raise(number);
  for (;;) pause();
}

// Imitates a program that does not listen: `stubborn [--children N] [--ignore A,B] [--ready FILE]`.
//
// Ignores SIGTERM, SIGINT and SIGHUP (or what `--ignore` lists), and so do its N children: only SIGKILL ends them. FILE
// is made when the signals are ignored, so that a test does not send one too early.
#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "tests/programs/options.hpp"

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  std::istringstream names(options.text("--ignore", "TERM,INT,HUP"));
  for (std::string name; std::getline(names, name, ',');) signal(programs::signal_number(name), SIG_IGN);
  for (long i = options.integer("--children"); i > 0; --i) {
    if (fork() == 0) break;
  }
  const std::string ready = options.text("--ready");
  if (!ready.empty()) close(open(ready.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  for (;;) pause();
}

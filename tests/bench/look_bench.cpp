// What it costs to look: the listing of /proc and one reading of statm, each beside the floor of its plain system
// calls, and whole looks of the census. Children that only wait make the crowd.
#include <benchmark/benchmark.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "daemon/run/census.hpp"
#include "daemon/run/leftovers.hpp"
#include "daemon/sys/procfs.hpp"

namespace {

using namespace plimsoll::sys;
namespace run = plimsoll::run;

class Crowd {
 public:
  explicit Crowd(int size) {
    const pid_t parent = getpid();
    for (int i = 0; i < size; ++i) {
      const pid_t pid = fork();
      if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) pause();
        _exit(0);
      }
      if (pid > 0) pids_.push_back(pid);
    }
  }
  ~Crowd() {
    for (const pid_t pid : pids_) kill(pid, SIGKILL);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

 private:
  std::vector<pid_t> pids_;
};

void listing_floor_readdir(benchmark::State& state) {
  const Crowd crowd(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    DIR* folder = opendir("/proc");
    long sum = 0;
    while (const dirent* entry = readdir(folder)) sum += std::strtol(entry->d_name, nullptr, 10);
    closedir(folder);
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(listing_floor_readdir)->Arg(0)->Arg(1000)->Unit(benchmark::kMicrosecond);

void listing(benchmark::State& state) {
  const Crowd crowd(static_cast<int>(state.range(0)));
  const ProcFs proc;
  for (auto _ : state) benchmark::DoNotOptimize(proc.list());
}
BENCHMARK(listing)->Arg(0)->Arg(1000)->Unit(benchmark::kMicrosecond);

void statm_floor_pread(benchmark::State& state) {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  std::array<char, 128> bytes{};
  for (auto _ : state) benchmark::DoNotOptimize(pread(fd, bytes.data(), bytes.size(), 0));
  close(fd);
}
BENCHMARK(statm_floor_pread)->Unit(benchmark::kMicrosecond);

void statm(benchmark::State& state) {
  const auto held = ProcFs().open_statm(getpid());
  if (!held) return state.SkipWithError("cannot open statm");
  for (auto _ : state) benchmark::DoNotOptimize(read_statm_resident(*held));
}
BENCHMARK(statm)->Unit(benchmark::kMicrosecond);

/// The crowd is our own tree: the children of one service's processes, and ours by adoption, are seen alike.
class Tree {
 public:
  /// The young are read again at each look: a day is spent with old ones.
  explicit Tree(int size) : crowd_(size) {
    census.look();
    std::this_thread::sleep_for(std::chrono::milliseconds{2'200});
    census.look();
  }

 private:
  Crowd crowd_;
  run::Loop loop_;
  run::Members members_{loop_, ProcFs(), run::Sources{}, [](const plimsoll::core::Event&) {}};

 public:
  run::Census census{members_, ProcFs(), run::Sources{}, run::Life{}};
};

/// As on a machine at work: a pid was given out since the last look, so /proc is listed.
void look_at_a_tree(benchmark::State& state) {
  Tree tree(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    // Not by fork(2), which would leave all of our pages to be copied at the next touch.
    pid_t passing = 0;
    char name[] = "true";
    char* const argv[] = {name, nullptr};
    if (posix_spawn(&passing, "/bin/true", nullptr, nullptr, argv, environ) == 0) waitpid(passing, nullptr, 0);
    state.ResumeTiming();
    benchmark::DoNotOptimize(tree.census.look());
  }
}
BENCHMARK(look_at_a_tree)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond);

void look_at_a_tree_where_nothing_is_forked(benchmark::State& state) {
  Tree tree(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(tree.census.look());
}
BENCHMARK(look_at_a_tree_where_nothing_is_forked)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace

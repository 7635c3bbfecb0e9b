// A service that tells when it came to life, and then waits to be ended.
//
//   mark FIFO INDEX      writes {index, pid, CLOCK_MONOTONIC ns at the first line of main()} into FIFO
//   mark                 ends at once: what starting a program costs
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

/// Read by lifecycle.py as "<IIQ". Below PIPE_BUF, so that a thousand writers do not mix.
struct Stamp {
  std::uint32_t index;
  std::uint32_t pid;
  std::uint64_t at;
};

}  // namespace

int main(int argc, char** argv) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (argc < 3) return 0;
  const int fifo = open(argv[1], O_WRONLY | O_CLOEXEC);
  const Stamp stamp{static_cast<std::uint32_t>(std::atoi(argv[2])), static_cast<std::uint32_t>(getpid()),
                    static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec)};
  if (fifo < 0 || write(fifo, &stamp, sizeof stamp) != sizeof stamp) return 1;
  close(fifo);
  for (;;) pause();
}

// What a leaker leaves in a file so that it outlives its SIGKILL: a shared mapping, written with every page that it
// touches. Read by tests/scenario as five little-endian 64-bit numbers.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/programs/options.hpp"

namespace programs {

struct Record {
  std::atomic<std::uint64_t> rss;         ///< bytes: what was resident at the start, and all pages touched since
  std::atomic<std::uint64_t> crossed_at;  ///< CLOCK_REALTIME ns of the first touch at or above `line`; 0: never
  std::atomic<std::uint64_t> touched_at;  ///< CLOCK_REALTIME ns of the last touch
  std::atomic<std::uint64_t> line;        ///< bytes
  std::atomic<std::uint64_t> fastest;     ///< bytes: the most that was touched within any one millisecond
};
static_assert(sizeof(Record) == 40);

inline std::uint64_t now_ns(clockid_t clock = CLOCK_REALTIME) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Resident bytes by /proc/self/statm.
inline std::uint64_t resident() {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128] = {};
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) usage("cannot read /proc/self/statm");
  close(fd);
  return std::strtoull(std::strchr(text, ' '), nullptr, 10) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Maps `path`, made new; below a folder ("records/") a file named by the pid; with an empty path a private record that
/// nobody reads.
inline Record* open_record(std::string path) {
  if (!path.empty() && path.back() == '/') path += std::to_string(getpid());
  int flags = MAP_SHARED;
  int fd = -1;
  if (path.empty()) {
    flags |= MAP_ANONYMOUS;
  } else {
    fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof(Record)) != 0) usage("cannot make the record " + path);
  }
  void* at = mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) usage("cannot map the record " + path);
  if (fd >= 0) close(fd);
  return static_cast<Record*>(at);
}

}  // namespace programs

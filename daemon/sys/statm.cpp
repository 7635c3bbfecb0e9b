// Reading statm, and finding out how far it may be trusted. RSS is kept in three counters (file, anonymous and shared
// pages), and a kernel that does not sum them exactly holds part of each back:
//   before 6.2      every thread keeps up to 64 pages a counter to itself;
//   6.2 to 6.15     every CPU keeps up to its batch, max(32, 2 * CPUs) pages a counter;
//   6.16 and newer  the file is summed when it is read.
// A distribution may have moved any of that to another version, so whether it is exact is measured, by touching fewer
// pages than a thread may hide and looking each time whether statm has seen it; the version only says which bound
// applies.
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "daemon/sys/procfs.hpp"

namespace plimsoll::sys {
namespace {

constexpr std::size_t touched_pages = 63;
constexpr std::uint64_t pages_hidden_by_thread = 64;

std::uint64_t page_size() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// {6, 1} of "6.1.0-18-amd64"; {0, 0} of what cannot be read, the oldest kernel there is.
struct Version {
  int major_number = 0;
  int minor_number = 0;
};

Version kernel_version() {
  utsname names{};
  Version version;
  if (::uname(&names) != 0) return version;
  const char* end = names.release + std::strlen(names.release);
  const auto major_part = std::from_chars(names.release, end, version.major_number);
  if (major_part.ec != std::errc() || major_part.ptr == end || *major_part.ptr != '.') return {};
  std::from_chars(major_part.ptr + 1, end, version.minor_number);
  return version;
}

/// A mapping in which each touch is one page.
class Touchable {
 public:
  Touchable() : size_(touched_pages * page_size()) {
    base_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_ != MAP_FAILED) ::madvise(base_, size_, MADV_NOHUGEPAGE);
  }
  Touchable(const Touchable&) = delete;
  Touchable& operator=(const Touchable&) = delete;
  ~Touchable() {
    if (base_ != MAP_FAILED) ::munmap(base_, size_);
  }
  explicit operator bool() const { return base_ != MAP_FAILED; }
  void touch(std::size_t page) { static_cast<volatile char*>(base_)[page * page_size()] = 1; }

 private:
  std::size_t size_;
  void* base_ = MAP_FAILED;
};

/// Whether statm says no less than the page tables after each page. What cannot be compared counts as not exact.
bool is_exact(const ProcFs& proc) {
  const pid_t self = ::getpid();
  const auto statm = proc.open_statm(self);
  Touchable memory;
  if (!statm || !memory) return false;
  for (std::size_t page = 0; page < touched_pages; ++page) {
    memory.touch(page);
    // In this order, so that what another thread touches in between cannot look like a page that statm lacks.
    const auto truth = proc.exact_rss(self);
    const auto seen = read_statm_resident(*statm);
    if (!truth || !seen || *seen < *truth) return false;
  }
  return true;
}

}  // namespace

std::optional<std::uint64_t> read_statm_resident(const Fd& statm) {
  std::array<char, 256> text;
  ssize_t length = -1;
  do {
    length = ::pread(statm.get(), text.data(), text.size(), 0);
  } while (length < 0 && errno == EINTR);
  if (length <= 0) return std::nullopt;
  const auto pages = parse_statm_resident(std::string_view(text.data(), static_cast<std::size_t>(length)));
  if (!pages) return std::nullopt;
  return *pages * page_size();
}

StatmBound measure_statm_bound(const ProcFs& proc) {
  StatmBound bound;
  bound.exact = is_exact(proc);
  if (bound.exact) return bound;
  const Version version = kernel_version();
  if (version.major_number < 6 || (version.major_number == 6 && version.minor_number < 2)) {
    bound.per_thread = pages_hidden_by_thread * page_size();
  } else {
    const auto cpus = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
    bound.per_process = cpus * std::max<std::uint64_t>(32, 2 * cpus) * page_size();
  }
  return bound;
}

}  // namespace plimsoll::sys

// The day on which the kernel gives no memory (RLIMIT_AS, strict overcommit; a cgroup's limit is another matter, there
// the kernel kills). operator new would throw in the middle of a decision, and what is half done cannot be mended. So
// it does not throw: what was put aside at the start is given back first, and when that is used up the daemon waits
// here until there is memory again.
#pragma once

#include <cstddef>

namespace plimsoll::run {

/// One for the whole process: it is what operator new calls.
class Reserve {
 public:
  explicit Reserve(std::size_t size = std::size_t{1} << 20);
  ~Reserve();
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;

  /// Puts it aside again if it was used; false: there is no memory for that yet.
  [[nodiscard]] bool refill();
  /// For who allocates by other ways: gives the reserve back, or waits a moment. Then try again.
  static void on_shortage();

 private:
  std::size_t size_;
};

}  // namespace plimsoll::run

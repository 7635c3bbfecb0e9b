// Our own children by the kernel's lists, which are those of two threads (sys/second_thread.hpp): the first one's are
// orphans that came to us, those of the thread that asks are what we have forked, and what these have cloned as their
// own sisters (CLONE_PARENT). Descriptors are held from the first reading: emptiness can be proved with no descriptor
// left, and whatever is mounted over /proc.
#pragma once

#include <sys/types.h>

#include <vector>

#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

class OwnChildren {
 public:
  /// Used on the thread that forks.
  explicit OwnChildren(sys::ProcFs proc) : proc_(std::move(proc)) {}

  /// With one thread alone these are all.
  [[nodiscard]] sys::Result<std::vector<pid_t>> orphans();
  /// No entry can leave while only we reap, so what is in neither list is no child of ours.
  [[nodiscard]] sys::Result<std::vector<pid_t>> all();

 private:
  [[nodiscard]] sys::Result<std::vector<pid_t>> of_thread(sys::Fd& held, pid_t thread);

  sys::ProcFs proc_;
  sys::Fd orphans_;
  sys::Fd forked_;
};

}  // namespace plimsoll::run

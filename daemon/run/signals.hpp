// Signals to the daemon, as data: a signalfd(2) on the loop. Everything that is taken is blocked before the first
// spawn (children get an empty mask), and SIGCHLD's disposition is put back, which a parent may have set to be ignored:
// then the kernel would reap our children itself.
#pragma once

#include <sys/signalfd.h>

#include <functional>
#include <memory>

#include "daemon/run/loop.hpp"
#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::run {

class Signals {
 public:
  struct Caught {
    int number = 0;
    bool from_kernel = false;  ///< of a terminal, to all of our process group
    int sender = 0;            ///< pid
  };
  /// Blocks what open() will take, `all`: every catchable signal, to be forwarded; else those a daemon answers to.
  /// Before there is a second thread, which inherits the mask.
  static sys::error_code block(bool all);
  static sys::Result<std::unique_ptr<Signals>> open(Loop& loop, bool all, std::function<void(Caught)> caught);

 private:
  Signals(Loop& loop, sys::Fd fd, std::function<void(Caught)> caught);
  void read_all();

  sys::Fd fd_;
  std::function<void(Caught)> caught_;
  Watch watch_;
};

}  // namespace plimsoll::run

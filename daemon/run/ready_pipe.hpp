// The descriptor on which a run says by a line's end that it is ready, as s6 has it.
#pragma once

#include <functional>
#include <memory>

#include "daemon/run/loop.hpp"
#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::run {

class ReadyPipe {
 public:
  /// `said` is called once, from the loop, when a line's end was read.
  static sys::Result<std::unique_ptr<ReadyPipe>> open(Loop& loop, std::function<void()> said);

  /// The child's end, lent for the spawn; close_child_end() when that is over, or an end would never be seen.
  [[nodiscard]] int child_end() const { return child_end_.get(); }
  void close_child_end() { child_end_ = sys::Fd(); }

 private:
  ReadyPipe(Loop& loop, sys::Fd ours, sys::Fd child_end, std::function<void()> said);
  void on_readable();

  sys::Fd ours_;
  sys::Fd child_end_;
  std::function<void()> said_;
  Watch watch_;  ///< of `ours_`: goes first
};

}  // namespace plimsoll::run

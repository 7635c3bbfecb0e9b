// Waits for many descriptors as for one. A Watch of its own costs each of them half a kilobyte of Asio's, and a daemon
// with a thousand services holds three thousand: those of one kind are an epoll set, which is one descriptor in the
// loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "daemon/run/loop.hpp"
#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::run {

class WatchSet {
 public:
  /// What its owner knows a descriptor by.
  using Key = std::uint64_t;
  /// `readable` is called for each that has something to read, or an end to be seen, for as long as it has. It may add
  /// and remove; what was removed may still be told of once, when it was readable at the same time.
  WatchSet(Loop& loop, std::function<void(Key)> readable);
  /// Called when the loop has told of those that were readable together, 256 at most; not by take().
  void when_told(std::function<void()> act) { told_ = std::move(act); }

  /// The descriptor is lent until remove().
  sys::error_code add(int fd, Key key);
  /// Again for one that is not watched any more: nothing.
  void remove(int fd);
  /// Tells of those that are readable now, 256 at most. The loop calls it; so does who must not be ahead of it.
  void take();

 private:
  bool open();

  Loop& loop_;
  std::function<void(Key)> readable_;
  std::function<void()> told_;
  sys::Fd epoll_;
  std::unique_ptr<Watch> watch_;  // behind the set: it lends it
};

}  // namespace plimsoll::run

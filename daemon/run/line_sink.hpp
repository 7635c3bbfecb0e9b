// The way out for lines of others: our own stdout or stderr, which somebody may have stopped reading. Writing never
// blocks the loop; what cannot go now waits in a bounded buffer, and beyond that the oldest whole lines are dropped and
// counted.
//
// A descriptor's O_NONBLOCK belongs to everybody who has it open, the shell that started us included, so ours is left
// alone: a pipe or terminal is opened again (with flags of its own), a socket is sent to with MSG_DONTWAIT, and where
// neither can be done poll(2) is asked first and no more than a pipe surely takes is written.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/run/loop.hpp"
#include "daemon/sys/fd.hpp"

namespace plimsoll::run {

class LineSink {
 public:
  struct Loss {
    std::uint64_t lines = 0;  ///< since the last word about them
    int error = 0;            ///< ENOSPC and its like; 0: nobody reads
  };
  /// `fd` is lent. `dropped` is called a second after the first loss, then at most once a minute, and when everything
  /// that waited could be written again.
  LineSink(Loop& loop, int fd, std::function<void(const Loss&)> dropped, std::size_t capacity = 1 << 20);
  ~LineSink();
  LineSink(const LineSink&) = delete;
  LineSink& operator=(const LineSink&) = delete;

  /// Whole lines, with their ends; kept together, byte for byte.
  void write(std::string_view lines);
  /// The last lines before the process ends: waits for the reader, at most this long. Blocks, so only after the loop.
  void drain(std::chrono::milliseconds at_most);
  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  /// The reader is gone (EPIPE): everything is dropped from now on, uncounted.
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  enum class Way { socket, own_description, polled, plain };
  void choose_way();
  void flush();
  long write_some(std::string_view bytes);
  void on_error(int error);
  void make_room();
  void count_dropped(std::uint64_t lines);
  void tell_loss();

  Loop& loop_;
  int fd_;
  sys::Fd reopened_;
  Way way_ = Way::plain;
  std::function<void(const Loss&)> dropped_;
  std::size_t capacity_;
  std::deque<std::string> chunks_;  ///< whole lines each
  std::size_t written_ = 0;         ///< of the first chunk
  std::size_t waiting_ = 0;         ///< bytes in all
  std::uint64_t lost_ = 0;
  int error_ = 0;  ///< why it is blocked; 0: nobody reads
  std::chrono::steady_clock::time_point told_at_{};
  bool closed_ = false;
  bool telling_ = false;
  bool blocked_ = false;  ///< something will call flush()
  std::unique_ptr<Watch> watch_;
  Alarm retry_;
  Alarm tell_;
};

}  // namespace plimsoll::run

// File descriptors with an owner.
#pragma once

#include <utility>

namespace plimsoll::sys {

/// Owns one descriptor, closes it at its end. Everything in this folder that opens something returns one, O_CLOEXEC.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  /// Lends: valid while this object lives. -1 if it owns nothing.
  [[nodiscard]] int get() const& { return fd_; }
  /// Gives away: the caller closes.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace plimsoll::sys

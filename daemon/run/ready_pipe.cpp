#include "daemon/run/ready_pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace plimsoll::run {

sys::Result<std::unique_ptr<ReadyPipe>> ReadyPipe::open(Loop& loop, std::function<void()> said) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return sys::last_error();
  sys::Fd ours(ends[0]);
  sys::Fd child_end(ends[1]);
  // Of our end alone: a program that writes to its own one is not to be surprised.
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return sys::last_error();
  return std::unique_ptr<ReadyPipe>(new ReadyPipe(loop, std::move(ours), std::move(child_end), std::move(said)));
}

ReadyPipe::ReadyPipe(Loop& loop, sys::Fd ours, sys::Fd child_end, std::function<void()> said)
    : ours_(std::move(ours)), child_end_(std::move(child_end)), said_(std::move(said)), watch_(loop, ours_.get()) {
  watch_.on_readable([this] { on_readable(); });
}

void ReadyPipe::on_readable() {
  std::array<char, 256> text{};
  const ssize_t size = ::read(ours_.get(), text.data(), text.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return watch_.cancel();
  if (std::string_view(text.data(), static_cast<std::size_t>(size)).find('\n') == std::string_view::npos) return;
  watch_.cancel();
  said_();
}

}  // namespace plimsoll::run

#include "daemon/run/line_sink.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>

namespace plimsoll::run {
namespace {

/// Small writes share a chunk up to this size: dropping goes by chunks.
constexpr std::size_t chunk_size = 16 * 1024;
constexpr std::chrono::milliseconds retry_after{50};
constexpr std::chrono::seconds tell_first_after{1};
constexpr std::chrono::seconds tell_every{60};
/// A reader that comes and goes.
constexpr std::chrono::seconds tell_of_end_every{2};

}  // namespace

LineSink::LineSink(Loop& loop, int fd, std::function<void(const Loss&)> dropped, std::size_t capacity)
    : loop_(loop), fd_(fd), dropped_(std::move(dropped)), capacity_(capacity), retry_(loop), tell_(loop) {
  choose_way();
}

LineSink::~LineSink() = default;

void LineSink::choose_way() {
  struct stat found {};
  if (::fstat(fd_, &found) != 0) {
    closed_ = true;
    return;
  }
  if (S_ISSOCK(found.st_mode)) {
    way_ = Way::socket;
  } else if (S_ISFIFO(found.st_mode) || ::isatty(fd_) == 1) {
    const std::string self = "/proc/self/fd/" + std::to_string(fd_);
    reopened_ = sys::Fd(::open(self.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    // Another user's pipe, as in many a container, cannot be opened.
    way_ = reopened_ ? Way::own_description : Way::polled;
  }
  // Asio makes what it waits for non-blocking: only what is ours alone is given to it, the others are tried again.
  if (reopened_) watch_ = std::make_unique<Watch>(loop_, reopened_.get());
}

void LineSink::write(std::string_view lines) {
  if (closed_ || lines.empty()) return;
  const bool join =
      !chunks_.empty() && (chunks_.size() > 1 || written_ == 0) && chunks_.back().size() + lines.size() <= chunk_size;
  if (join) {
    chunks_.back().append(lines);
  } else {
    chunks_.emplace_back(lines);
  }
  waiting_ += lines.size();
  if (!blocked_) flush();
  make_room();
}

void LineSink::flush() {
  blocked_ = false;
  while (!chunks_.empty() && !closed_) {
    const std::string_view rest = std::string_view(chunks_.front()).substr(written_);
    const long count = write_some(rest);
    if (count < 0) return on_error(errno);
    written_ += static_cast<std::size_t>(count);
    waiting_ -= static_cast<std::size_t>(count);
    if (written_ < chunks_.front().size()) continue;
    chunks_.pop_front();
    written_ = 0;
  }
  if (lost_ == 0 || closed_) return;
  // In a turn of its own: what is said may be a line for this very sink.
  telling_ = true;
  const auto now = std::chrono::steady_clock::now();
  tell_.set(std::max(now, told_at_ + tell_of_end_every), [this] { tell_loss(); });
}

void LineSink::drain(std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  flush();
  while (!chunks_.empty() && !closed_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0) return;
    pollfd ask{reopened_ ? reopened_.get() : fd_, POLLOUT, 0};
    // A full disk is always writable: it is asked again at the pace of retry_after, not in a spin.
    if (way_ == Way::plain) {
      ::poll(nullptr, 0, static_cast<int>(std::min<long>(left, retry_after.count())));
    } else {
      ::poll(&ask, 1, static_cast<int>(left));
    }
    flush();
  }
}

long LineSink::write_some(std::string_view bytes) {
  ssize_t count = -1;
  do {
    switch (way_) {
      case Way::socket: count = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); break;
      case Way::own_description: count = ::write(reopened_.get(), bytes.data(), bytes.size()); break;
      case Way::plain: count = ::write(fd_, bytes.data(), bytes.size()); break;
      case Way::polled: {
        pollfd ask{fd_, POLLOUT, 0};
        if (::poll(&ask, 1, 0) != 1) {
          errno = EAGAIN;
          return -1;
        }
        count = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
        break;
      }
    }
  } while (count < 0 && errno == EINTR);
  return count;
}

void LineSink::on_error(int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EIO || error == ENOMEM;
  error_ = full ? error : 0;
  if (watch_ && (error == EAGAIN || error == ENOBUFS)) {
    blocked_ = true;
    watch_->when_writable([this] { flush(); });
    return;
  }
  if (full || error == EAGAIN || error == ENOBUFS) {
    blocked_ = true;
    retry_.set_after(retry_after, [this] { flush(); });
    return;
  }
  closed_ = true;
  chunks_.clear();
  written_ = waiting_ = 0;
}

/// The oldest go, but for one that is half written: its line would be cut in the middle.
void LineSink::make_room() {
  std::uint64_t lines = 0;
  while (waiting_ > capacity_) {
    const std::size_t oldest = written_ > 0 ? 1 : 0;
    if (oldest >= chunks_.size()) break;
    const std::string& chunk = chunks_[oldest];
    lines += std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::count(chunk.begin(), chunk.end(), '\n')));
    waiting_ -= chunk.size();
    chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(oldest));
  }
  if (lines > 0) count_dropped(lines);
}

void LineSink::count_dropped(std::uint64_t lines) {
  lost_ += lines;
  if (telling_) return;
  telling_ = true;
  const auto now = std::chrono::steady_clock::now();
  const bool first = told_at_ == std::chrono::steady_clock::time_point{};
  tell_.set(first ? now + tell_first_after : std::max(now + tell_first_after, told_at_ + tell_every),
            [this] { tell_loss(); });
}

void LineSink::tell_loss() {
  telling_ = false;
  told_at_ = std::chrono::steady_clock::now();
  const Loss loss{std::exchange(lost_, 0), error_};
  if (loss.lines > 0) dropped_(loss);
}

}  // namespace plimsoll::run

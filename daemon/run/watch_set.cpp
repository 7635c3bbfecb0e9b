#include "daemon/run/watch_set.hpp"

#include <sys/epoll.h>

#include <array>
#include <utility>

namespace plimsoll::run {

WatchSet::WatchSet(Loop& loop, std::function<void(Key)> readable) : loop_(loop), readable_(std::move(readable)) {
  open();
}

/// False: there is no descriptor for it now.
bool WatchSet::open() {
  epoll_ = sys::Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return false;
  watch_ = std::make_unique<Watch>(loop_, epoll_.get());
  watch_->on_readable([this] {
    take();
    if (told_) told_();
  });
  return true;
}

sys::error_code WatchSet::add(int fd, Key key) {
  if (!epoll_ && !open()) return sys::last_error();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return sys::last_error();
  return {};
}

void WatchSet::remove(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void WatchSet::take() {
  // What does not fit is told again: it stays readable.
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) readable_(events[static_cast<std::size_t>(i)].data.u64);
}

}  // namespace plimsoll::run

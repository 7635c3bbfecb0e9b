#include "daemon/run/loop.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cassert>
#include <csignal>
#include <cstdint>
#include <new>

#include "daemon/run/reserve.hpp"

namespace plimsoll::run {

namespace asio = boost::asio;
using boost::system::error_code;

struct Loop::Impl {
  asio::io_context context{1};
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {
  std::signal(SIGPIPE, SIG_IGN);
}
Loop::~Loop() = default;

asio::io_context& Loop::context() {
  return impl_->context;
}

void Loop::run() {
  impl_->context.restart();
  impl_->context.run();
}

void Loop::stop() {
  impl_->context.stop();
}

namespace {

/// Asio's own memory comes past operator new. `act` begins anew each time: what it hands over must be a copy.
template <class Act>
void insist(const Act& act) {
  for (;;) {
    try {
      return act();
    } catch (const std::bad_alloc&) {
      Reserve::on_shortage();
    }
  }
}

}  // namespace

void Loop::post(std::function<void()> act) {
  insist([&] { asio::post(impl_->context, std::function<void()>(act)); });
}

// Alarm -----------------------------------------------------------------------------------------------------------

struct Alarm::Impl {
  explicit Impl(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  std::uint64_t setting = 0;  ///< a firing of an earlier one is nothing
};

Alarm::Alarm(Loop& loop) : impl_(std::make_shared<Impl>(loop.context())) {}
Alarm::~Alarm() {
  cancel();
}

void Alarm::set(Time at, std::function<void()> act) {
  const std::uint64_t setting = ++impl_->setting;
  impl_->timer.expires_at(at);
  const auto fired = [impl = impl_, setting, act = std::move(act)](error_code error) {
    if (!error && impl->setting == setting) act();
  };
  insist([&] { impl_->timer.async_wait(fired); });
}

void Alarm::set_after(std::chrono::steady_clock::duration delay, std::function<void()> act) {
  set(std::chrono::steady_clock::now() + delay, std::move(act));
}

void Alarm::cancel() {
  ++impl_->setting;
  impl_->timer.cancel();
}

// Watch -----------------------------------------------------------------------------------------------------------

struct Watch::Impl : std::enable_shared_from_this<Watch::Impl> {
  Impl(asio::io_context& context, int lent) : descriptor(context), rest(context), fd(lent) {}
  asio::posix::stream_descriptor descriptor;
  asio::steady_timer rest;
  int fd;
  std::function<void()> readable;
  std::uint64_t setting = 0;

  /// False: epoll has no memory for it now.
  bool attach() {
    error_code error;
    if (!descriptor.is_open()) descriptor.assign(fd, error);
    return !error;
  }

  void later(const std::function<void()>& act) {
    rest.expires_after(std::chrono::milliseconds{100});
    insist([&] {
      rest.async_wait([self = shared_from_this(), now = setting, act](error_code error) {
        if (!error && self->setting == now) act();
      });
    });
  }

  void wait_readable() {
    if (!attach()) return later([this] { wait_readable(); });
    const auto turn = [self = shared_from_this(), now = setting](error_code error) {
      if (error == asio::error::operation_aborted || self->setting != now) return;
      const auto act = self->readable;  // which may destroy the Watch, or set another
      act();
      // What epoll does not take would come back at once, for ever.
      if (!error && self->setting == now) self->wait_readable();
    };
    insist([&] { descriptor.async_wait(asio::posix::stream_descriptor::wait_read, turn); });
  }
};

Watch::Watch(Loop& loop, int fd) : impl_(std::make_shared<Impl>(loop.context(), fd)) {}

Watch::~Watch() {
  cancel();
  // The descriptor is not ours to close.
  if (impl_->descriptor.is_open()) impl_->descriptor.release();
}

void Watch::on_readable(std::function<void()> act) {
  cancel();
  impl_->readable = std::move(act);
  impl_->wait_readable();
}

void Watch::when_writable(std::function<void()> act) {
  const std::uint64_t setting = ++impl_->setting;
  const auto turn = [impl = impl_, setting, act = std::move(act)](error_code error) {
    if (error == asio::error::operation_aborted || impl->setting != setting) return;
    // Not at once again and again, whatever epoll says.
    error ? impl->later(act) : act();
  };
  if (!impl_->attach()) return impl_->later([turn] { turn(error_code()); });
  insist([&] { impl_->descriptor.async_wait(asio::posix::stream_descriptor::wait_write, turn); });
}

void Watch::cancel() {
  ++impl_->setting;
  error_code ignored;
  impl_->descriptor.cancel(ignored);
  impl_->rest.cancel();
}

}  // namespace plimsoll::run

#include "daemon/run/loop.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cassert>
#include <csignal>
#include <cstdint>

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

void Loop::post(std::function<void()> act) {
  asio::post(impl_->context, std::move(act));
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
  impl_->timer.async_wait([impl = impl_, setting, act = std::move(act)](error_code error) {
    if (!error && impl->setting == setting) act();
  });
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
  Impl(asio::io_context& context, int fd) : descriptor(context, fd) {}
  asio::posix::stream_descriptor descriptor;
  std::function<void()> readable;
  std::uint64_t setting = 0;

  void wait_readable() {
    auto turn = [self = shared_from_this(), now = setting](error_code error) {
      if (error == asio::error::operation_aborted || self->setting != now) return;
      const auto act = self->readable;  // which may destroy the Watch, or set another
      act();
      // What epoll does not take would come back at once, for ever.
      if (!error && self->setting == now) self->wait_readable();
    };
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read, std::move(turn));
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
  auto turn = [impl = impl_, setting, act = std::move(act)](error_code error) {
    if (error != asio::error::operation_aborted && impl->setting == setting) act();
  };
  impl_->descriptor.async_wait(asio::posix::stream_descriptor::wait_write, std::move(turn));
}

void Watch::cancel() {
  ++impl_->setting;
  error_code ignored;
  impl_->descriptor.cancel(ignored);
}

}  // namespace plimsoll::run

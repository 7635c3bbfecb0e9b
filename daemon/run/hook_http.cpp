#include "daemon/run/hook_http.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <exception>

#include "config/plan/units.hpp"
#include "daemon/sys/result.hpp"

// GCC 12 sees half of the pair: a coroutine's frame is allocated and freed by Asio's own operators, of which it inlines
// one.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace plimsoll::run {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Endpoint = asio::generic::stream_protocol::endpoint;

constexpr milliseconds first_pause{20};
constexpr milliseconds last_pause{500};
constexpr std::size_t most_of_body = 64 * 1024;
/// The status is the answer; its body is only awaited so that the app is not cut off in mid-sentence.
constexpr milliseconds most_time_for_body{1'000};

/// Where to connect, in order; nothing if the host is no address.
std::vector<Endpoint> endpoints_of(const HttpRequest& request) {
  if (!request.unix_path.empty()) {
    sockaddr_un room{};
    if (request.unix_path.size() >= sizeof room.sun_path) return {};
    return {asio::local::stream_protocol::endpoint(request.unix_path)};
  }
  std::uint16_t port = 0;
  std::from_chars(request.port.data(), request.port.data() + request.port.size(), port);
  if (request.host == "localhost") {
    return {asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port),
            asio::ip::tcp::endpoint(asio::ip::address_v6::loopback(), port)};
  }
  error_code error;
  const auto address = asio::ip::make_address(request.host, error);
  if (error) return {};
  return {asio::ip::tcp::endpoint(address, port)};
}

std::string place_of(const HttpRequest& request) {
  if (!request.unix_path.empty()) return request.unix_path;
  const bool six = request.host.find(':') != std::string::npos;
  return (six ? "[" + request.host + "]" : request.host) + ":" + request.port;
}

http::request<http::empty_body> message_of(const HttpRequest& request) {
  http::request<http::empty_body> message;
  message.version(11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(http::field::host, request.unix_path.empty() ? place_of(request) : "localhost");
  message.set(http::field::user_agent, "plimsolld/" PLIMSOLL_VERSION);
  message.set(http::field::connection, "close");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.prepare_payload();
  return message;
}

}  // namespace

struct HttpAsking::Impl {
  Impl(Loop& loop, HttpRequest what, milliseconds within, std::function<void(HttpOutcome)> then)
      : request(std::move(what)),
        timeout(within),
        deadline(steady_clock::now() + within),
        on_outcome(std::move(then)),
        socket(loop.context()),
        pause(loop.context()),
        alarm(loop) {}

  HttpRequest request;
  milliseconds timeout;
  steady_clock::time_point deadline;
  std::function<void(HttpOutcome)> on_outcome;
  asio::generic::stream_protocol::socket socket;
  asio::steady_timer pause;
  Alarm alarm;
  int wrong_answers = 0;
  bool answered = false;  ///< the status of this try was read
  bool over = false;      ///< told, or not wanted any more

  void close() {
    error_code ignored;
    socket.close(ignored);
  }

  void stop() {
    over = true;
    alarm.cancel();
    pause.cancel();
    close();
  }

  void tell(core::HookResult result, std::string detail, bool asked = true) {
    if (over) return;
    stop();
    const auto then = std::move(on_outcome);
    then(HttpOutcome{result, wrong_answers, std::move(detail), asked});
  }

  void time_is_up() {
    // Only a body is missing: the asking goes on with what it has.
    if (answered) return close();
    std::string detail = "no answer within " + to_text(timeout);
    if (wrong_answers > 0) {
      detail = "answered 409 (not mine) " + std::to_string(wrong_answers) + " times within " + to_text(timeout);
    }
    tell(core::HookResult::timed_out, std::move(detail));
  }
};

namespace {

/// What one try over one connection gave.
struct Try {
  error_code error;
  int status = 0;
  bool connected = false;
};

}  // namespace

/// The coroutines of an asking. They own it while they run.
struct Asking {
  using Impl = std::shared_ptr<HttpAsking::Impl>;

  static asio::awaitable<error_code> connect(Impl self) {
    error_code error = asio::error::host_not_found;
    const std::vector<Endpoint> endpoints = endpoints_of(self->request);
    for (const Endpoint& endpoint : endpoints) {
      self->close();
      co_await self->socket.async_connect(endpoint, redirect_error(use_awaitable, error));
      if (self->over || !error) break;
    }
    co_return error;
  }

  static asio::awaitable<Try> ask_once(Impl self) {
    Try result;
    self->answered = false;
    result.error = co_await connect(self);
    if (result.error || self->over) co_return result;
    result.connected = true;
    const http::request<http::empty_body> message = message_of(self->request);
    co_await http::async_write(self->socket, message, redirect_error(use_awaitable, result.error));
    if (result.error || self->over) co_return result;

    boost::beast::flat_buffer buffer;
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);  // a long one is cut off below, but is an answer
    parser.skip(self->request.method == "HEAD");
    co_await http::async_read_header(self->socket, buffer, parser, redirect_error(use_awaitable, result.error));
    if (result.error || self->over) co_return result;
    result.status = parser.get().result_int();
    self->answered = true;
    const auto until = std::min(self->deadline, steady_clock::now() + most_time_for_body);
    self->alarm.set(until, [&impl = *self] { impl.time_is_up(); });
    co_await read_body(self, buffer, parser);
    self->close();
    co_return result;
  }

  /// To its end or its bound; whatever goes wrong, the status has been read.
  static asio::awaitable<void> read_body(Impl self, boost::beast::flat_buffer& buffer,
                                         http::response_parser<http::buffer_body>& parser) {
    std::array<char, 4096> piece;
    for (std::size_t taken = 0; !parser.is_done() && taken < most_of_body;) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      error_code error;
      co_await http::async_read(self->socket, buffer, parser, redirect_error(use_awaitable, error));
      taken += piece.size() - parser.get().body().size;
      if (error && error != http::error::need_buffer) co_return;
    }
  }

  static asio::awaitable<void> ask(Impl self) {
    for (milliseconds pause = first_pause;; pause = std::min(pause * 2, last_pause)) {
      self->alarm.set(self->deadline, [&impl = *self] { impl.time_is_up(); });
      const Try result = co_await ask_once(self);
      if (self->over) co_return;
      // A Unix socket whose queue is full: connect says EAGAIN, which Asio takes for "in progress".
      const bool busy = !self->request.unix_path.empty() && result.error == asio::error::not_connected;
      if (!busy && result.status != 409) co_return tell(*self, result);
      if (!busy) ++self->wrong_answers;
      self->answered = false;
      self->alarm.set(self->deadline, [&impl = *self] { impl.time_is_up(); });
      error_code ignored;
      self->pause.expires_after(pause);
      co_await self->pause.async_wait(redirect_error(use_awaitable, ignored));
      if (self->over) co_return;
    }
  }

  static void tell(HttpAsking::Impl& impl, const Try& result) {
    if (!result.error) {
      const bool done = result.status >= 200 && result.status < 300;
      return impl.tell(done ? core::HookResult::done : core::HookResult::failed,
                       "HTTP " + std::to_string(result.status));
    }
    const std::string place = place_of(impl.request);
    if (!result.connected) {
      return impl.tell(core::HookResult::failed, "cannot connect to " + place + ": " + result.error.message(),
                       !sys::is_shortage(result.error));
    }
    if (result.error == http::error::end_of_stream || result.error == http::error::partial_message) {
      return impl.tell(core::HookResult::failed, place + " closed the connection without an answer");
    }
    impl.tell(core::HookResult::failed, "no answer from " + place + ": " + result.error.message());
  }

  static void ended(const Impl& impl, const std::exception_ptr& error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& caught) {
      impl->tell(core::HookResult::failed, caught.what());
    }
  }
};

HttpAsking::HttpAsking(Loop& loop, HttpRequest request, milliseconds timeout,
                       std::function<void(HttpOutcome)> on_outcome)
    : impl_(std::make_shared<Impl>(loop, std::move(request), timeout, std::move(on_outcome))) {
  asio::co_spawn(loop.context(), Asking::ask(impl_),
                 [impl = impl_](const std::exception_ptr& error) { Asking::ended(impl, error); });
}

HttpAsking::~HttpAsking() {
  impl_->stop();
}

}  // namespace plimsoll::run

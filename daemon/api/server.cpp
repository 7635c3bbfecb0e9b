#include "daemon/api/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "daemon/api/session.hpp"
#include "daemon/sys/fd.hpp"

namespace plimsoll::api {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::local::stream_protocol;

namespace {
/// How long accepting rests after the machine refused it (descriptors, memory): the listening socket stays readable,
/// so without a rest the loop would spin.
constexpr std::chrono::milliseconds accept_rest{100};
constexpr std::chrono::minutes between_sayings{1};
}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  Impl(asio::io_context& context, int listening_fd)
      : acceptor(context, Protocol(), listening_fd), rest(context), house(std::make_shared<House>()) {}

  static asio::awaitable<void> accept_loop(std::shared_ptr<Impl> self);
  void start();
  void accept_ended(const std::exception_ptr& error);
  bool accept_one();
  sys::Fd accept_now();
  void admit(sys::Fd connection);
  bool make_room();
  void close();
  [[nodiscard]] std::vector<std::shared_ptr<Session>> sessions() const;

  Protocol::acceptor acceptor;
  asio::steady_timer rest;
  std::shared_ptr<House> house;
  sys::Fd spare;  ///< given up for a connection when there is no other descriptor: status is wanted most then
  std::chrono::steady_clock::time_point said_at{};
};

void Server::Impl::start() {
  if (!spare) spare = sys::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  auto self = shared_from_this();
  auto done = [self](const std::exception_ptr& error) { self->accept_ended(error); };
  asio::co_spawn(acceptor.get_executor(), accept_loop(self), std::move(done));
}

asio::awaitable<void> Server::Impl::accept_loop(std::shared_ptr<Impl> self) {
  error_code error;
  while (self->acceptor.is_open()) {
    co_await self->acceptor.async_wait(Protocol::acceptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (!self->acceptor.is_open()) co_return;
    if (!error && self->accept_one()) continue;
    self->rest.expires_after(accept_rest);
    co_await self->rest.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

/// The loop ends by an exception only when memory is short; it begins anew after a rest.
void Server::Impl::accept_ended(const std::exception_ptr& error) {
  if (!error || !acceptor.is_open()) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    house->trouble(std::string("cannot accept control connections: ") + exception.what() + ", trying again");
  }
  rest.expires_after(accept_rest);
  rest.async_wait([weak = weak_from_this()](const error_code& cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && self->acceptor.is_open()) self->start();
  });
}

/// By hand, because Asio's accept() opens the descriptor without O_CLOEXEC.
sys::Fd Server::Impl::accept_now() {
  return sys::Fd(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

/// False: rest before the next.
bool Server::Impl::accept_one() {
  if (!spare) spare = sys::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  sys::Fd connection = accept_now();
  int number = connection ? 0 : errno;
  if ((number == EMFILE || number == ENFILE) && spare) {
    spare = sys::Fd();
    connection = accept_now();
    number = connection ? 0 : errno;
  }
  if (connection) {
    admit(std::move(connection));
    return true;
  }
  if (number == EAGAIN || number == EINTR || number == ECONNABORTED) return true;
  const auto now = std::chrono::steady_clock::now();
  const bool said = said_at != std::chrono::steady_clock::time_point{} && now - said_at < between_sayings;
  if (!said) said_at = now;
  if (!said)
    house->trouble(std::string("cannot accept a control connection: ") + std::strerror(number) +
                   ", trying again every 100 ms");
  if (number == EMFILE || number == ENFILE) make_room();
  return false;
}

void Server::Impl::admit(sys::Fd connection) {
  auto peer = sys::peer_of(connection.get());
  if (!peer) return;
  const bool room = house->sessions.size() < house->limits.connections || make_room();
  if (!room) {
    const std::string text =
        to_text(refusal(503, "all connections are waiting for outcomes or following events"), false);
    // As much as fits: nobody waits for a client that was not let in.
    [[maybe_unused]] const auto sent = ::send(connection.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  Protocol::socket socket(acceptor.get_executor());
  error_code error;
  socket.assign(Protocol(), connection.get(), error);
  if (error) return;
  [[maybe_unused]] const int given_away = connection.release();
  auto session = std::make_shared<Session>(std::move(socket), std::move(*peer), house, house->limits);
  house->sessions.insert(session);
  session->start();
}

/// Closes the connection that has been stuck in mid-request, or idle, for the longest: of somebody without a role if
/// there is one. False: all of them wait for an outcome or follow events, and those are not closed for this.
bool Server::Impl::make_room() {
  std::shared_ptr<Session> longest;
  const auto rank = [this](const Session& session) {
    return std::pair(role_of(session.peer(), house->own, house->groups) != Role::nobody, session.since());
  };
  for (const auto& session : house->sessions) {
    if (session->phase() != Session::Phase::reading && session->phase() != Session::Phase::writing) continue;
    if (!longest || rank(*session) < rank(*longest)) longest = session;
  }
  if (longest) longest->stop();
  return longest != nullptr;
}

/// A copy: what is done to a session may take it out of the house.
std::vector<std::shared_ptr<Session>> Server::Impl::sessions() const {
  return {house->sessions.begin(), house->sessions.end()};
}

void Server::Impl::close() {
  error_code ignored;
  acceptor.close(ignored);
  rest.cancel();
  house->open = false;
}

Server::Server(asio::io_context& context, int listening_fd, Backend backend, Roles roles, Limits limits)
    : impl_(std::make_shared<Impl>(context, listening_fd)) {
  impl_->house->backend = std::move(backend);
  impl_->house->limits = limits;
  impl_->house->own = ::geteuid();
  set_roles(std::move(roles));
  impl_->start();
}

Server::Server(Server&&) noexcept = default;

Server::~Server() {
  if (!impl_) return;
  impl_->close();
  for (const auto& session : impl_->sessions()) session->stop();
}

void Server::set_roles(Roles roles) {
  impl_->house->groups = look_up(roles);
}

void Server::events_added() {
  for (const auto& session : impl_->sessions()) session->events_added();
}

void Server::stop_accepting() {
  impl_->close();
  for (const auto& session : impl_->sessions()) {
    const bool idle = session->phase() == Session::Phase::reading && !session->begun();
    if (idle || session->phase() == Session::Phase::following) session->stop();
  }
}

}  // namespace plimsoll::api

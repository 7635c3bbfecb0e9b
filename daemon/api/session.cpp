#include "daemon/api/session.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "daemon/api/wire/json.hpp"

namespace plimsoll::api {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {
/// What a client that was refused may still send before it is cut off: it must be able to read the refusal first.
constexpr std::size_t drained_at_most = 1024 * 1024;
/// What one connection's socket holds for its client: a status of a thousand services (300 kB) is written at once, and
/// the loop need not come back for it. The kernel gives what it allows.
constexpr int unread_bytes = 512 * 1024;

/// Asio's own measure is 64 KiB for each write.
std::size_t as_much_as_fits(const error_code& error, std::size_t) {
  return error ? 0 : unread_bytes;
}
}  // namespace

std::size_t House::followers() const {
  return static_cast<std::size_t>(std::count_if(sessions.begin(), sessions.end(), [](const auto& session) {
    return session->phase() == Session::Phase::following;
  }));
}

void House::trouble(const std::string& sentence) const {
  if (backend.trouble) backend.trouble(sentence);
}

Session::Session(Socket socket, sys::Peer peer, std::weak_ptr<House> house, const Limits& limits)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      house_(std::move(house)),
      limits_(limits),
      reader_(limits.header_bytes, limits.body_bytes),
      deadline_(socket_.get_executor()),
      wake_(socket_.get_executor()) {}

void Session::start() {
  error_code ignored;
  socket_.set_option(asio::socket_base::send_buffer_size(unread_bytes), ignored);
  auto self = shared_from_this();
  auto done = [self](const std::exception_ptr& error) { self->ended(error); };
  asio::co_spawn(socket_.get_executor(), serve(self), std::move(done));
}

void Session::ended(const std::exception_ptr& error) {
  const auto house = house_.lock();
  if (error && house && phase_ != Phase::closed) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& exception) {
      house->trouble(std::string("a control connection ends: ") + exception.what());
    }
  }
  stop();
}

void Session::stop() {
  if (phase_ == Phase::closed) return;
  enter(Phase::closed);
  error_code ignored;
  socket_.close(ignored);
  deadline_.cancel();
  wake_.cancel();
  if (const auto house = house_.lock()) house->sessions.erase(shared_from_this());
}

void Session::enter(Phase phase) {
  phase_ = phase;
  since_ = Clock::now();
}

/// One deadline at a time: the later call replaces the earlier one, whose handler then sees that it came too soon.
void Session::arm(std::chrono::milliseconds within) {
  deadline_.expires_after(within);
  deadline_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (!error && self && self->deadline_.expiry() <= Clock::now()) self->stop();
  });
}

/// A client that goes away while we have nothing to write is seen by the hang-up only. One that has merely closed its
/// sending side (`nc -N`) still wants the answer, and makes no hang-up.
void Session::watch_hangup() {
  if (watching_hangup_) return;
  watching_hangup_ = true;
  socket_.async_wait(Socket::wait_error, [weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (!self) return;
    self->watching_hangup_ = false;
    if (!error && (self->phase_ == Phase::waiting || self->phase_ == Phase::following)) self->stop();
  });
}

asio::awaitable<void> Session::serve(std::shared_ptr<Session> self) {
  // Not `while (co_await …) {}`: GCC 12 makes a loop of it that resumes into an illegal instruction.
  bool goes_on = true;
  while (goes_on) goes_on = co_await self->serve_one();
}

asio::awaitable<bool> Session::serve_one() {
  const Received received = co_await receive();
  if (std::holds_alternative<Closed>(received)) co_return false;
  if (const auto* request = std::get_if<Request>(&received)) co_return co_await answer(*request);
  const Reply& refused = std::get<Reply>(received);
  const std::string head = head_text(refused, false);
  const bool said = co_await say(head, refused.body);
  if (said) co_await drain();
  co_return false;
}

asio::awaitable<Session::Received> Session::receive() {
  enter(Phase::reading);
  bool in_request = false;
  arm(limits_.idle);
  while (phase_ == Phase::reading) {
    RequestReader::Next next = reader_.next();
    if (auto* request = std::get_if<Request>(&next)) co_return std::move(*request);
    if (auto* reply = std::get_if<Reply>(&next)) co_return std::move(*reply);
    if (reader_.begun() && !in_request) {
      in_request = true;
      enter(Phase::reading);
      arm(limits_.request);
    }
    error_code error;
    if (reader_.wants_continue()) {
      co_await asio::async_write(socket_, asio::buffer(continue_text),
                                 asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
    }
    const std::size_t count =
        co_await socket_.async_read_some(asio::buffer(chunk_), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    reader_.add({chunk_.data(), count});
  }
  co_return Closed();
}

asio::awaitable<bool> Session::answer(const Request& request) {
  auto house = house_.lock();
  if (!house || phase_ == Phase::closed) co_return false;
  const Role role = role_of(peer_, house->own, house->groups);
  Outcome outcome = handle(request, role, house->backend);
  if (const auto* making = std::get_if<Making>(&outcome)) {
    const std::string rest = say_while_making(*making);
    const std::string nothing_else;
    house.reset();
    co_await say(rest, nothing_else);
    co_return false;
  }
  const bool crowded = house->followers() >= limits_.followers;
  house.reset();

  Reply reply;
  if (auto* command = std::get_if<Ask>(&outcome)) {
    reply = co_await ask(std::move(command->command));
  } else if (const auto* events = std::get_if<Follow>(&outcome); events && !crowded) {
    const std::optional<std::uint64_t> after = events->after;
    std::string service = events->service;
    co_await follow(after, std::move(service));
    co_return false;
  } else if (events) {
    reply = refusal(503, "there are " + std::to_string(limits_.followers) + " followers of events already");
  } else {
    reply = std::move(std::get<Reply>(outcome));
  }
  house = house_.lock();
  if (!house || phase_ == Phase::closed) co_return false;
  const bool keep = request.keep_alive && house->open;
  house.reset();
  const std::string head = head_text(reply, keep);
  const bool said = co_await say(head, reply.body);
  co_return said&& keep;
}

asio::awaitable<bool> Session::say(const std::string& head, const std::string& body) {
  enter(Phase::writing);
  arm(limits_.request);
  error_code error;
  const std::array<asio::const_buffer, 2> both{asio::buffer(head), asio::buffer(body)};
  co_await asio::async_write(socket_, both, as_much_as_fits, asio::redirect_error(asio::use_awaitable, error));
  co_return !error && phase_ == Phase::writing;
}

std::string Session::say_while_making(const Making& making) {
  std::string rest = open_head();
  making.make([&](std::string_view piece) {
    rest += piece;
    const ssize_t sent = ::send(socket_.native_handle(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) rest.erase(0, static_cast<std::size_t>(sent));
  });
  return rest;
}

asio::awaitable<void> Session::drain() {
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  for (std::size_t drained = 0; !error && drained < drained_at_most;)
    drained += co_await socket_.async_read_some(asio::buffer(chunk_), asio::redirect_error(asio::use_awaitable, error));
}

asio::awaitable<Reply> Session::ask(wire::Command command) {
  enter(Phase::waiting);
  deadline_.cancel();
  answer_.reset();
  const std::uint64_t number = ++asked_;
  auto take = [weak = weak_from_this(), number](wire::Answer answer) {
    const auto self = weak.lock();
    if (!self || self->asked_ != number || self->answer_) return;
    self->answer_ = std::move(answer);
    self->wake_.cancel();
  };
  wake_.expires_after(limits_.answer);
  watch_hangup();
  std::string by = name_of(peer_);
  if (const auto house = house_.lock()) house->backend.command(std::move(command), std::move(by), std::move(take));
  error_code error;
  while (!answer_ && phase_ == Phase::waiting && wake_.expiry() > Clock::now())
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  ++asked_;
  if (!answer_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limits_.answer).count();
    co_return refusal(504, "no outcome within " + std::to_string(seconds) + " s; it goes on, the events will tell");
  }
  Reply reply;
  reply.status = answer_->status;
  reply.body = wire::to_json(*answer_);
  co_return reply;
}

/// Puts what is new behind what is pending.
void Session::collect() {
  const auto house = house_.lock();
  if (!house) return;
  for (const wire::Event& event : house->backend.events(heard_)) {
    heard_ = event.id;
    if (only_.empty() || event.service == only_) pending_ += to_stream_text(event);
  }
}

void Session::events_added() {
  if (phase_ != Phase::following) return;
  collect();
  if (pending_.size() > limits_.follower_bytes) return stop();
  wake_.cancel();
}

asio::awaitable<void> Session::follow(std::optional<std::uint64_t> after, std::string service) {
  enter(Phase::following);
  deadline_.cancel();
  watch_hangup();
  only_ = std::move(service);
  heard_ = after.value_or(0);
  collect();
  if (!after) pending_.clear();
  pending_.insert(0, stream_head());
  error_code error;
  while (phase_ == Phase::following) {
    if (pending_.empty()) {
      wake_.expires_after(limits_.follower_sign);
      co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (!error && pending_.empty()) pending_ = ":\n\n";
      continue;
    }
    const std::string writing = std::exchange(pending_, {});
    arm(limits_.idle);
    co_await asio::async_write(socket_, asio::buffer(writing), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    deadline_.cancel();
  }
}

}  // namespace plimsoll::api

// One connection, from its accept to its close: a loop of request and reply, a deadline for each wait, and the two
// long waits: for a command's outcome and for events.
//
// A session is owned by the House and by its own coroutine; whatever reaches it later (a timer, an answer) holds a
// weak_ptr. It may call the backend, but keeps nothing of it across a wait: the server may be gone when it wakes.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "daemon/api/http.hpp"
#include "daemon/api/roles.hpp"

namespace plimsoll::api {

class Session;

/// What the sessions of a server share.
struct House {
  Backend backend;
  Limits limits;
  RoleGroups groups;
  uid_t own = 0;
  bool open = true;  ///< false: replies say "Connection: close"
  std::set<std::shared_ptr<Session>> sessions;

  [[nodiscard]] std::size_t followers() const;
  void trouble(const std::string& sentence) const;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  using Clock = std::chrono::steady_clock;
  enum class Phase { reading, writing, waiting, following, closed };

  Session(Socket socket, sys::Peer peer, std::weak_ptr<House> house, const Limits& limits);
  void start();
  /// Closes the connection, whatever it is doing. Leaves the house.
  void stop();
  /// There is something new for a follower; nothing for anybody else.
  void events_added();

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] Clock::time_point since() const { return since_; }  ///< since when it is in this phase
  [[nodiscard]] bool begun() const { return reader_.begun(); }
  [[nodiscard]] const sys::Peer& peer() const { return peer_; }

 private:
  template <class T>
  using Awaitable = boost::asio::awaitable<T>;
  struct Closed {};
  using Received = std::variant<Closed, Request, Reply>;

  static Awaitable<void> serve(std::shared_ptr<Session> self);
  /// False: the connection is to end.
  Awaitable<bool> serve_one();
  Awaitable<bool> answer(const Request& request);
  Awaitable<Received> receive();
  /// The two outlive the wait.
  Awaitable<bool> say(const std::string& head, const std::string& body);
  /// Sends what the socket takes while it is made; the text that is left is given back.
  std::string say_while_making(const Making& making);
  Awaitable<void> drain();
  Awaitable<Reply> ask(wire::Command command);
  Awaitable<void> follow(std::optional<std::uint64_t> after, std::string service);
  void collect();
  void enter(Phase phase);
  void arm(std::chrono::milliseconds within);
  void watch_hangup();
  void ended(const std::exception_ptr& error);

  Socket socket_;
  sys::Peer peer_;
  std::weak_ptr<House> house_;
  Limits limits_;
  RequestReader reader_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer wake_;  ///< cancelled when what is waited for is there
  Phase phase_ = Phase::reading;
  Clock::time_point since_ = Clock::now();
  bool watching_hangup_ = false;
  std::uint64_t asked_ = 0;  ///< number of the command whose answer is waited for
  std::optional<wire::Answer> answer_;
  std::uint64_t heard_ = 0;  ///< id of the last event that went into pending_
  std::string only_;         ///< the service that a follower follows; empty: all
  std::string pending_;      ///< for a follower, not yet given to the socket
  std::array<char, 8192> chunk_;
};

}  // namespace plimsoll::api

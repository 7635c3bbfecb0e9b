// HTTP/1.1 over the control socket, so that `curl --unix-socket` is a client too. This folder knows bytes, roles and
// limits; what the answers are it asks the Backend, on the same thread, and holds no reference to anything of it
// across a wait.
//
//   bytes -> RequestReader (http.hpp) -> handle (routes.hpp) -> Reply | Ask | Follow -> Session (session.hpp) -> bytes
//
// Only http.cpp sees Beast; http and routes wait for nothing and are fuzzed as they are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/api/wire/wire.hpp"

// Declared only, so that routes, roles and their tests do not compile Asio.
namespace boost::asio {
class io_context;
}

namespace plimsoll::api {

using Put = std::function<void(std::string_view piece)>;

struct Backend {
  std::function<wire::Status()> status;
  /// As JSON at once: of a thousand services the structs would be as much memory again.
  std::function<std::string()> status_json;
  /// The same in brief, whose text need not be there at once either: `put` gets it in pieces as it is made.
  std::function<void(const Put& put)> brief_status;
  /// The same with one service only; nothing: there is no service of that name.
  std::function<std::optional<wire::Status>(std::string_view name)> status_of;
  /// The daemon's part of it alone, which costs less with many services.
  std::function<wire::Daemon()> daemon;
  /// Nothing: there is no service of that name.
  std::function<std::optional<wire::ServiceDetail>(std::string_view name)> service;
  /// Events with an id above `after`, oldest first, of those that are kept.
  std::function<std::vector<wire::Event>(std::uint64_t after)> events;
  /// Newest last; of one service, or of all when `service` is empty.
  std::function<std::vector<wire::Intervention>(std::string_view service)> ledger;
  /// `by` names the peer for the event ("uid 1000 (alice)"). `answer` is called once, now or later, on this thread.
  std::function<void(wire::Command command, std::string by, std::function<void(wire::Answer)> answer)> command;
  /// What went wrong here and cannot be told to a client ("cannot accept: Too many open files, trying again in 100
  /// ms"); at most once a minute. May be empty.
  std::function<void(const std::string& sentence)> trouble;
};

struct Limits {
  /// In all. When they are used up, the connection that has been stuck in mid-request, or idle, for the longest is
  /// closed for a new one.
  std::size_t connections = 64;
  std::size_t header_bytes = 8 * 1024;
  std::size_t body_bytes = 64 * 1024;
  std::chrono::milliseconds request{5'000};   ///< from the first byte of a request to its last; and to write an answer
  std::chrono::milliseconds idle{60'000};     ///< of a kept connection between two requests
  std::chrono::milliseconds answer{600'000};  ///< how long a command may take
  std::size_t followers = 16;                 ///< of /v1/events, among the connections
  std::size_t follower_bytes = 256 * 1024;    ///< not yet read by a follower; one event more and it is cut off
  std::chrono::milliseconds follower_sign{30'000};  ///< a follower that has nothing to hear gets a comment so often
};

/// Who may do what, by peer credentials: root and the daemon's own user act, and `operators`; `observers` look; others
/// get 403.
struct Roles {
  std::vector<std::string> operators;
  std::vector<std::string> observers;
};

class Server {
 public:
  /// `listening_fd` is a listening Unix socket and is owned by the server from now on.
  Server(boost::asio::io_context& context, int listening_fd, Backend backend, Roles roles, Limits limits = {});
  ~Server();
  Server(Server&&) noexcept;
  Server& operator=(Server&&) = delete;

  void set_roles(Roles roles);  ///< after a reload
  /// Tells every follower of /v1/events (server-sent events) that there is something new to fetch from Backend::events.
  void events_added();
  /// Stops accepting; open commands still get their answer, followers are closed.
  void stop_accepting();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace plimsoll::api

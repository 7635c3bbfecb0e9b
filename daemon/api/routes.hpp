// From a request to what is to be done about it. No socket, no wait: same request, role and backend, same outcome.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/api/server.hpp"

namespace plimsoll::api {

/// What of an HTTP request anything here depends on.
struct Request {
  std::string method;
  std::string target;  ///< as sent: path and query, percent-encoded
  std::string body;
  std::string accept;
  std::string last_event_id;  ///< of a follower that comes back
  bool keep_alive = false;
};

enum class Role { nobody, observer, acting };

struct Reply {
  int status = 200;
  std::string body;   ///< JSON
  std::string allow;  ///< for 405: the methods there are
};
/// {"schema": 1, "error": sentence}
Reply refusal(int status, std::string sentence);

/// A 200 whose body is sent while it is made: `make` is called at once and keeps nothing of `put`.
struct Making {
  std::function<void(const Put& put)> make;
};

/// Events as they come: those above `after` first; nothing: from now on.
struct Follow {
  std::optional<std::uint64_t> after;
  std::string service;  ///< of this one only; empty: all
};

/// A command for the backend; its answer is the reply.
struct Ask {
  wire::Command command;
};

using Outcome = std::variant<Reply, Making, Follow, Ask>;
Outcome handle(const Request& request, Role role, const Backend& backend);

/// "a%20b" -> "a b"; nothing if a `%` is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace plimsoll::api

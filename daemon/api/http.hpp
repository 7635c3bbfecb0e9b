// HTTP/1.1 as text: requests taken out of a stream of bytes within limits, replies put into one. Beast is behind it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/api/routes.hpp"

namespace plimsoll::api {

/// The bytes of one connection. Once it has refused, nothing after can be trusted: the connection is to be closed.
class RequestReader {
 public:
  RequestReader(std::size_t header_bytes, std::size_t body_bytes);
  ~RequestReader();

  struct NeedMore {};
  using Next = std::variant<NeedMore, Request, Reply>;

  void add(std::string_view bytes);
  /// The next whole request of the bytes so far; or the reply that refuses them (400, 413, 431).
  Next next();
  /// A request has begun and is not whole.
  [[nodiscard]] bool begun() const;
  /// The client waits for "100 Continue" before it sends the body. True once per request.
  bool wants_continue();

 private:
  struct Parser;
  void start_anew();
  std::size_t header_bytes_;
  std::size_t body_bytes_;
  std::string bytes_;  ///< not yet taken by the parser
  std::unique_ptr<Parser> parser_;
};

inline constexpr std::string_view continue_text = "HTTP/1.1 100 Continue\r\n\r\n";
/// All of the reply but its body.
std::string head_text(const Reply& reply, bool keep_alive);
std::string to_text(const Reply& reply, bool keep_alive);
/// The head of a body of JSON whose length is not known yet; it ends with the connection.
std::string open_head();
/// The head of a stream of server-sent events; it ends with the connection.
std::string stream_head();
/// One event as it is sent: its id and its JSON.
std::string to_stream_text(const wire::Event& event);

}  // namespace plimsoll::api

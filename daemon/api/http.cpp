// The only file that sees Beast: its parser, fed by hand, so that the whole way from bytes to a request can be tested
// and fuzzed without a socket.
#include "daemon/api/http.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "daemon/api/wire/json.hpp"

namespace plimsoll::api {

namespace http = boost::beast::http;

struct RequestReader::Parser {
  http::request_parser<http::string_body> beast;
  bool taken_anything = false;
  bool continued = false;
};

namespace {

Reply reply_for(const boost::system::error_code& error, std::size_t header_bytes, std::size_t body_bytes) {
  if (error == http::error::header_limit)
    return refusal(431, "the header is longer than " + std::to_string(header_bytes) + " bytes");
  if (error == http::error::body_limit)
    return refusal(413, "the body is longer than " + std::to_string(body_bytes) + " bytes");
  return refusal(400, "this is not HTTP/1.1: " + error.message());
}

std::string field_of(const http::fields& fields, http::field name) {
  const auto value = fields[name];
  return {value.data(), value.size()};
}

}  // namespace

RequestReader::RequestReader(std::size_t header_bytes, std::size_t body_bytes)
    : header_bytes_(header_bytes), body_bytes_(body_bytes) {
  start_anew();
}
RequestReader::~RequestReader() = default;

void RequestReader::start_anew() {
  parser_ = std::make_unique<Parser>();
  parser_->beast.header_limit(static_cast<std::uint32_t>(header_bytes_));
  parser_->beast.body_limit(body_bytes_);
  parser_->beast.eager(true);
}

void RequestReader::add(std::string_view bytes) {
  bytes_ += bytes;
}
bool RequestReader::begun() const {
  return parser_->taken_anything || !bytes_.empty();
}

bool RequestReader::wants_continue() {
  if (!parser_->beast.is_header_done() || parser_->beast.is_done() || parser_->continued) return false;
  if (!boost::beast::iequals(parser_->beast.get()[http::field::expect], "100-continue")) return false;
  parser_->continued = true;
  return true;
}

RequestReader::Next RequestReader::next() {
  auto& beast = parser_->beast;
  while (!beast.is_done()) {
    if (bytes_.empty()) return NeedMore{};
    boost::system::error_code error;
    const bool in_header = !beast.is_header_done();
    const std::size_t taken = beast.put(boost::asio::buffer(bytes_), error);
    bytes_.erase(0, taken);
    parser_->taken_anything = parser_->taken_anything || taken > 0;
    if (error == http::error::need_more) {
      // The parser's own limit counts what it could take apart; a line that never ends is counted here.
      if (in_header && bytes_.size() > header_bytes_)
        error = http::error::header_limit;
      else
        return NeedMore{};
    }
    if (error) return reply_for(error, header_bytes_, body_bytes_);
  }
  auto message = beast.release();
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.accept = field_of(message, http::field::accept);
  request.last_event_id = std::string(message["Last-Event-ID"]);
  request.keep_alive = message.keep_alive();
  request.body = std::move(message.body());
  start_anew();
  return request;
}

std::string head_text(const Reply& reply, bool keep_alive) {
  const int status = reply.status < 200 || reply.status > 599 ? 500 : reply.status;
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason) + "\r\n";
  text += "Content-Type: application/json\r\nCache-Control: no-store\r\n";
  if (!reply.allow.empty()) text += "Allow: " + reply.allow + "\r\n";
  text += keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n";
  return text;
}

std::string to_text(const Reply& reply, bool keep_alive) {
  return head_text(reply, keep_alive) + reply.body;
}

std::string open_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
}

std::string stream_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
}

std::string to_stream_text(const wire::Event& event) {
  return "id: " + std::to_string(event.id) + "\ndata: " + wire::to_json(event) + "\n\n";
}

}  // namespace plimsoll::api

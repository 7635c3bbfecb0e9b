#include "daemon/api/http.hpp"

#include <gtest/gtest.h>

#include "tests/unit/api/fake_backend.hpp"
#include "tests/unit/api/garbage.hpp"

namespace plimsoll::api {
namespace {

constexpr std::size_t header_bytes = 8 * 1024;
constexpr std::size_t body_bytes = 64 * 1024;

/// The status of the first refusal that `bytes` get, from the reader or, for what is HTTP, from the routes; 0: nothing
/// is refused.
int refusal_of(const std::string& bytes) {
  FakeBackend fake;
  RequestReader reader(header_bytes, body_bytes);
  reader.add(bytes);
  while (true) {
    const RequestReader::Next next = reader.next();
    if (std::holds_alternative<RequestReader::NeedMore>(next)) return 0;
    if (const auto* reply = std::get_if<Reply>(&next)) return reply->status;
    const Outcome outcome = handle(std::get<Request>(next), Role::acting, fake.backend());
    const auto* reply = std::get_if<Reply>(&outcome);
    if (reply && reply->status >= 400) return reply->status;
  }
}

TEST(Http, EveryMalformedOrOversizedRequestIsRefusedWith4xx) {
  const auto all = malformed_requests();
  EXPECT_GE(all.size(), 30u);
  for (const std::string& bytes : all) {
    const int status = refusal_of(bytes);
    EXPECT_TRUE(status >= 400 && status < 500) << status << " for: " << bytes.substr(0, 80);
  }
}

TEST(Http, WhatIsMerelyCutOffIsNeitherARequestNorRefusedYet) {
  for (const std::string& bytes : truncated_requests()) {
    RequestReader reader(header_bytes, body_bytes);
    reader.add(bytes);
    EXPECT_TRUE(std::holds_alternative<RequestReader::NeedMore>(reader.next())) << bytes;
    EXPECT_TRUE(reader.begun()) << bytes;
  }
}

TEST(Http, TooMuchIsNamedForWhatItIs) {
  EXPECT_EQ(refusal_of("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\n\r\n"), 431);
  EXPECT_EQ(refusal_of(std::string(9'000, 'A')), 431);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 2'000; ++i) many += "A" + std::to_string(i) + ": b\r\n";
  EXPECT_EQ(refusal_of(many), 431);
  EXPECT_EQ(refusal_of("POST /v1/hold HTTP/1.1\r\nContent-Length: 65537\r\n\r\n"), 413);
  EXPECT_EQ(
      refusal_of("POST /v1/hold HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + std::string(0x20000, ' ')),
      413);
}

TEST(Http, ARequestIsTheSameHoweverItsBytesAreCut) {
  const std::string bytes =
      "POST /v1/hold?x=1 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nLast-Event-ID: 7\r\nContent-Length: "
      "4\r\n\r\n{  }";
  RequestReader reader(header_bytes, body_bytes);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    reader.add(bytes.substr(i, 1));
    ASSERT_TRUE(std::holds_alternative<RequestReader::NeedMore>(reader.next())) << i;
  }
  reader.add(bytes.substr(bytes.size() - 1));
  const RequestReader::Next next = reader.next();
  const auto& request = std::get<Request>(next);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/v1/hold?x=1");
  EXPECT_EQ(request.accept, "text/event-stream");
  EXPECT_EQ(request.last_event_id, "7");
  EXPECT_EQ(request.body, "{  }");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_FALSE(reader.begun());
}

TEST(Http, RequestsThatCameTogetherAreTakenOneByOne) {
  RequestReader reader(header_bytes, body_bytes);
  reader.add(
      "GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /c "
      "HTTP/1.0\r\n\r\n");
  const RequestReader::Next a = reader.next();
  const RequestReader::Next b = reader.next();
  const RequestReader::Next c = reader.next();
  EXPECT_EQ(std::get<Request>(a).target, "/a");
  EXPECT_EQ(std::get<Request>(b).target, "/b");
  EXPECT_EQ(std::get<Request>(b).body, "{}");
  EXPECT_EQ(std::get<Request>(c).target, "/c");
  EXPECT_FALSE(std::get<Request>(c).keep_alive) << "HTTP/1.0";
  EXPECT_TRUE(std::holds_alternative<RequestReader::NeedMore>(reader.next()));
}

TEST(Http, AClientThatWantsToContinueIsSeenOnce) {
  RequestReader reader(header_bytes, body_bytes);
  reader.add("POST /v1/hold HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_TRUE(std::holds_alternative<RequestReader::NeedMore>(reader.next()));
  EXPECT_TRUE(reader.wants_continue());
  EXPECT_FALSE(reader.wants_continue());
  reader.add("{}");
  EXPECT_TRUE(std::holds_alternative<Request>(reader.next()));
}

TEST(Http, RepliesSayTheirLengthAndWhetherTheConnectionStays) {
  EXPECT_EQ(to_text({200, "{}", ""}, true),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nConnection: keep-alive\r\n"
            "Content-Length: 2\r\n\r\n{}");
  EXPECT_EQ(
      to_text({405, "{}", "POST"}, false),
      "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nAllow: POST\r\n"
      "Connection: close\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_TRUE(to_text({0, "", ""}, false).starts_with("HTTP/1.1 500 ")) << "a backend's mistake is no broken answer";
}

TEST(Http, AnEventIsOneMessageOfTheStream) {
  wire::Event event;
  event.id = 12;
  event.why = "two\nlines";
  const std::string text = to_stream_text(event);
  EXPECT_TRUE(text.starts_with("id: 12\ndata: {\"schema\":1,\"id\":12,"));
  EXPECT_TRUE(text.ends_with("}\n\n"));
  EXPECT_EQ(text.find("\n\n"), text.size() - 2) << "a newline in a sentence must not end the message";
}

}  // namespace
}  // namespace plimsoll::api

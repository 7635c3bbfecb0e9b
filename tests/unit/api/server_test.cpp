#include <fcntl.h>
#include <sys/resource.h>

#include "daemon/api/wire/json.hpp"
#include "tests/unit/api/garbage.hpp"
#include "tests/unit/api/server_fixture.hpp"
#include "tests/unit/wire/samples.hpp"

namespace plimsoll::api {
namespace {

using namespace std::chrono_literals;

const std::string get_daemon = "GET /v1/daemon HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string get_brief = "GET /v1/services?brief=1 HTTP/1.1\r\nHost: x\r\n\r\n";
std::string post(const std::string& target, const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
const std::string stop_web = post("/v1/services/web/actions", R"({"do":"stop"})");
const std::string follow_events = "GET /v1/events?follow=1&since=0 HTTP/1.1\r\n\r\n";

TEST_F(ServerTest, AConnectionIsKeptForTheNextRequest) {
  serve();
  const sys::Fd client = connect(get_daemon);
  const std::string first = response(client);
  EXPECT_EQ(status_of(first), 200);
  EXPECT_TRUE(first.ends_with(wire::to_json(fake.status().daemon)));
  send(client, get_daemon);
  EXPECT_EQ(status_of(response(client)), 200);
  send(client, "GET /v1/nowhere HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(status_of(until_closed(client)), 404)
      << "a refusal by the routes does not end the connection by itself, the client did";
  EXPECT_TRUE(ended);
}

TEST_F(ServerTest, RequestsSentTogetherAreAnsweredInOrder) {
  serve();
  const sys::Fd client =
      connect(get_daemon + "GET /nowhere HTTP/1.1\r\n\r\n" + "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string all = until_closed(client);
  const std::size_t second = all.find("HTTP/1.1 404");
  EXPECT_EQ(all.find("HTTP/1.1 200"), 0u);
  EXPECT_NE(second, all.npos);
  EXPECT_NE(all.find("HTTP/1.1 200", second), all.npos);
}

TEST_F(ServerTest, EachMalformedOrOversizedRequestGetsA4xxOrAClose) {
  serve();
  for (const std::string& bytes : malformed_requests()) {
    const sys::Fd client = connect(bytes);
    ::shutdown(client.get(), SHUT_WR);
    const std::string text = until_closed(client);
    EXPECT_TRUE(ended) << bytes.substr(0, 80);
    EXPECT_TRUE(text.empty() || status_of(text) / 100 == 4) << text << " for " << bytes.substr(0, 80);
  }
  EXPECT_TRUE(fake.asked.empty());
  EXPECT_EQ(status_of(response(connect(get_daemon))), 200);
}

TEST_F(ServerTest, ATruncatedRequestIsClosedWithoutAnAct) {
  serve();
  for (const std::string& bytes : truncated_requests()) {
    const sys::Fd client = connect(bytes);
    ::shutdown(client.get(), SHUT_WR);
    EXPECT_EQ(until_closed(client), "") << bytes;
    EXPECT_TRUE(ended) << bytes;
  }
  EXPECT_TRUE(fake.asked.empty());
}

TEST_F(ServerTest, AClientThatGoesOnSendingCanStillReadItsRefusal) {
  serve();
  const sys::Fd client =
      connect("POST /v1/hold HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, ' '));
  EXPECT_EQ(status_of(response(client)), 413);
}

TEST_F(ServerTest, ARequestThatDoesNotEndIsClosedInTime) {
  Limits short_limits;
  short_limits.request = 30ms;
  serve(short_limits);
  const sys::Fd client = connect("GET /v1/dae");
  EXPECT_EQ(until_closed(client), "");
  EXPECT_TRUE(ended);
}

TEST_F(ServerTest, AnIdleConnectionIsClosedInTime) {
  Limits short_limits;
  short_limits.idle = 30ms;
  serve(short_limits);
  const sys::Fd client = connect(get_daemon);
  EXPECT_EQ(status_of(until_closed(client)), 200);
  EXPECT_TRUE(ended);
}

TEST_F(ServerTest, With64ClientsHangingTheNextIsServed) {
  serve();
  std::vector<sys::Fd> hanging;
  for (int i = 0; i < 64; ++i) hanging.push_back(connect("POST /v1/hold HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"));
  const auto before = std::chrono::steady_clock::now();
  const sys::Fd next = connect(get_daemon);
  EXPECT_EQ(status_of(response(next)), 200);
  EXPECT_LT(std::chrono::steady_clock::now() - before, limits.request) << "not by their time-out";
  EXPECT_EQ(until_closed(hanging.front()), "");
  EXPECT_TRUE(ended) << "the one that hung longest made room";
  char byte;
  EXPECT_EQ(::recv(hanging[1].get(), &byte, 1, 0), -1) << "the others were left";
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(ServerTest, WaitingCommandsAndFollowersDoNotMakeRoom) {
  Limits few;
  few.connections = 3;
  serve(few);
  const sys::Fd waiting = connect(stop_web);
  const sys::Fd follower = connect(follow_events);
  const sys::Fd idle = connect();
  EXPECT_EQ(status_of(response(connect(get_daemon))), 200) << "the idle one made room";
  EXPECT_EQ(until_closed(idle), "");
  const sys::Fd waiting_too = connect(stop_web);
  ASSERT_EQ(fake.asked.size(), 2u);
  EXPECT_EQ(status_of(until_closed(connect(get_daemon))), 503);
  fake.asked[0].answer({200, "stopped"});
  fake.asked[1].answer({200, "stopped"});
  EXPECT_EQ(status_of(response(waiting)), 200);
  EXPECT_EQ(status_of(response(waiting_too)), 200);
  fake.add_event("alive");
  server->events_added();
  EXPECT_NE(until(follower, "alive").find("alive"), std::string::npos);
}

TEST_F(ServerTest, ACommandIsAnsweredWhenItsOutcomeIsThere) {
  serve();
  const sys::Fd client = connect(stop_web);
  ASSERT_EQ(fake.asked.size(), 1u);
  EXPECT_EQ(fake.asked[0].command.act, "stop");
  EXPECT_EQ(fake.asked[0].command.service, "web");
  EXPECT_TRUE(fake.asked[0].by.starts_with("uid " + std::to_string(::geteuid()))) << fake.asked[0].by;
  char byte;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), -1) << "nothing before the outcome";
  fake.asked[0].answer({409, "it is stuck"});
  fake.asked[0].answer({200, "said twice"});
  const std::string text = response(client);
  EXPECT_EQ(status_of(text), 409);
  EXPECT_TRUE(text.ends_with(R"({"schema":1,"error":"it is stuck"})"));
  send(client, get_daemon);
  EXPECT_EQ(status_of(response(client)), 200) << "the connection is still good";
}

TEST_F(ServerTest, ACommandMayBeAnsweredAtOnce) {
  Backend backend = fake.backend();
  backend.command = [](const wire::Command&, const std::string&, const std::function<void(wire::Answer)>& answer) {
    answer({200, "at once"});
  };
  serve({}, backend);
  EXPECT_TRUE(response(connect(stop_web)).ends_with(R"({"schema":1,"message":"at once"})"));
}

TEST_F(ServerTest, ACommandWithoutAnOutcomeIsGivenUpInTime) {
  Limits short_limits;
  short_limits.answer = 30ms;
  serve(short_limits);
  const sys::Fd client = connect(stop_web);
  EXPECT_EQ(status_of(response(client)), 504);
  send(client, stop_web);
  ASSERT_EQ(fake.asked.size(), 2u);
  fake.asked[0].answer({200, "too late, and not for the second"});
  fake.asked[1].answer({200, "second"});
  EXPECT_TRUE(response(client).ends_with(R"({"schema":1,"message":"second"})"));
}

TEST_F(ServerTest, AClientThatIsGoneBeforeTheAnswerLeavesNothingBehind) {
  Limits one;
  one.connections = 1;
  serve(one);
  { const sys::Fd client = connect(stop_web); }
  settle();
  ASSERT_EQ(fake.asked.size(), 1u);
  const sys::Fd next = connect(get_daemon);
  EXPECT_EQ(status_of(response(next)), 200) << "its place is free, although a waiting command makes no room";
  fake.asked[0].answer({200, "stopped"});
  settle();
  send(next, get_daemon);
  EXPECT_EQ(status_of(response(next)), 200);
}

TEST_F(ServerTest, AClientThatOnlyClosedItsSendingSideGetsItsAnswer) {
  serve();
  const sys::Fd client = connect(stop_web);
  ::shutdown(client.get(), SHUT_WR);
  settle();
  fake.asked.at(0).answer({200, "stopped"});
  EXPECT_EQ(status_of(response(client)), 200);
}

TEST_F(ServerTest, AnAnswerAfterTheServerIsGoneIsNothing) {
  serve();
  const sys::Fd client = connect(stop_web);
  ASSERT_EQ(fake.asked.size(), 1u);
  server.reset();
  settle();
  fake.asked[0].answer({200, "stopped"});
  EXPECT_EQ(until_closed(client), "");
  EXPECT_TRUE(ended);
}

TEST_F(ServerTest, AnAnswerThatNoSocketHoldsComesWhole) {
  serve();
  for (int i = 0; i < 100; ++i) fake.add_event(std::string(20'000, 'x') + std::to_string(i));
  const sys::Fd client = connect("GET /v1/events HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string text = until_closed(client);
  EXPECT_EQ(text.substr(text.find("\r\n\r\n") + 4), wire::to_json(fake.events));
}

TEST_F(ServerTest, ABriefStatusEndsWithItsConnection) {
  serve();
  const sys::Fd client = connect(get_brief);
  const std::string text = until_closed(client);
  EXPECT_TRUE(ended);
  EXPECT_EQ(status_of(text), 200);
  EXPECT_NE(text.find("Connection: close\r\n"), text.npos);
  EXPECT_EQ(text.find("Content-Length"), text.npos);
  EXPECT_EQ(text.substr(text.find("\r\n\r\n") + 4), wire::brief_json(fake.status()));
}

TEST_F(ServerTest, ABriefStatusIsReadWhileTheRestIsMade) {
  sys::Fd client;
  std::string read_meanwhile;
  Backend backend = fake.backend();
  backend.brief_status = [&](const Put& put) {
    put("first");
    char chunk[4096];
    const ssize_t count = ::recv(client.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    read_meanwhile.assign(chunk, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    put("second");
  };
  serve({}, backend);
  client = connect();
  send(client, get_brief);
  EXPECT_TRUE(read_meanwhile.ends_with("\r\n\r\nfirst")) << read_meanwhile;
  EXPECT_EQ(until_closed(client), "second");
}

TEST_F(ServerTest, ABriefStatusThatNoSocketHoldsComesWhole) {
  std::string made;
  Backend backend = fake.backend();
  backend.brief_status = [&](const Put& put) {
    for (int i = 0; i < 200; ++i) {
      const std::string piece = std::string(20'000, 'x') + std::to_string(i);
      made += piece;
      put(piece);
    }
  };
  serve({}, backend);
  const sys::Fd client = connect(get_brief);
  const std::string text = until_closed(client);
  EXPECT_TRUE(ended);
  EXPECT_EQ(text.substr(text.find("\r\n\r\n") + 4), made);
}

TEST_F(ServerTest, AClientThatIsGoneWhileItsStatusIsMadeLeavesNothingBehind) {
  sys::Fd client;
  Backend backend = fake.backend();
  backend.brief_status = [&](const Put& put) {
    put("first");
    client = {};
    put("second");
  };
  serve({}, backend);
  client = connect();
  send(client, get_brief);
  EXPECT_FALSE(client);
  EXPECT_EQ(status_of(response(connect(get_daemon))), 200);
}

TEST_F(ServerTest, AFollowerOfAServiceHearsOfNoOther) {
  serve();
  const auto add = [&](const char* service, const char* why) {
    fake.add_event(why);
    fake.events.back().service = service;
    if (server) server->events_added();
  };
  add("web", "one");
  const sys::Fd client = connect("GET /v1/events?follow=1&since=0&service=web HTTP/1.1\r\n\r\n");
  add("api", "two");
  add("web", "three");
  const std::string text = until(client, "three");
  EXPECT_NE(text.find("one"), text.npos);
  EXPECT_EQ(text.find("two"), text.npos);
}

TEST_F(ServerTest, AFollowerGetsWhatWasAndWhatComes) {
  serve();
  fake.add_event("one");
  fake.add_event("two");
  const sys::Fd client = connect("GET /v1/events?since=1 HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n");
  const std::string before = until(client, "two");
  EXPECT_NE(before.find("Content-Type: text/event-stream"), before.npos);
  EXPECT_EQ(before.find("one"), before.npos);
  fake.add_event("three");
  server->events_added();
  server->events_added();
  fake.add_event("four");
  server->events_added();
  const std::string after = until(client, "four");
  EXPECT_LT(after.find("id: 3\ndata: {"), after.find("id: 4\ndata: {"));
  EXPECT_EQ(after.find("three"), after.rfind("three")) << "each once";
}

TEST_F(ServerTest, AFollowerThatDoesNotSaySinceWhenHearsOnlyWhatComes) {
  serve();
  fake.add_event("before");
  const sys::Fd client = connect("GET /v1/events?follow=1 HTTP/1.1\r\n\r\n");
  fake.add_event("after");
  server->events_added();
  const std::string text = until(client, "after");
  EXPECT_EQ(text.find("before"), text.npos);
  EXPECT_NE(text.find("after"), text.npos);
}

TEST_F(ServerTest, AFollowerWithNothingToHearGetsASign) {
  Limits signs;
  signs.follower_sign = 20ms;
  serve(signs);
  const sys::Fd client = connect(follow_events);
  const std::string text = until(client, "\n:\n\n");
  EXPECT_TRUE(text.ends_with(":\n\n")) << text;
}

TEST_F(ServerTest, AFollowerThatDoesNotReadIsCutOff) {
  Limits small;
  small.follower_bytes = 50'000;
  serve(small);
  const sys::Fd slow = connect(follow_events);
  const sys::Fd quick = connect(follow_events);
  std::string heard;
  for (int i = 0; i < 100; ++i) {
    fake.add_event(std::string(20'000, 'x') + " number " + std::to_string(i) + ".");
    server->events_added();
    heard += until(quick, " number " + std::to_string(i) + ".");
  }
  EXPECT_NE(heard.find(" number 99."), heard.npos) << "the other follower has heard all";
  const std::string text = until_closed(slow);
  EXPECT_TRUE(ended);
  EXPECT_NE(text.find(" number 0."), text.npos);
  EXPECT_EQ(text.find(" number 99."), text.npos);
}

TEST_F(ServerTest, AFollowerTooManyIsRefused) {
  serve();
  std::vector<sys::Fd> followers;
  for (int i = 0; i < 16; ++i) followers.push_back(connect(follow_events));
  const sys::Fd another = connect(follow_events);
  EXPECT_EQ(status_of(response(another)), 503);
  followers.pop_back();
  settle();
  send(another, follow_events);
  EXPECT_NE(until(another, "event-stream").find("HTTP/1.1 200"), std::string::npos) << "a place was free again";
}

TEST_F(ServerTest, AfterStopAcceptingOpenCommandsAreAnsweredAndFollowersClosed) {
  serve();
  const sys::Fd waiting = connect(stop_web);
  const sys::Fd follower = connect(follow_events);
  const sys::Fd idle = connect();
  server->stop_accepting();
  until_closed(follower);
  EXPECT_TRUE(ended);
  until_closed(idle);
  EXPECT_TRUE(ended);
  fake.asked.at(0).answer({200, "stopped"});
  const std::string text = until_closed(waiting);
  EXPECT_EQ(status_of(text), 200);
  EXPECT_NE(text.find("Connection: close"), text.npos);
  EXPECT_TRUE(ended);
  const sys::Fd late(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un where = address();
  EXPECT_EQ(::connect(late.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where), -1);
}

/// Takes away every descriptor above those in use, for as long as it lives.
class NoDescriptors {
 public:
  /// `below`: and none of those that are given back can be had again.
  explicit NoDescriptors(rlim_t below = RLIM_INFINITY) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const sys::Fd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit none = before_;
    none.rlim_cur = std::min(below, static_cast<rlim_t>(lowest.get()));
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(ServerTest, WithoutDescriptorsAcceptingRestsAndGoesOnLater) {
  serve();
  settle();
  const sys::Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  {
    const NoDescriptors none(3);
    const sockaddr_un where = address();
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    settle();
    ASSERT_EQ(fake.troubles.size(), 1u);
    EXPECT_NE(fake.troubles[0].find("Too many open files"), std::string::npos);
    context.restart();
    EXPECT_EQ(context.poll(), 0u) << "it rests, although the listening socket is readable";
    context.run_for(250ms);
    EXPECT_EQ(fake.troubles.size(), 1u) << "said once, not at each attempt";
  }
  ASSERT_GT(::send(client.get(), get_daemon.data(), get_daemon.size(), MSG_NOSIGNAL), 0);
  EXPECT_EQ(status_of(response(client)), 200);
}

TEST_F(ServerTest, WithoutDescriptorsTheSpareOneServesAndThenAnIdleConnectionGivesItsUp) {
  serve();
  const sys::Fd idle = connect(get_daemon);
  response(idle);
  const sys::Fd first(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sys::Fd second(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const NoDescriptors none;
  const sockaddr_un where = address();
  for (const sys::Fd* client : {&first, &second}) {
    EXPECT_TRUE(fake.troubles.empty());
    ASSERT_EQ(::connect(client->get(), reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    ASSERT_GT(::send(client->get(), get_daemon.data(), get_daemon.size(), MSG_NOSIGNAL), 0);
    EXPECT_EQ(status_of(response(*client)), 200);
  }
  EXPECT_EQ(until_closed(idle), "");
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace plimsoll::api

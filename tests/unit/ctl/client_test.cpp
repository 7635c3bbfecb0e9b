#include "ctl/client.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "ctl/line.hpp"

namespace plimsoll::ctl {
namespace {

using namespace std::chrono_literals;

/// Listens in a folder of its own and answers each connection's bytes with a fixed text, in a thread that ends with it.
class Listener {
 public:
  explicit Listener(std::string answer, bool accepts = true) : answer_(std::move(answer)) {
    std::string pattern = "/tmp/plimsoll-ctl-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    path().copy(where.sun_path, sizeof where.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    EXPECT_EQ(::listen(fd_, 4), 0);
    if (accepts) thread_ = std::thread([this] { serve(); });
  }
  ~Listener() {
    if (thread_.joinable()) thread_.join();
    ::close(fd_);
    ::unlink(path().c_str());
    ::rmdir(folder_.c_str());
  }
  [[nodiscard]] std::string path() const { return folder_ + "/s"; }
  std::string request;

 private:
  void serve() {
    const int client = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    char chunk[4096];
    const ssize_t count = ::recv(client, chunk, sizeof chunk, 0);
    request.assign(chunk, static_cast<std::size_t>(count > 0 ? count : 0));
    ::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL);
    ::close(client);
  }
  std::string answer_;
  std::string folder_;
  int fd_ = -1;
  std::thread thread_;
};

std::variant<Response, Failure> get_from(const std::string& answer) {
  const Listener listener(answer);
  auto connected = Client::connect({listener.path()});
  auto* client = std::get_if<Client>(&connected);
  EXPECT_NE(client, nullptr);
  return client->get("/v1/daemon", 5s);
}

std::string failure_of(const std::string& answer) {
  const auto got = get_from(answer);
  const auto* failure = std::get_if<Failure>(&got);
  if (!failure) return "accepted";
  EXPECT_EQ(failure->exit, failed);
  return failure->message.substr(failure->message.rfind("/s ") + 3);
}

TEST(Client, LooksWhereTheDaemonPutsItsSocket) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ(socket_candidates("/a", "/b", "main", 7), Paths{"/a"});
  EXPECT_EQ(socket_candidates("", "/b", "main", 7), Paths{"/b"});
  EXPECT_EQ(socket_candidates("", "", "db", 7), (Paths{"/run/plimsoll/db.sock", "/tmp/plimsoll-7/db.sock"}));
}

TEST(Client, FindsTheSocketsOfDaemonsOfOtherNames) {
  const Listener one("", false);
  const std::string folder = one.path().substr(0, one.path().rfind('/'));
  const std::string other = folder + "/api.sock";
  ASSERT_EQ(::link(one.path().c_str(), other.c_str()), 0);
  EXPECT_EQ(sockets_beside({folder + "/main.sock", folder + "/no/such/main.sock"}), std::vector<std::string>{other})
      << "what is no socket of a daemon is left out";
  ::unlink(other.c_str());
}

TEST(Client, WithoutADaemonEverySocketThatWasTriedIsNamed) {
  const Listener nobody("", false);
  ::unlink(nobody.path().c_str());
  const auto connected = Client::connect({nobody.path(), "/tmp/plimsoll-none/main.sock", std::string(200, 'x')});
  const auto& failure = std::get<Failure>(connected);
  EXPECT_EQ(failure.exit, no_daemon);
  const std::vector<std::string> parts{nobody.path() + ": there is none", "/tmp/plimsoll-none/main.sock: there is none",
                                       "File name too long", "--socket"};
  for (const std::string& part : parts) EXPECT_NE(failure.message.find(part), std::string::npos) << failure.message;
}

TEST(Client, ASocketThatNobodyListensToIsPassedOver) {
  std::string pattern = "/tmp/plimsoll-ctl-XXXXXX";
  const std::string folder = ::mkdtemp(pattern.data());
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  (folder + "/dead").copy(where.sun_path, sizeof where.sun_path - 1);
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
  ::close(dead);
  {
    const Listener alive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    auto connected = Client::connect({folder + "/dead", alive.path()});
    ASSERT_TRUE(std::holds_alternative<Client>(connected));
    EXPECT_EQ(std::get<Client>(connected).path(), alive.path());
    const auto got = std::get<Client>(connected).get("/", 5s);
    EXPECT_TRUE(std::holds_alternative<Response>(got));
  }
  {
    const Listener alive("", false);
    EXPECT_EQ(listened_at({folder + "/dead", alive.path(), folder + "/none"}), std::vector<std::string>{alive.path()});
  }
  const auto none = Client::connect({folder + "/dead"});
  EXPECT_NE(std::get<Failure>(none).message.find("nobody listens"), std::string::npos);
  ::unlink((folder + "/dead").c_str());
  ::rmdir(folder.c_str());
}

TEST(Client, SendsARequestAndReadsTheAnswer) {
  Listener listener("HTTP/1.1 409 Conflict\r\ncontent-length: 5\r\nX: y\r\n\r\nhello");
  {
    auto connected = Client::connect({listener.path()});
    const auto got = std::get<Client>(connected).post("/v1/hold", "{}", 5s);
    EXPECT_EQ(std::get<Response>(got).status, 409);
    EXPECT_EQ(std::get<Response>(got).body, "hello");
  }
  const auto got = get_from("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  EXPECT_EQ(std::get<Response>(got).body, "until the end");
}

TEST(Client, ABodyIsTakenInPiecesAsItComesIn) {
  std::string body;
  while (body.size() < 100'000) body += "piece " + std::to_string(body.size());
  const std::string lengthy = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  for (const std::string& length : {lengthy, std::string()}) {
    std::string answer = "HTTP/1.1 200 OK\r\n";
    answer.append(length).append("\r\n").append(body);
    const Listener listener(answer);
    std::string taken;
    std::size_t longest = 0;
    const auto got = std::get<Client>(Client::connect({listener.path()})).get("/", 5s, [&](std::string_view piece) {
      taken += piece;
      longest = std::max(longest, piece.size());
    });
    EXPECT_EQ(std::get<Response>(got).body, "");
    EXPECT_EQ(taken, body);
    EXPECT_LT(longest, body.size());
  }
}

TEST(Client, ARefusalIsNotTakenForTheBody) {
  const Listener listener("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  const auto got = std::get<Client>(Client::connect({listener.path()})).get("/", 5s, [](std::string_view piece) {
    ADD_FAILURE() << piece;
  });
  EXPECT_EQ(std::get<Response>(got).status, 403);
  EXPECT_EQ(std::get<Response>(got).body, "no");
}

TEST(Client, WhatIsNoAnswerOfOursIsRefused) {
  const std::string strange = "does not speak our HTTP; is it plimsolld?";
  EXPECT_EQ(failure_of("SSH-2.0-OpenSSH\r\n\r\n"), strange);
  EXPECT_EQ(failure_of("HTTP/1.1 abc\r\n\r\n"), strange);
  EXPECT_EQ(failure_of("HTTP/1.1 999 X\r\n\r\n"), strange);
  EXPECT_EQ(failure_of("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), strange);
  EXPECT_EQ(failure_of("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), strange);
  EXPECT_EQ(failure_of("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"), strange);
  EXPECT_EQ(failure_of("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), strange);
  EXPECT_EQ(failure_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), strange);
  EXPECT_EQ(failure_of(std::string(70'000, 'a')), strange);
  EXPECT_EQ(failure_of(""), "closed the connection without an answer");
  EXPECT_EQ(failure_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
            "closed the connection in the middle of its answer");
}

TEST(Client, ADaemonThatHangsIsNotWaitedForForEver) {
  const Listener listener("", false);
  auto connected = Client::connect({listener.path()});
  const auto got = std::get<Client>(connected).get("/v1/daemon", 20ms);
  EXPECT_TRUE(std::get<Failure>(got).message.ends_with("did not answer in time"));
}

TEST(Client, FollowsAStreamToItsEnd) {
  const Listener listener("HTTP/1.1 200 OK\r\n\r\n:\n\nid: 1\ndata: {\"a\":1}\n\nid: 2\ndata: {}\n\ndata: cut of");
  auto connected = Client::connect({listener.path()});
  std::vector<std::string> heard;
  const auto end = std::get<Client>(connected).follow("/v1/events", -1, [&](const std::string& data) {
    heard.push_back(data);
    return true;
  });
  EXPECT_TRUE(std::holds_alternative<std::monostate>(end));
  EXPECT_EQ(heard, (std::vector<std::string>{"{\"a\":1}", "{}"}));
}

TEST(Client, AFollowerThatIsRefusedGetsTheReason) {
  const Listener listener("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nfull");
  auto connected = Client::connect({listener.path()});
  const auto end = std::get<Client>(connected).follow("/v1/events", -1, [](const std::string&) { return true; });
  EXPECT_EQ(std::get<Response>(end).status, 503);
  EXPECT_EQ(std::get<Response>(end).body, "full");
}

TEST(Client, StopsFollowingWhenNobodyReadsItsOutput) {
  int output[2];
  ASSERT_EQ(::pipe(output), 0);
  ::close(output[0]);
  // An open connection with a head and nothing after it: only the closed pipe can end the wait.
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
  ASSERT_EQ(::send(pair[1], head.data(), head.size(), 0), static_cast<ssize_t>(head.size()));
  Client client(pair[0], "a socket pair");
  const auto end = client.follow("/v1/events", output[1], [](const std::string&) { return true; });
  EXPECT_TRUE(std::holds_alternative<std::monostate>(end));
  ::close(output[1]);
  ::close(pair[1]);
}

TEST(Stream, IsTheSameHoweverItsBytesAreCut) {
  const std::string bytes = ":\n\nid: 7\ndata: one\n\ndata: two\n\n";
  StreamReader reader;
  std::vector<std::string> heard;
  for (const char c : bytes)
    for (std::string& event : reader.add({&c, 1})) heard.push_back(std::move(event));
  EXPECT_EQ(heard, (std::vector<std::string>{"one", "two"}));
}

TEST(Exits, TellUsageFromRefusalFromFailure) {
  EXPECT_EQ(exit_of(200), done);
  EXPECT_EQ(exit_of(202), done);
  EXPECT_EQ(exit_of(400), usage);
  EXPECT_EQ(exit_of(404), usage);
  EXPECT_EQ(exit_of(403), refused);
  EXPECT_EQ(exit_of(409), refused);
  EXPECT_EQ(exit_of(500), failed);
  EXPECT_EQ(exit_of(504), failed);
}

TEST(Encoding, LeavesNothingThatAPathWouldRead) {
  EXPECT_EQ(percent_encoded("web-1_a.b~"), "web-1_a.b~");
  EXPECT_EQ(percent_encoded("a b/?#%\n\xff"), "a%20b%2F%3F%23%25%0A%FF");
}

}  // namespace
}  // namespace plimsoll::ctl

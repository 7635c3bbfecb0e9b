// The server on a real socket, its clients in the same thread: the loop runs while a client waits for bytes, so nothing
// here sleeps and nothing races.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>

#include "daemon/api/server.hpp"
#include "daemon/sys/fd.hpp"
#include "tests/unit/api/fake_backend.hpp"

namespace plimsoll::api {

class ServerTest : public testing::Test {
 protected:
  ~ServerTest() override {
    ::unlink(path.c_str());
    ::rmdir(folder.c_str());
  }
  void serve(Limits with = {}, Backend backend = {}) {
    limits = with;
    std::string pattern = "/tmp/plimsoll-api-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = folder + "/s";
    if (!backend.command) backend = fake.backend();
    server.emplace(context, listening_socket(), backend, Roles{}, limits);
  }
  [[nodiscard]] int listening_socket() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_un where = address();
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    EXPECT_EQ(::listen(fd, 256), 0);
    return fd;
  }
  [[nodiscard]] sockaddr_un address() const {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    path.copy(where.sun_path, sizeof where.sun_path - 1);
    return where;
  }
  /// A client that has sent `bytes`; the server has seen it.
  sys::Fd connect(const std::string& bytes = "") {
    sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un where = address();
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    send(fd, bytes);
    return fd;
  }
  /// Lets the server do all that can be done now.
  void settle() {
    context.restart();
    context.poll();
  }
  void send(const sys::Fd& fd, std::string_view bytes) {
    settle();
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) break;  // refused and closed already
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      settle();
    }
    settle();
  }
  /// What arrives until `done` says enough, or the connection ends (then `ended` is set), or 10 s are over.
  template <class Done>
  std::string receive(const sys::Fd& fd, Done done) {
    std::string text;
    ended = false;
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done(text) && std::chrono::steady_clock::now() < give_up) {
      char chunk[4096];
      const ssize_t count = ::recv(fd.get(), chunk, sizeof chunk, 0);
      if (count > 0) {
        text.append(chunk, static_cast<std::size_t>(count));
      } else if (count == 0 || errno != EAGAIN) {
        ended = true;
        return text;
      } else {
        context.restart();
        context.run_one_for(std::chrono::milliseconds(20));
      }
    }
    return text;
  }
  /// One whole response.
  std::string response(const sys::Fd& fd) {
    return receive(fd, [](const std::string& text) {
      const std::size_t head = text.find("\r\n\r\n");
      const std::size_t length = text.find("Content-Length: ");
      if (head == text.npos || length == text.npos) return false;
      return text.size() >= head + 4 + std::stoul(text.substr(length + 16));
    });
  }
  std::string until_closed(const sys::Fd& fd) {
    return receive(fd, [](const std::string&) { return false; });
  }
  std::string until(const sys::Fd& fd, const std::string& part) {
    return receive(fd, [&](const std::string& text) { return text.find(part) != text.npos; });
  }
  static int status_of(const std::string& text) {
    return text.starts_with("HTTP/1.1 ") ? std::stoi(text.substr(9, 3)) : 0;
  }

  boost::asio::io_context context{1};
  FakeBackend fake;
  Limits limits;
  std::string folder, path;
  std::optional<Server> server;
  bool ended = false;
};

}  // namespace plimsoll::api

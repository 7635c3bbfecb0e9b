// An HTTP server of blocking sockets in a thread, with its answers written down beforehand: one for each connection, in
// order, the last again and again. It shares no code with what it tests.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/sys/fd.hpp"

namespace plimsoll::run {

inline std::string http_answer(int status, const std::string& body = "") {
  return "HTTP/1.1 " + std::to_string(status) + " Said\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}
/// In place of an answer: the connection stays open, and nothing comes.
inline const std::string says_nothing = "hang";
inline const std::string closes_at_once;

class PlainServer {
 public:
  /// On a port of 127.0.0.1, or on a Unix socket if `path` is not empty.
  explicit PlainServer(std::vector<std::string> answers, const std::string& path = "") : answers_(std::move(answers)) {
    path.empty() ? listen_tcp() : listen_unix(path);
    thread_ = std::thread([this] { serve(); });
  }
  PlainServer(const PlainServer&) = delete;
  PlainServer& operator=(const PlainServer&) = delete;
  ~PlainServer() {
    over_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }

  [[nodiscard]] std::string port() const { return std::to_string(port_); }
  [[nodiscard]] std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void listen_tcp() {
    listening_ = sys::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listening_.get(), plain, size), 0);
    EXPECT_EQ(::listen(listening_.get(), 64), 0);
    EXPECT_EQ(::getsockname(listening_.get(), plain, &size), 0);
    port_ = ntohs(address.sin_port);
  }

  void listen_unix(const std::string& path) {
    listening_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening_.get(), 64), 0);
  }

  void serve() {
    for (std::size_t turn = 0; !over_; ++turn) {
      sys::Fd connection(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return;
      const std::string request = read_request(connection.get());
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const std::string& answer = answers_[std::min(turn, answers_.size() - 1)];
      if (answer == says_nothing) {
        silent_.push_back(std::move(connection));
      } else if (!answer.empty()) {
        (void)!::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
  }

  static std::string read_request(int fd) {
    std::string text;
    std::array<char, 1024> piece;
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::read(fd, piece.data(), piece.size());
      if (got <= 0) break;
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

  std::vector<std::string> answers_;
  sys::Fd listening_;
  int port_ = 0;
  std::atomic<bool> over_ = false;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<sys::Fd> silent_;
  std::thread thread_;
};

}  // namespace plimsoll::run

#include "daemon/sys/tcp_sockets.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::sys {
namespace {

/// A listening socket on the loopback, and connections to it that nobody accepts.
struct Listener {
  Listener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), plain, size) != 0 || ::listen(fd.get(), 1024) != 0 ||
        ::getsockname(fd.get(), plain, &size) != 0) {
      ADD_FAILURE() << "cannot listen";
    }
  }
  [[nodiscard]] Fd connect() const {
    Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return client;
  }
  [[nodiscard]] std::uint16_t port() const { return ntohs(address.sin_port); }
  /// Those of the list that have to do with this port, each as text.
  [[nodiscard]] std::vector<std::string> among(const std::vector<TcpSocket>& all) const {
    std::vector<std::string> texts;
    for (const auto& one : all) {
      if (one.local_port != port() && one.remote_port != port()) continue;
      std::string text = std::to_string(one.local_port) + " " + std::to_string(one.remote_port) + " " +
                         std::to_string(one.state) + " " + std::to_string(one.inode);
      for (const auto byte : one.local_address) text += " " + std::to_string(byte);
      for (const auto byte : one.remote_address) text += " " + std::to_string(byte);
      texts.push_back(text);
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  Fd fd;
  sockaddr_in address{};
};

TEST(TcpSockets, AreThoseThatTheFilesTellOf) {
  const Listener listener;
  const Fd client = listener.connect();
  const auto asked = tcp_sockets();
  ASSERT_TRUE(asked) << asked.error().message();
  const auto read = ProcFs().tcp(::getpid());
  ASSERT_TRUE(read);
  const auto found = listener.among(*asked);
  EXPECT_EQ(found.size(), 3U) << "the listening one and both ends";
  EXPECT_EQ(found, listener.among(*read));
}

TEST(TcpSockets, AreAllThereThoughTheyFillManyDatagrams) {
  const Listener listener;
  std::vector<Fd> clients;
  for (int i = 0; i < 500; ++i) clients.push_back(listener.connect());
  const auto asked = tcp_sockets();
  ASSERT_TRUE(asked) << asked.error().message();
  EXPECT_EQ(listener.among(*asked).size(), 1 + 2 * clients.size());
}

TEST(TcpSockets, AnErrorWithoutADescriptorIsToldAsOne) {
  std::vector<Fd> taken;
  for (;;) {
    Fd one(::dup(0));
    if (!one) break;
    taken.push_back(std::move(one));
  }
  const auto asked = tcp_sockets();
  taken.clear();
  ASSERT_FALSE(asked);
  EXPECT_TRUE(is_shortage(asked.error()));
}

template <class T>
std::string bytes_of(const T& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string message(int type, const std::string& told, int flags = 0) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + told.size());
  header.nlmsg_type = static_cast<std::uint16_t>(type);
  header.nlmsg_flags = static_cast<std::uint16_t>(flags);
  std::string bytes = bytes_of(header) + told;
  bytes.resize(NLMSG_ALIGN(bytes.size()), '\0');
  return bytes;
}

inet_diag_msg told_of(int family) {
  inet_diag_msg told{};
  told.idiag_family = static_cast<std::uint8_t>(family);
  told.idiag_state = 10;
  told.idiag_inode = 4711;
  told.id.idiag_sport = htons(4466);
  return told;
}

TEST(TcpSockets, OfIpv6HaveTheirWholeAddress) {
  inet_diag_msg told = told_of(AF_INET6);
  told.id.idiag_src[0] = htonl(0x20010DB8U);
  told.id.idiag_src[3] = htonl(1);
  std::vector<TcpSocket> sockets;
  EXPECT_EQ(parse_tcp_sockets(message(SOCK_DIAG_BY_FAMILY, bytes_of(told)), sockets).value(), Answer::goes_on);
  ASSERT_EQ(sockets.size(), 1U);
  EXPECT_EQ(sockets[0].local_port, 4466);
  EXPECT_EQ(sockets[0].state, 10);
  EXPECT_EQ(sockets[0].inode, 4711U);
  const TcpAddress address{0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(sockets[0].local_address, address);
}

TEST(TcpSockets, EndWithTheWordDone) {
  std::vector<TcpSocket> sockets;
  const std::string one = message(SOCK_DIAG_BY_FAMILY, bytes_of(told_of(AF_INET)) + "attributes");
  EXPECT_EQ(parse_tcp_sockets(one + one + message(NLMSG_DONE, bytes_of(0)), sockets).value(), Answer::done);
  EXPECT_EQ(sockets.size(), 2U);
}

TEST(TcpSockets, AnAnswerThatMayLackSomeOfThemIsAnError) {
  std::vector<TcpSocket> sockets;
  const std::string told = bytes_of(told_of(AF_INET));
  const auto error_of_answer = [&](const std::string& bytes) {
    const auto answer = parse_tcp_sockets(bytes, sockets);
    return answer ? 0 : answer.error().value();
  };
  EXPECT_EQ(error_of_answer(message(SOCK_DIAG_BY_FAMILY, told, NLM_F_DUMP_INTR)), EINTR);
  EXPECT_EQ(error_of_answer(message(NLMSG_DONE, bytes_of(0), NLM_F_DUMP_INTR)), EINTR);
  EXPECT_EQ(error_of_answer(message(NLMSG_ERROR, bytes_of(-ENOENT))), ENOENT) << "a kernel without inet_diag";
  EXPECT_EQ(error_of_answer(message(NLMSG_ERROR, "")), EBADMSG);
  EXPECT_EQ(error_of_answer(message(SOCK_DIAG_BY_FAMILY, told.substr(1))), EBADMSG);
  EXPECT_EQ(error_of_answer(message(SOCK_DIAG_BY_FAMILY, told).substr(0, 40)), EBADMSG);
  EXPECT_EQ(error_of_answer(message(77, told)), EBADMSG);
  EXPECT_EQ(error_of_answer("x"), EBADMSG);
}

}  // namespace
}  // namespace plimsoll::sys

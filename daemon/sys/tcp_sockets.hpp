// The TCP sockets of our own network namespace, asked of the kernel through netlink (sock_diag(7), what ss(8) does).
//
// /proc/PID/net/tcp has the same of any process's namespace, but walks its table bucket by bucket as text is made of
// it: 3.5 ms for each of the two families on a machine of 24 GiB, however few sockets there are, 0.2 ms this way. The
// loop stands still meanwhile, so the file is for what this cannot answer: another namespace, a kernel without the
// module inet_diag, a sandbox that refuses netlink.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

/// In network order; an IPv4 address as the IPv6 address that stands for it (::ffff:a.b.c.d), so that a socket of
/// either family tells the same of the same connection.
using TcpAddress = std::array<std::uint8_t, 16>;

struct TcpSocket {
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  int state = 0;  ///< 1 ESTABLISHED, 10 LISTEN
  std::uint64_t inode = 0;
  TcpAddress local_address{};
  TcpAddress remote_address{};
};

/// All of both families, or an error: a list of which something may be missing would end an engine that is in use.
Result<std::vector<TcpSocket>> tcp_sockets();

enum class Answer { goes_on, done };

/// Adds what one datagram of the kernel's answer tells, and says whether there is more to come.
Result<Answer> parse_tcp_sockets(std::string_view datagram, std::vector<TcpSocket>& into);

}  // namespace plimsoll::sys

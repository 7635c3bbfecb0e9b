#include "daemon/sys/tcp_sockets.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "daemon/sys/fd.hpp"

namespace plimsoll::sys {
namespace {

/// ESTABLISHED (1) to CLOSING (11); the kernel shows a connection that is still being made as SYN_RECV.
constexpr std::uint32_t every_state = 0xFFE;
/// The most that the kernel puts into one datagram of such an answer.
constexpr std::size_t longest_datagram = 32 * 1024;

/// The piece at the front of what is left, when it is there whole.
template <class T>
std::optional<T> front(std::string_view bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

TcpAddress address_of(int family, const std::uint32_t* words) {
  constexpr std::size_t before_four = 12;
  TcpAddress address{};
  if (family == AF_INET6) {
    std::memcpy(address.data(), words, address.size());
    return address;
  }
  address[before_four - 2] = address[before_four - 1] = 0xFF;
  std::memcpy(address.data() + before_four, words, sizeof *words);
  return address;
}

TcpSocket socket_of(const inet_diag_msg& told) {
  TcpSocket socket;
  socket.local_port = ntohs(told.id.idiag_sport);
  socket.remote_port = ntohs(told.id.idiag_dport);
  socket.state = told.idiag_state;
  socket.inode = told.idiag_inode;
  socket.local_address = address_of(told.idiag_family, told.id.idiag_src);
  socket.remote_address = address_of(told.idiag_family, told.id.idiag_dst);
  return socket;
}

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 wanted;
};
static_assert(sizeof(Request) == sizeof(nlmsghdr) + sizeof(inet_diag_req_v2));

error_code ask(int fd, int family) {
  Request request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.wanted.sdiag_family = static_cast<std::uint8_t>(family);
  request.wanted.sdiag_protocol = IPPROTO_TCP;
  request.wanted.idiag_states = every_state;
  return ::send(fd, &request, sizeof request, 0) < 0 ? last_error() : error_code{};
}

/// The kernel makes each datagram of its answer while the one before is received: there is nothing to wait for.
error_code receive(int fd, std::vector<TcpSocket>& into) {
  std::vector<char> bytes(longest_datagram);
  for (;;) {
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0) return last_error();
    if (static_cast<std::size_t>(got) > bytes.size()) return error_of(EMSGSIZE);
    const auto answer = parse_tcp_sockets({bytes.data(), static_cast<std::size_t>(got)}, into);
    if (!answer) return answer.error();
    if (*answer == Answer::done) return {};
  }
}

/// Connected to the kernel's port, a netlink socket takes nothing from anybody else.
Result<Fd> open_diag() {
  Fd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) != 0) return last_error();
  return fd;
}

}  // namespace

Result<std::vector<TcpSocket>> tcp_sockets() {
  const auto diag = open_diag();
  if (!diag) return diag.error();
  std::vector<TcpSocket> sockets;
  for (const int family : {AF_INET, AF_INET6}) {
    if (const auto error = ask(diag->get(), family)) return error;
    if (const auto error = receive(diag->get(), sockets)) return error;
  }
  return sockets;
}

Result<Answer> parse_tcp_sockets(std::string_view datagram, std::vector<TcpSocket>& into) {
  while (!datagram.empty()) {
    const auto header = front<nlmsghdr>(datagram);
    if (!header || header->nlmsg_len < sizeof *header || header->nlmsg_len > datagram.size()) return error_of(EBADMSG);
    // The table changed under the walk, and the kernel cannot say that all were seen.
    if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) return error_of(EINTR);
    const std::string_view told = datagram.substr(sizeof *header, header->nlmsg_len - sizeof *header);
    if (header->nlmsg_type == NLMSG_DONE) return Answer::done;
    if (header->nlmsg_type == NLMSG_ERROR) {
      const auto error = front<int>(told);
      return error_of(error && *error < 0 ? -*error : EBADMSG);
    }
    const auto socket = front<inet_diag_msg>(told);
    if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || !socket) return error_of(EBADMSG);
    into.push_back(socket_of(*socket));
    datagram.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header->nlmsg_len), datagram.size()));
  }
  return Answer::goes_on;
}

}  // namespace plimsoll::sys

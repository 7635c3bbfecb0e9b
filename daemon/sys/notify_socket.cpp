#include "daemon/sys/notify_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace plimsoll::sys {
namespace {

constexpr std::size_t longest_text = 4'096;

/// What the kernel has put beside a datagram: who sent it.
void read_beside(msghdr& message, Notification& into) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
    if (part->cmsg_len < CMSG_LEN(sizeof(ucred))) continue;
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
    into.sender = sender.pid;
  }
}

}  // namespace

Result<NotifySocket> NotifySocket::open() {
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return last_error();
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) return last_error();
  // With nothing but the family in it the kernel chooses an abstract name (autobind, unix(7)).
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name.sun_family) != 0) return last_error();
  socklen_t length = sizeof name;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length) != 0) return last_error();
  constexpr std::size_t before = offsetof(sockaddr_un, sun_path) + 1;
  if (length <= before) return error_of(EADDRNOTAVAIL);
  return NotifySocket(std::move(socket), "@" + std::string(name.sun_path + 1, length - before));
}

Result<std::optional<Notification>> NotifySocket::take() {
  Notification taken;
  taken.text.resize(longest_text);
  iovec buffer{taken.text.data(), taken.text.size()};
  // Room for who sent it and no more. Descriptors that come along are anybody's, and to close one can wait for whoever
  // serves it: what does not fit the kernel lets go without giving it to us, which is all that a BARRIER=1 asks for.
  // It lets go in our time, though, so a stranger's TCP socket that lingers can hold us here. To refuse descriptors
  // (SO_PASSRIGHTS, Linux 6.16) would refuse every BARRIER=1 too, which is the default of systemd-notify.
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) return std::optional<Notification>{};
  if (size < 0) return last_error();
  taken.text.resize(static_cast<std::size_t>(size));
  read_beside(message, taken);
  return std::optional{std::move(taken)};
}

}  // namespace plimsoll::sys

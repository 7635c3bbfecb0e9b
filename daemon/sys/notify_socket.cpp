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
constexpr std::size_t most_descriptors = 253;  // SCM_MAX_FD: more than these the kernel does not pass

/// What the kernel has put beside a datagram: who sent it, and descriptors, which nobody here has use for.
void read_beside(msghdr& message, Notification& into) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len >= CMSG_LEN(sizeof(ucred))) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
      into.sender = sender.pid;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(part) + i * sizeof number, sizeof number);
        const Fd closed(number);
      }
    }
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
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(most_descriptors * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) return std::optional<Notification>{};
  if (size < 0) return last_error();
  taken.text.resize(static_cast<std::size_t>(size));
  read_beside(message, taken);
  return std::optional{std::move(taken)};
}

}  // namespace plimsoll::sys

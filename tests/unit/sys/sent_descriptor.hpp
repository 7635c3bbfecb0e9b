// A descriptor sent along with a text, as any client of a Unix socket may do (unix(7), SCM_RIGHTS).
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace plimsoll::sys {

/// 0 or errno. `to`: of a socket that is not connected.
inline int send_descriptor(int through, std::string text, int descriptor, sockaddr_un* to = nullptr,
                           socklen_t to_size = 0) {
  iovec piece{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_name = to;
  message.msg_namelen = to_size;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
  return ::sendmsg(through, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

}  // namespace plimsoll::sys

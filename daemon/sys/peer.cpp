#include "daemon/sys/peer.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

namespace plimsoll::sys {
namespace {

constexpr std::size_t first_size = 1024;
constexpr std::size_t largest_size =
    1U << 24;  ///< a group of a few hundred thousand members; past that it is no answer

/// Calls `look_up(buffer)` with larger and larger buffers until it says something else than ERANGE.
template <class LookUp>
int with_growing_buffer(LookUp look_up) {
  std::vector<char> buffer(first_size);
  for (;;) {
    const int error = look_up(buffer);
    if (error == EINTR) continue;
    if (error != ERANGE || buffer.size() >= largest_size) return error;
    buffer.resize(buffer.size() * 2);
  }
}

}  // namespace

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return last_error();
  Peer peer{credentials.pid, credentials.uid, credentials.gid, {}};

  // An empty buffer asks for the size; it cannot change meanwhile, the groups are those at connect.
  length = 0;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, nullptr, &length) == 0) return peer;
  if (errno != ERANGE) return last_error();
  peer.groups.resize(length / sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &length) != 0) return last_error();
  peer.groups.resize(length / sizeof(gid_t));
  return peer;
}

Result<gid_t> group_id(const std::string& name) {
  group entry{};
  group* found = nullptr;
  const int error = with_growing_buffer([&](std::vector<char>& buffer) {
    return ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  });
  if (found != nullptr) return entry.gr_gid;
  // "Not there" has several spellings, getgrnam(3): no error at all, or one of these.
  if (error == 0 || error == ESRCH || error == EBADF || error == EPERM) return error_of(ENOENT);
  return error_of(error);
}

std::string user_name(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::string name;
  with_growing_buffer([&](std::vector<char>& buffer) {
    const int error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) name = entry.pw_name;  // it points into the buffer
    return error;
  });
  return name.empty() ? "uid " + std::to_string(uid) : name;
}

}  // namespace plimsoll::sys

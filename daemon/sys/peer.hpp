// Who is at the other end of a Unix socket: SO_PEERCRED and SO_PEERGROUPS, unix(7).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary, as they were at connect
};
Result<Peer> peer_of(int socket);

/// gid of a group's name by getgrnam_r; ENOENT if there is none.
Result<gid_t> group_id(const std::string& name);
/// Login name of a uid, or "uid 1000".
std::string user_name(uid_t uid);

}  // namespace plimsoll::sys

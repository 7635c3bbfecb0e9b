// Who may do what, by the credentials the kernel gave with the connection. A name that a client says of itself counts
// for nothing.
#pragma once

#include <sys/types.h>

#include <vector>

#include "daemon/api/routes.hpp"
#include "daemon/sys/peer.hpp"

namespace plimsoll::api {

/// Roles with the groups looked up: a group that does not exist on this machine grants nothing.
struct RoleGroups {
  std::vector<gid_t> operators;
  std::vector<gid_t> observers;
};
/// Asks the machine's group database: at the start and at a reload, not per connection.
RoleGroups look_up(const Roles& roles);

/// `own` is the daemon's effective uid.
Role role_of(const sys::Peer& peer, uid_t own, const RoleGroups& groups);

/// For an event: "uid 1000 (alice)".
std::string name_of(const sys::Peer& peer);

}  // namespace plimsoll::api

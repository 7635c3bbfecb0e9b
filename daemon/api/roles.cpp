#include "daemon/api/roles.hpp"

#include <algorithm>

namespace plimsoll::api {
namespace {

std::vector<gid_t> existing(const std::vector<std::string>& names) {
  std::vector<gid_t> ids;
  for (const std::string& name : names)
    if (const auto id = sys::group_id(name)) ids.push_back(*id);
  return ids;
}

bool is_in(const sys::Peer& peer, const std::vector<gid_t>& groups) {
  return std::any_of(groups.begin(), groups.end(), [&peer](gid_t group) {
    return peer.gid == group || std::find(peer.groups.begin(), peer.groups.end(), group) != peer.groups.end();
  });
}

}  // namespace

RoleGroups look_up(const Roles& roles) {
  return {existing(roles.operators), existing(roles.observers)};
}

Role role_of(const sys::Peer& peer, uid_t own, const RoleGroups& groups) {
  if (peer.uid == 0 || peer.uid == own || is_in(peer, groups.operators)) return Role::acting;
  return is_in(peer, groups.observers) ? Role::observer : Role::nobody;
}

std::string name_of(const sys::Peer& peer) {
  const std::string number = "uid " + std::to_string(peer.uid);
  const std::string login = sys::user_name(peer.uid);
  return login == number ? number : number + " (" + login + ")";
}

}  // namespace plimsoll::api

// Users and groups of this machine, by name or by number. They are asked of the C library, which may read files or ask
// a server (nsswitch.conf(5)): the answer comes before the call returns, so this is for starts, not for samples.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;  ///< its primary group
  std::string home;
  std::string shell;
};

/// The number that a text of digits alone is; nothing for a name.
std::optional<std::uint32_t> account_number(std::string_view text);

/// `user` is a name or a number; nothing when the database has no such entry.
Result<std::optional<Account>> find_account(const std::string& user);
/// A number needs no entry.
Result<std::optional<gid_t>> find_group(const std::string& group);
/// The supplementary groups that a login of that name gets, `primary` among them, as initgroups(3) has them.
std::vector<gid_t> groups_of(const std::string& name, gid_t primary);

/// The groups of this process, in no order.
Result<std::vector<gid_t>> own_groups();

}  // namespace plimsoll::sys

// Who users and groups are, by name, remembered for a while: asking for them (getpwnam(3) and its like) opens and reads
// files, or asks a server, and a restart should cost a clone. What was found is believed for ten seconds, and no longer
// than /etc/passwd, /etc/group and nsswitch.conf stay as they were. That somebody is not there is never remembered.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/sys/accounts.hpp"

namespace plimsoll::run {

class Accounts {
 public:
  /// Before each start: forgets what is too old, and everything when a file has changed.
  void look_at_files();
  /// As the functions of the same names in daemon/sys.
  sys::Result<std::optional<sys::Account>> find_account(const std::string& user);
  sys::Result<std::optional<gid_t>> find_group(const std::string& name);
  std::vector<gid_t> groups_of(const std::string& name, gid_t primary);

 private:
  /// What tells one state of a file from another one: its inode and its last change.
  using Mark = std::array<long, 4>;

  std::array<Mark, 3> marks_{};
  std::chrono::steady_clock::time_point since_{};
  std::map<std::string, sys::Account> accounts_;
  std::map<std::string, gid_t> groups_;
  std::map<std::pair<std::string, gid_t>, std::vector<gid_t>> groups_of_;
};

}  // namespace plimsoll::run

#include "daemon/run/accounts.hpp"

#include <sys/stat.h>

namespace plimsoll::run {
namespace {

constexpr std::chrono::seconds believed_for{10};
constexpr std::array<const char*, 3> files{"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"};

}  // namespace

sys::Result<std::optional<sys::Account>> Accounts::find_account(const std::string& user) {
  if (const auto known = accounts_.find(user); known != accounts_.end()) return std::optional{known->second};
  auto found = sys::find_account(user);
  if (found && *found) accounts_.emplace(user, **found);
  return found;
}

sys::Result<std::optional<gid_t>> Accounts::find_group(const std::string& name) {
  if (const auto known = groups_.find(name); known != groups_.end()) return std::optional{known->second};
  auto found = sys::find_group(name);
  if (found && *found) groups_.emplace(name, **found);
  return found;
}

/// A server that does not answer leaves some out without a word (getgrouplist(3)): they are back in ten seconds.
std::vector<gid_t> Accounts::groups_of(const std::string& name, gid_t primary) {
  const auto [known, is_new] = groups_of_.try_emplace({name, primary});
  if (is_new) known->second = sys::groups_of(name, primary);
  return known->second;
}

void Accounts::look_at_files() {
  std::array<Mark, 3> now{};
  for (std::size_t i = 0; i < files.size(); ++i) {
    struct stat found {};
    if (::stat(files[i], &found) != 0) continue;
    now[i] = {static_cast<long>(found.st_ino), static_cast<long>(found.st_size), found.st_ctim.tv_sec,
              found.st_ctim.tv_nsec};
  }
  const auto at = std::chrono::steady_clock::now();
  if (now == marks_ && at - since_ < believed_for) return;
  marks_ = now;
  since_ = at;
  accounts_.clear();
  groups_.clear();
  groups_of_.clear();
}

}  // namespace plimsoll::run

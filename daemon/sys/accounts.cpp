#include "daemon/sys/accounts.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>

namespace plimsoll::sys {
namespace {

constexpr std::size_t first_buffer = 1024;
constexpr std::size_t largest_buffer = std::size_t{1} << 24U;  ///< a group can have very many members

/// Errors that getpwnam(3) names as "no such entry" beside the 0 of POSIX.
bool means_absent(int error) {
  return error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/// Calls `find(buffer, size, found)`, one of the _r functions, with as much room as it wants. Null in `found`: no
/// entry.
template <class Entry, class Find>
error_code with_room(std::vector<char>& buffer, Entry*& found, const Find& find) {
  for (buffer.resize(first_buffer);; buffer.resize(buffer.size() * 2)) {
    const int error = find(buffer.data(), buffer.size(), &found);
    if (error == 0 || (found == nullptr && means_absent(error))) return {};
    if (error == EINTR) continue;
    if (error != ERANGE || buffer.size() >= largest_buffer) return error_of(error);
  }
}

}  // namespace

std::optional<std::uint32_t> account_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<std::optional<Account>> find_account(const std::string& user) {
  std::vector<char> buffer;
  passwd entry{};
  passwd* found = nullptr;
  const auto number = account_number(user);
  const error_code error = with_room(buffer, found, [&](char* room, std::size_t size, passwd** result) {
    return number ? ::getpwuid_r(*number, &entry, room, size, result)
                  : ::getpwnam_r(user.c_str(), &entry, room, size, result);
  });
  if (error) return error;
  if (found == nullptr) return std::optional<Account>{};
  const auto text = [](const char* field) { return std::string(field != nullptr ? field : ""); };
  return std::optional{
      Account{text(entry.pw_name), entry.pw_uid, entry.pw_gid, text(entry.pw_dir), text(entry.pw_shell)}};
}

Result<std::optional<gid_t>> find_group(const std::string& name) {
  if (const auto number = account_number(name)) return std::optional<gid_t>{*number};
  std::vector<char> buffer;
  group entry{};
  group* found = nullptr;
  const error_code error = with_room(buffer, found, [&](char* room, std::size_t size, group** result) {
    return ::getgrnam_r(name.c_str(), &entry, room, size, result);
  });
  if (error) return error;
  return found == nullptr ? std::optional<gid_t>{} : std::optional<gid_t>{entry.gr_gid};
}

std::vector<gid_t> groups_of(const std::string& name, gid_t primary) {
  std::vector<gid_t> groups(32);
  for (;;) {
    int count = static_cast<int>(groups.size());
    const bool all = ::getgrouplist(name.c_str(), primary, groups.data(), &count) >= 0;
    // Where there is no room it says how much there must be.
    groups.resize(static_cast<std::size_t>(count));
    if (all) return groups;
  }
}

Result<std::vector<gid_t>> own_groups() {
  // How many there are is asked first: room for as many as there may be is 256 KiB of fresh pages at each start.
  const int there = ::getgroups(0, nullptr);
  if (there < 0) return last_error();
  std::vector<gid_t> groups(static_cast<std::size_t>(there));
  const int count = ::getgroups(there, groups.data());
  if (count < 0) return last_error();
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

}  // namespace plimsoll::sys

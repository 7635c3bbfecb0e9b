// What a process of a service finds around it when its main() begins, beside its command, working directory and table
// of variables. A key that is not written leaves what the daemon has itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace plimsoll {

enum class IoClass { realtime, best_effort, idle };

struct IoPriority {
  IoClass class_ = IoClass::best_effort;  ///< the key `class`
  int level = 4;                          ///< 0 (first) to 7; 0 of `idle`, which has none
  friend bool operator==(const IoPriority&, const IoPriority&) = default;
};

/// In what an rlimit is counted: things, bytes, seconds or microseconds.
enum class RlimitUnit { count, bytes, seconds, microseconds };
struct RlimitName {
  std::string_view name;  ///< "nofile" of RLIMIT_NOFILE
  RlimitUnit unit;
};
/// Every one that Linux has, by name.
std::span<const RlimitName> rlimit_names();

struct Rlimit {
  static constexpr std::uint64_t infinity = ~std::uint64_t{0};
  std::optional<std::uint64_t> soft;  ///< nothing: as it is, but not above `hard`
  std::optional<std::uint64_t> hard;  ///< nothing: as it is
  friend bool operator==(const Rlimit&, const Rlimit&) = default;
};

/// Which of the daemon's own variables a service gets: all, none, or those of that name.
using Inherit = std::variant<bool, std::vector<std::string>>;

struct EnvironmentFile {
  std::string path;
  bool optional = false;  ///< written with '-' before it: one that is missing is none
  friend bool operator==(const EnvironmentFile&, const EnvironmentFile&) = default;
};

enum class Session { own, group };

/// Bit N stands for the capability with the number N, see capabilities(7).
using CapabilitySet = std::uint64_t;
/// "CAP_CHOWN" or "CHOWN" → 0; nothing for another word.
std::optional<int> capability_number(std::string_view name);
/// "CAP_CHOWN" and its like, from low numbers to high.
std::vector<std::string> names_of(CapabilitySet set);

struct Surroundings {
  std::string user;                                ///< name or number; empty: the daemon's
  std::string group;                               ///< name or number; empty: the user's, else the daemon's
  std::optional<std::vector<std::string>> groups;  ///< nothing: the user's of the database, else the daemon's
  std::optional<int> umask;
  std::optional<int> nice;
  std::optional<IoPriority> ionice;
  std::optional<int> oom_score_adj;
  std::map<std::string, Rlimit> rlimits;  ///< by RlimitName::name
  Inherit inherit = true;
  std::vector<EnvironmentFile> environment_file;
  Session session = Session::own;
  bool no_new_privs = false;
  std::optional<CapabilitySet> capabilities;  ///< what stays of the bounding set
  friend bool operator==(const Surroundings&, const Surroundings&) = default;
};

}  // namespace plimsoll

// Control groups of both versions, as far as they say three things: that somebody froze a process, how much memory the
// container has that we are in, and how often the kernel has killed for want of it. cgroups(7), cgroup_namespaces(7),
// Documentation/admin-guide/cgroup-v1 and -v2.
//
// Which folder is a process's? /proc/PID/cgroup names it by a path in the hierarchy, and that hierarchy may be mounted
// anywhere, as a whole or from some folder of it on (a container's bind mount), seen from a cgroup namespace or not. So
// a mount's root is taken off the path's front and its mount point put there. A mount that another one lies over is
// still in the list: what cannot be opened is not it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sys/fd.hpp"

namespace plimsoll::sys {

/// A line of /proc/PID/cgroup. No controllers: the second version's hierarchy.
struct CgroupMembership {
  std::vector<std::string> controllers;
  std::string path;
};
std::vector<CgroupMembership> parse_memberships(std::string_view text);

/// A line of mountinfo that mounts a hierarchy. No controllers: the second version's.
struct CgroupMount {
  std::vector<std::string> controllers;
  std::string root;   ///< the folder of the hierarchy that is mounted
  std::string point;  ///< where
};
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view text);

/// What limits the memory of the container that we are in.
struct ContainerMemory {
  std::uint64_t limit = 0;  ///< bytes
  /// Bytes that the kernel cannot take back by dropping the cache of files: at the limit, it kills.
  std::uint64_t used = 0;
};

/// The memory files of our own control group and of those above it that can be seen, held open. A limit can be set,
/// changed and taken away while we run.
class ContainerReader {
 public:
  /// Nothing: no such group, or no limit. Of several limits the smallest counts, with what is used below that one.
  [[nodiscard]] std::optional<ContainerMemory> read() const;

 private:
  friend class Cgroups;
  struct Level {
    Fd limit;
    Fd usage;
    Fd stat;
  };
  bool unified_ = false;
  std::vector<Level> levels_;  ///< innermost first
};

/// How many processes the kernel's OOM killer has ended of our own memory group, and in the second version of those
/// below it, whoever's limit it was for. Others on the machine are not in it, and it is read in a tenth of the time
/// that /proc/vmstat takes.
class GroupOomKills {
 public:
  [[nodiscard]] bool is_open() const { return static_cast<bool>(file_); }
  /// Nothing: the group is gone.
  [[nodiscard]] std::optional<std::uint64_t> read() const;

 private:
  friend class Cgroups;
  Fd file_;
};

class Cgroups {
 public:
  /// `root` stands before every path, for a fixture tree; empty: the machine's own.
  explicit Cgroups(std::string root = {}) : root_(std::move(root)) {}

  /// The frozen group that holds the process, as "cgroup v1 /path"; empty when it is not frozen or nothing can be read.
  [[nodiscard]] std::string frozen_by(pid_t pid) const;

  [[nodiscard]] ContainerReader open_container() const;
  /// Not open: we are in no such group, or which one cannot be seen for certain.
  [[nodiscard]] GroupOomKills open_oom_kills() const;

 private:
  /// A group's folder, and the length of the mount point at its front: what is above belongs to no hierarchy.
  struct Place {
    std::string folder;
    std::size_t top = 0;
    bool guessed = false;  ///< by the mount alone
  };
  [[nodiscard]] std::vector<Place> places_of(const CgroupMembership& group) const;
  [[nodiscard]] static std::vector<ContainerReader::Level> open_levels(Place place, bool unified);
  std::string root_;
};

}  // namespace plimsoll::sys

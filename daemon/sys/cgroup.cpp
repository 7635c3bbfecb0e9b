#include "daemon/sys/cgroup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace plimsoll::sys {
namespace {

/// The first version says "no limit" by the largest number of whole pages that fits; nobody has half of that.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 62U;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<std::string> words(std::string_view text, char at) {
  const auto parts = split(text, at);
  return {parts.begin(), parts.end()};
}

/// "\040" and its like, by which mountinfo writes blanks in paths.
std::string unescaped(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    unsigned value = 0;
    const bool octal = text.size() >= 4 && text.front() == '\\' &&
                       std::from_chars(text.data() + 1, text.data() + 4, value, 8).ptr == text.data() + 4;
    plain += octal ? static_cast<char>(value) : text.front();
    text.remove_prefix(octal ? 4 : 1);
  }
  return plain;
}

/// Through the held descriptor, from its beginning. Empty where nothing can be read.
std::string read_again(const Fd& file) {
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t got = ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

Fd open_to_read(const std::string& path) {
  return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string read_path(const std::string& path) {
  const Fd file = open_to_read(path);
  return file ? read_again(file) : std::string{};
}

/// "max", or the first version's huge number: nothing.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc{} ? std::optional{value} : std::nullopt;
}

/// A line "NAME NUMBER" of memory.stat and its like.
std::optional<std::uint64_t> find_line_number(std::string_view text, std::string_view name) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.size() > name.size() && line.substr(0, name.size()) == name && line[name.size()] == ' ')
      return number(line.substr(name.size() + 1));
  }
  return std::nullopt;
}

/// 0 where there is none.
std::uint64_t line_number(std::string_view text, std::string_view name) {
  return find_line_number(text, name).value_or(0);
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.substr(0, folder.size()) == folder && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::vector<CgroupMembership> in_order(std::vector<CgroupMembership> groups, std::string_view controller) {
  // Its own hierarchy of the first version before the second's: a controller is in one of them only.
  std::vector<CgroupMembership> found;
  for (auto& group : groups) {
    const auto& names = group.controllers;
    if (std::find(names.begin(), names.end(), controller) != names.end()) {
      found.insert(found.begin(), std::move(group));
    } else if (names.empty()) {
      found.push_back(std::move(group));
    }
  }
  return found;
}

}  // namespace

std::vector<CgroupMembership> parse_memberships(std::string_view text) {
  std::vector<CgroupMembership> found;
  for (const std::string_view line : split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos || line.substr(second + 1).substr(0, 1) != "/") continue;
    CgroupMembership group;
    group.controllers = words(line.substr(first + 1, second - first - 1), ',');
    group.path = line.substr(second + 1);
    // Said of a group that was removed while the process, a zombie, was still in it.
    constexpr std::string_view removed = " (deleted)";
    if (group.path.size() > removed.size() &&
        std::string_view(group.path).substr(group.path.size() - removed.size()) == removed)
      group.path.resize(group.path.size() - removed.size());
    found.push_back(std::move(group));
  }
  return found;
}

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view text) {
  constexpr std::size_t root_at = 3;
  constexpr std::size_t point_at = 4;
  std::vector<CgroupMount> found;
  for (const std::string_view line : split(text, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto fields = split(line.substr(0, dash), ' ');
    const auto source = split(line.substr(dash + 3), ' ');
    if (fields.size() <= point_at || source.size() < 2) continue;
    CgroupMount mount;
    mount.root = unescaped(fields[root_at]);
    mount.point = unescaped(fields[point_at]);
    if (source[0] == "cgroup") {
      mount.controllers = words(source.back(), ',');
    } else if (source[0] != "cgroup2") {
      continue;
    }
    found.push_back(std::move(mount));
  }
  return found;
}

/// Where that group may be, best first. Not all of them need to be there. Last come the mount points themselves: where
/// a container is shown no more than its own group, its path may make no sense to it.
std::vector<Cgroups::Place> Cgroups::places_of(const CgroupMembership& group) const {
  std::vector<Place> found;
  std::vector<Place> last;
  for (const CgroupMount& mount : parse_cgroup_mounts(read_path(root_ + "/proc/self/mountinfo"))) {
    const auto& names = mount.controllers;
    const bool of_it = group.controllers.empty()
                           ? names.empty()
                           : std::find(names.begin(), names.end(), group.controllers.front()) != names.end();
    if (!of_it) continue;
    const std::string point = root_ + mount.point;
    const std::string top = mount.root == "/" ? std::string{} : mount.root;
    if (is_below(group.path, top)) {
      const std::string rest = group.path == "/" ? std::string{} : group.path.substr(top.size());
      found.push_back({point + rest, point.size(), false});
    }
    last.push_back({point, point.size(), true});
  }
  found.insert(found.end(), last.begin(), last.end());
  return found;
}

std::string Cgroups::frozen_by(pid_t pid) const {
  const auto groups = parse_memberships(read_path(root_ + "/proc/" + std::to_string(pid) + "/cgroup"));
  for (const CgroupMembership& group : in_order(groups, "freezer")) {
    const bool unified = group.controllers.empty();
    for (const Place& place : places_of(group)) {
      const std::string state = read_path(place.folder + (unified ? "/cgroup.events" : "/freezer.state"));
      if (place.guessed || state.empty()) continue;
      // FREEZING: somebody in it does not stop, but whoever did is as deaf as in a frozen one.
      const bool frozen = unified ? line_number(state, "frozen") == 1 : state.substr(0, 6) != "THAWED";
      if (frozen) return (unified ? "cgroup v2 " : "cgroup v1 ") + group.path;
      break;
    }
  }
  return {};
}

std::vector<ContainerReader::Level> Cgroups::open_levels(Place place, bool unified) {
  std::vector<ContainerReader::Level> levels;
  for (std::string& folder = place.folder; folder.size() >= place.top; folder.resize(folder.find_last_of('/'))) {
    ContainerReader::Level level{open_to_read(folder + (unified ? "/memory.max" : "/memory.limit_in_bytes")),
                                 open_to_read(folder + (unified ? "/memory.current" : "/memory.usage_in_bytes")),
                                 open_to_read(folder + "/memory.stat")};
    if (level.limit && level.usage && level.stat) levels.push_back(std::move(level));
    if (folder.size() == place.top) break;
  }
  return levels;
}

ContainerReader Cgroups::open_container() const {
  ContainerReader reader;
  for (const CgroupMembership& group : in_order(parse_memberships(read_path(root_ + "/proc/self/cgroup")), "memory")) {
    reader.unified_ = group.controllers.empty();
    for (const Place& place : places_of(group)) {
      reader.levels_ = open_levels(place, reader.unified_);
      if (!reader.levels_.empty()) return reader;
    }
  }
  return reader;
}

GroupOomKills Cgroups::open_oom_kills() const {
  for (const CgroupMembership& group : in_order(parse_memberships(read_path(root_ + "/proc/self/cgroup")), "memory")) {
    const std::string name = group.controllers.empty() ? "/memory.events" : "/memory.oom_control";
    for (const Place& place : places_of(group)) {
      GroupOomKills kills;
      if (!place.guessed) kills.file_ = open_to_read(place.folder + name);
      if (kills.is_open() && kills.read()) return kills;
    }
  }
  return {};
}

std::optional<std::uint64_t> GroupOomKills::read() const {
  return find_line_number(read_again(file_), "oom_kill");
}

std::optional<ContainerMemory> ContainerReader::read() const {
  const Level* smallest = nullptr;
  ContainerMemory found{no_limit, 0};
  for (const Level& level : levels_) {
    const auto limit = number(read_again(level.limit));
    if (!limit || *limit >= found.limit) continue;
    found.limit = *limit;
    smallest = &level;
  }
  const auto usage = smallest != nullptr ? number(read_again(smallest->usage)) : std::nullopt;
  if (!usage) return std::nullopt;
  const std::string stat = read_again(smallest->stat);
  const std::string total = unified_ ? "" : "total_";  // the first version's plain lines leave out the groups below
  const std::uint64_t files = line_number(stat, total + "inactive_file") + line_number(stat, total + "active_file");
  found.used = *usage > files ? *usage - files : 0;
  return found;
}

}  // namespace plimsoll::sys

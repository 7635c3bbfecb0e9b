#include "daemon/run/evidence.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace plimsoll::run {
namespace {

constexpr int established = 1;
constexpr int listening = 10;

std::optional<std::uint16_t> port_of(std::string_view word) {
  std::uint16_t port = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, port);
  if (error != std::errc() || stop != end || port == 0) return std::nullopt;
  return port;
}

}  // namespace

sys::Result<std::optional<std::uint16_t>> Evidence::listening_port(core::ProcessId engine) const {
  using Port = std::optional<std::uint16_t>;
  if (!sources_.ports) return Port{};
  const auto stat = proc_.stat(engine.pid);
  if (!stat && proc_.cannot_say(stat.error())) return stat.error();
  if (!stat || stat->start_time != engine.start_time) return Port{};
  const auto lines = proc_.tcp(engine.pid);
  if (!lines && proc_.cannot_say(lines.error())) return lines.error();
  if (!lines) return Port{};
  const Ports ports = ports_of(engine, *lines);
  return ports.listening.empty() ? Port{} : Port{*ports.listening.begin()};
}

core::EvidenceLookedAt Evidence::look(const core::LookAtEvidence& effect) const {
  core::EvidenceLookedAt seen;
  seen.engine = effect.engine;
  seen.port_known = false;
  seen.source = "nothing readable";
  if (!sources_.ports || !is_there(effect.engine)) return seen;
  const auto lines = proc_.tcp(effect.engine.pid);
  if (!lines) return seen;
  const Ports ports = ports_of(effect.engine, *lines);
  // Readable descriptors and no listening socket: nobody can be connected, which is an answer.
  seen.port_known = ports.by_descriptors || !ports.listening.empty();
  if (ports.by_descriptors) seen.source = "descriptors";
  if (ports.listening.empty()) return seen;

  // The client's end of each connection; the engine's own has the port on its side.
  std::set<std::uint64_t> clients;
  for (const auto& line : *lines) {
    if (line.state == established && line.inode != 0 && ports.listening.contains(line.remote_port)) {
      clients.insert(line.inode);
    }
  }
  if (clients.empty()) {
    if (!ports.by_descriptors) seen.source = "/proc/net/tcp";
    return seen;
  }
  bool all_readable = true;
  for (const auto& member : effect.members) {
    if (member == effect.engine || !is_there(member)) continue;
    const auto sockets = sockets_of(member);
    if (!sockets) {
      all_readable = false;
      continue;
    }
    const bool holds =
        std::any_of(clients.begin(), clients.end(), [&](auto inode) { return sockets->contains(inode); });
    if (!holds || !is_there(member)) continue;
    seen.connected = member;
    seen.source = "descriptors";
    return seen;
  }
  if (all_readable) return seen;
  seen.source = "/proc/net/tcp";
  seen.connected = core::nobody;
  return seen;
}

Evidence::Ports Evidence::ports_of(core::ProcessId engine, const std::vector<sys::TcpLine>& lines) const {
  Ports ports;
  const auto sockets = sockets_of(engine);
  const auto on_command_line = sockets ? std::set<std::uint16_t>() : ports_on_command_line(engine);
  ports.by_descriptors = sockets.has_value();
  for (const auto& line : lines) {
    if (line.state != listening) continue;
    const bool its_own = sockets ? sockets->contains(line.inode) : on_command_line.contains(line.local_port);
    if (its_own) ports.listening.insert(line.local_port);
  }
  return ports;
}

sys::Result<std::set<std::uint64_t>> Evidence::sockets_of(core::ProcessId id) const {
  if (!sources_.fds) return sys::error_of(EACCES);
  const auto inodes = proc_.socket_inodes(id.pid);
  if (!inodes) return inodes.error();
  return std::set<std::uint64_t>(inodes->begin(), inodes->end());
}

/// `-p 4466`, `--port 4466`, `--port=4466`.
std::set<std::uint16_t> Evidence::ports_on_command_line(core::ProcessId id) const {
  constexpr std::string_view with_value = "--port=";
  std::set<std::uint16_t> ports;
  const auto words = proc_.cmdline(id.pid);
  if (!words) return ports;
  for (std::size_t i = 0; i < words->size(); ++i) {
    const std::string_view word = (*words)[i];
    std::optional<std::uint16_t> port;
    if (word.starts_with(with_value)) port = port_of(word.substr(with_value.size()));
    if ((word == "-p" || word == "--port") && i + 1 < words->size()) port = port_of((*words)[i + 1]);
    if (port) ports.insert(*port);
  }
  return ports;
}

bool Evidence::is_there(core::ProcessId id) const {
  const auto stat = proc_.stat(id.pid);
  return stat && stat->start_time == id.start_time;
}

}  // namespace plimsoll::run

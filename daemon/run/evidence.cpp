#include "daemon/run/evidence.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

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

constexpr std::size_t before_four = 12;  ///< bytes of an IPv6 address in front of the IPv4 address it stands for

bool is_of_four(const sys::TcpAddress& address) {
  constexpr std::array<std::uint8_t, before_four> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

bool is_loopback(const sys::TcpAddress& address) {
  constexpr sys::TcpAddress of_six{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr std::uint8_t network_of_four = 127;
  return address == of_six || (is_of_four(address) && address[before_four] == network_of_four);
}

/// Whether a socket that listens there takes what is sent to `address`, an address of this machine. One of `::` takes
/// IPv4 too, unless it was told not to, which is not to be seen.
bool listens_at(const sys::TcpAddress& listener, const sys::TcpAddress& address) {
  const auto first = is_of_four(listener) ? listener.begin() + before_four : listener.begin();
  const bool any = std::all_of(first, listener.end(), [](std::uint8_t byte) { return byte == 0; });
  return listener == address || (any && (!is_of_four(listener) || is_of_four(address)));
}

/// The connections among `lines`, seen from the clients' side, that lead to one of these sockets.
class Clients {
 public:
  Clients(const std::vector<sys::TcpSocket>& lines, const std::vector<sys::TcpSocket>& sockets) : listening_(sockets) {
    for (const auto& line : lines) {
      if (line.state != listening && is_port(line.local_port)) far_sides_.emplace(line.local_port, line.remote_port);
    }
  }

  [[nodiscard]] bool has(const sys::TcpSocket& line) const {
    if (line.state != established || line.inode == 0 || !is_port(line.remote_port)) return false;
    return ends_here(line) || has_far_side(line);
  }

 private:
  [[nodiscard]] bool is_port(std::uint16_t port) const {
    return std::any_of(listening_.begin(), listening_.end(), [&](const auto& one) { return one.local_port == port; });
  }

  /// Who connects to an address of his own machine does it from that same address, or the address says it itself. The
  /// far side is not asked for: with a full queue of the listening socket there is none, and the client takes himself
  /// for connected.
  [[nodiscard]] bool ends_here(const sys::TcpSocket& line) const {
    if (!is_loopback(line.remote_address) && line.remote_address != line.local_address) return false;
    return std::any_of(listening_.begin(), listening_.end(), [&](const sys::TcpSocket& one) {
      return one.local_port == line.remote_port && listens_at(one.local_address, line.remote_address);
    });
  }

  /// The accepted socket, or the one that waits to be. By its ports alone: an address may have been translated on the
  /// way (a service's address of a cluster). That another machine's port has the same number and a client of ours there
  /// the same number as one here is rare, and lets an orphan live.
  [[nodiscard]] bool has_far_side(const sys::TcpSocket& line) const {
    return line.local_port != line.remote_port && far_sides_.contains({line.remote_port, line.local_port});
  }

  const std::vector<sys::TcpSocket>& listening_;
  std::set<std::pair<std::uint16_t, std::uint16_t>> far_sides_;
};

}  // namespace

sys::Result<std::optional<std::uint16_t>> Evidence::listening_port(core::ProcessId engine) const {
  using Port = std::optional<std::uint16_t>;
  if (!sources_.ports) return Port{};
  const auto stat = proc_.stat(engine.pid);
  if (!stat && proc_.cannot_say(stat.error())) return stat.error();
  if (!stat || stat->start_time != engine.start_time) return Port{};
  const auto lines = tcp_sockets(engine.pid);
  if (!lines && proc_.cannot_say(lines.error())) return lines.error();
  if (!lines) return Port{};
  const auto sockets = listening_of(engine, *lines).sockets;
  const auto lowest = std::min_element(sockets.begin(), sockets.end(),
                                       [](const auto& a, const auto& b) { return a.local_port < b.local_port; });
  return lowest == sockets.end() ? Port{} : Port{lowest->local_port};
}

core::EvidenceLookedAt Evidence::look(const core::LookAtEvidence& effect) const {
  core::EvidenceLookedAt seen;
  seen.engine = effect.engine;
  seen.port_known = false;
  seen.source = "nothing readable";
  if (!sources_.ports || !is_there(effect.engine)) return seen;
  const auto lines = tcp_sockets(effect.engine.pid);
  if (!lines) return seen;
  const Listening its = listening_of(effect.engine, *lines);
  // Readable descriptors and no listening socket: nobody can be connected, which is an answer.
  seen.port_known = its.by_descriptors || !its.sockets.empty();
  if (its.by_descriptors) seen.source = "descriptors";
  if (its.sockets.empty()) return seen;

  std::set<std::uint64_t> clients;
  const Clients of_engine(*lines, its.sockets);
  for (const auto& line : *lines) {
    if (of_engine.has(line)) clients.insert(line.inode);
  }
  if (clients.empty()) {
    if (!its.by_descriptors) seen.source = "connections";
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
  seen.source = "connections";
  seen.connected = core::nobody;
  return seen;
}

sys::Result<std::vector<sys::TcpSocket>> Evidence::tcp_sockets(int pid) const {
  const std::uint64_t network = proc_.network_namespace(pid);
  if (network != 0 && network == proc_.network_namespace(::getpid())) {
    if (auto found = sys::tcp_sockets()) return found;
  }
  return proc_.tcp(pid);
}

Evidence::Listening Evidence::listening_of(core::ProcessId engine, const std::vector<sys::TcpSocket>& lines) const {
  Listening found;
  const auto sockets = sockets_of(engine);
  const auto on_command_line = sockets ? std::set<std::uint16_t>() : ports_on_command_line(engine);
  found.by_descriptors = sockets.has_value();
  for (const auto& line : lines) {
    if (line.state != listening) continue;
    const bool its_own = sockets ? sockets->contains(line.inode) : on_command_line.contains(line.local_port);
    if (its_own) found.sockets.push_back(line);
  }
  return found;
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

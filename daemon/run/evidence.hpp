// Counter-evidence before an orphan is ended: does anybody still hold a connection to it? The engine's listening
// sockets are found by its descriptors, and so is whose the client's end is. Where descriptors may not be read, the
// port is taken from the engine's command line (`-p 4466`, `--port=4466`) if something listens there, and any client of
// that port counts.
//
// A connection to another machine's port of the same number is none to the engine. To leave out a real one would end an
// engine that is in use, to take a foreign one in lets an orphan live: what cannot be told apart counts.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "daemon/core/effect.hpp"
#include "daemon/core/event.hpp"
#include "daemon/run/sources.hpp"
#include "daemon/sys/procfs.hpp"

namespace plimsoll::run {

class Evidence {
 public:
  Evidence(sys::ProcFs proc, Sources sources) : proc_(std::move(proc)), sources_(sources) {}

  [[nodiscard]] core::EvidenceLookedAt look(const core::LookAtEvidence& effect) const;
  /// The port that the process listens on; the lowest of several; nothing if none is to be seen. An error: that cannot
  /// be looked at now.
  [[nodiscard]] sys::Result<std::optional<std::uint16_t>> listening_port(core::ProcessId engine) const;

 private:
  struct Listening {
    std::vector<sys::TcpSocket> sockets;
    bool by_descriptors = false;
  };
  /// Of the network that `pid` is in.
  [[nodiscard]] sys::Result<std::vector<sys::TcpSocket>> tcp_sockets(int pid) const;
  [[nodiscard]] Listening listening_of(core::ProcessId engine, const std::vector<sys::TcpSocket>& lines) const;
  [[nodiscard]] sys::Result<std::set<std::uint64_t>> sockets_of(core::ProcessId id) const;
  [[nodiscard]] std::set<std::uint16_t> ports_on_command_line(core::ProcessId id) const;
  [[nodiscard]] bool is_there(core::ProcessId id) const;

  sys::ProcFs proc_;
  Sources sources_;
};

}  // namespace plimsoll::run

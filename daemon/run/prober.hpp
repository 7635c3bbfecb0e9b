// Asks whether a service or an engine is ready, or still well: by a GET, a connection, a command. Each question is
// answered by one ProbeAnswered, not later than its time, unless it is cancelled before. Nothing here blocks: hosts are
// addresses, connections are waited for. Where it is we who are out of something, the answer says that nobody was
// asked.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/core/effect.hpp"
#include "daemon/run/command_runner.hpp"
#include "daemon/run/dispatch.hpp"
#include "daemon/run/hook_caller.hpp"
#include "daemon/run/hook_http.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/run/members.hpp"

namespace plimsoll::run {

class Prober {
 public:
  /// Where an engine listens; nothing if it listens nowhere, an error if that cannot be looked at now.
  using PortOf = std::function<sys::Result<std::optional<std::uint16_t>>(core::ProcessId)>;
  Prober(Loop& loop, Members& members, HookEnvironment environment, PortOf port_of, Dispatch dispatch);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void ask(const core::AskProbe& question);
  /// No answer comes any more.
  void cancel(core::ProbeId id);

 private:
  struct Connecting;
  void answer(core::ProbeId id, bool passed, std::string detail);
  void cannot_ask(core::ProbeId id, std::string why);
  std::optional<std::string> port_of(const core::AskProbe& question);
  void ask_http(const core::AskProbe& question, const HttpProbe& how);
  void connect(const core::AskProbe& question, const sockaddr* address, unsigned size, std::string place);
  void ask_tcp(const core::AskProbe& question, const TcpProbe& how);
  void ask_unix(const core::AskProbe& question, const UnixProbe& how);
  void ask_exec(const core::AskProbe& question, const ExecProbe& how);

  Loop& loop_;
  HookEnvironment environment_;
  PortOf port_of_;
  Dispatch dispatch_;
  CommandRunner commands_;
  std::map<core::ProbeId, std::unique_ptr<HttpAsking>> requests_;
  std::map<core::ProbeId, std::unique_ptr<Connecting>> connections_;
};

}  // namespace plimsoll::run

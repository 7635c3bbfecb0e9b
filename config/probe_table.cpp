// Probes: the keys `ready` and `live`, and how a probe is written wherever there is one. Exactly one way of asking, and
// how often and how long it is asked.
#include <algorithm>
#include <array>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

constexpr std::string_view no_placeholder = "must have no '{' (a probe fills in nothing)";

/// "http://HOST:PORT/path", or { unix = "/run/app.sock", path = "/health" }.
void read_http_probe(Reader& table, Probe& into) {
  const Value* value = table.take("http");
  if (value == nullptr) return;
  HttpProbe probe;
  probe.request.method = "GET";
  if (const std::string* url = std::get_if<std::string>(&value->is)) {
    if (const Rule broken = read_url(*url, probe.request)) table.refuse("http", *broken);
    table.require(url->find('{') == std::string::npos, "http", std::string{no_placeholder});
  } else if (std::optional<Reader> inner = table.table("http")) {
    read_http_address(*inner, probe.request);
    inner->require(probe.request.path.find('{') == std::string::npos, "path", std::string{no_placeholder});
    inner->require(probe.request.unix_path.find('{') == std::string::npos, "unix", std::string{no_placeholder});
    inner->finish();
  }
  into = std::move(probe);
}

/// "HOST:PORT" or "[ADDRESS]:PORT".
void read_tcp_probe(Reader& table, Probe& into) {
  std::string text;
  if (!table.read("tcp", text)) return;
  HttpHook address;
  const Rule broken = read_url("http://" + text, address);
  const bool has_port =
      text.find(':', text.starts_with('[') ? std::min(text.find(']'), text.size()) : 0) != std::string::npos;
  table.require(!broken && has_port && address.path == "/" && text.find('/') == std::string::npos, "tcp",
                "must be ADDRESS:PORT, an IP address or localhost and a port");
  into = TcpProbe{address.host, address.port};
}

void read_exec_probe(Reader& table, Probe& into) {
  ExecProbe probe;
  if (!table.read("exec", probe.argv)) return;
  table.require(!probe.argv.empty() && !probe.argv.front().empty(), "exec", "must be a command and its arguments");
  into = std::move(probe);
}

void read_unix_probe(Reader& table, Probe& into) {
  UnixProbe probe;
  if (!table.read("unix", probe.path)) return;
  table.require(probe.path.starts_with('/'), "unix", "must be the absolute path of a socket");
  into = std::move(probe);
}

/// What only a service can say of itself.
void read_notify_probe(Reader& table, Probe& into) {
  bool notify = false;
  if (!table.read("notify", notify)) return;
  table.require(notify, "notify", "must be true (or another way of asking)");
  into = NotifyProbe{};
}

/// The same, once.
void read_said(Reader& table, Probe& into) {
  read_notify_probe(table, into);
  FdProbe fd;
  if (table.read("fd", fd.fd)) {
    table.require(fd.fd > 2 && fd.fd < 256, "fd", "must be a descriptor from 3 to 255");
    into = fd;
  }
  LogProbe log;
  if (table.read("log", log.line)) {
    table.require(!log.line.empty(), "log",
                  "must be a glob that a line of its output matches, such as \"*startup complete*\"");
    into = std::move(log);
  }
  DelayProbe delay;
  if (table.read("delay", delay.after)) into = delay;
}

/// An engine is asked on the port that it listens on, wherever that is.
void read_engine_probe(Reader& table, Probe& into) {
  HttpProbe http;
  http.request.method = "GET";
  if (table.read("http", http.request.path)) {
    const bool path = http.request.path.starts_with('/') && http.request.path.find_first_of(" #{") == std::string::npos;
    table.require(path, "http", "must be a path such as /status (an engine is asked on its own port)");
    into = std::move(http);
  }
  bool connects = false;
  if (table.read("tcp", connects)) {
    table.require(connects, "tcp", "must be true (an engine is asked on its own port)");
    into = TcpProbe{};
  }
}

}  // namespace

namespace {

/// A keep-alive that does not come is the failure: nothing is asked, and nothing counted.
void take_keep_alive_terms(Reader& table, Liveness& live) {
  live.timeout = Duration{30'000};
  live.failures = live.successes = 1;
  for (const char* key : {"interval", "failures", "successes"}) {
    table.require(!table.has(key), key, "must not be here (one keep-alive that does not come in time is enough)");
  }
}

}  // namespace

void read_live(Reader& parent, bool of_engine, Rare<Liveness>& into) {
  std::optional<Reader> table = parent.table("live");
  if (!table) return;
  Liveness live;
  if (of_engine) {
    read_engine_probe(*table, live.how);
  } else {
    read_http_probe(*table, live.how);
    read_tcp_probe(*table, live.how);
    read_unix_probe(*table, live.how);
    read_notify_probe(*table, live.how);
  }
  read_exec_probe(*table, live.how);
  constexpr std::array ways{"http", "tcp", "unix", "exec", "notify"};
  const auto written = std::count_if(ways.begin(), ways.end(), [&](const char* way) { return table->has(way); });
  if (written != 1)
    table->lacks(of_engine ? "must have exactly one of 'http', 'tcp' and 'exec'"
                           : "must have exactly one of 'http', 'tcp', 'unix', 'exec' and 'notify'");
  if (std::holds_alternative<NotifyProbe>(live.how)) take_keep_alive_terms(*table, live);
  if (table->read("interval", live.interval)) {
    table->require(live.interval >= Duration{10}, "interval", "must be at least 10ms");
  }
  if (table->read("timeout", live.timeout)) {
    table->require(live.timeout > Duration{0}, "timeout", "must be more than 0s");
  }
  if (table->read("failures", live.failures)) table->require(live.failures >= 1, "failures", "must be at least 1");
  if (table->read("successes", live.successes)) table->require(live.successes >= 1, "successes", "must be at least 1");
  table->finish();
  into = std::move(live);
}

void read_ready(Reader& parent, Rare<Readiness>& into) {
  std::optional<Reader> table = parent.table("ready");
  if (!table) return;
  Readiness ready;
  read_http_probe(*table, ready.how);
  read_tcp_probe(*table, ready.how);
  read_unix_probe(*table, ready.how);
  read_exec_probe(*table, ready.how);
  read_said(*table, ready.how);
  constexpr std::array ways{"http", "tcp", "unix", "exec", "notify", "fd", "log", "delay"};
  const auto written = std::count_if(ways.begin(), ways.end(), [&](const char* way) { return table->has(way); });
  if (written != 1)
    table->lacks("must have exactly one of 'http', 'tcp', 'unix', 'exec', 'notify', 'fd', 'log' and 'delay'");
  if (table->read("interval", ready.interval)) {
    table->require(is_asked(ready.how), "interval", "must not be here (nothing is asked again and again)");
    table->require(ready.interval >= Duration{10}, "interval", "must be at least 10ms");
  }
  if (table->read("timeout", ready.timeout)) {
    table->require(ready.timeout > Duration{0}, "timeout", "must be more than 0s");
  }
  if (const auto* delay = std::get_if<DelayProbe>(&ready.how)) {
    table->require(delay->after < ready.timeout, "delay",
                   "must be below timeout (" + plimsoll::to_text(ready.timeout) + ")");
  }
  table->read_word<bool>("on_timeout", ready.restart_on_timeout, {{"log", false}, {"restart", true}});
  table->finish();
  into = std::move(ready);
}

}  // namespace plimsoll::config

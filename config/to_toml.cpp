// From Plan to text. Every key that has a value is written, so that the text says what the daemon will do without
// anybody knowing the defaults, and loads again as an equal plan.
#include "config/config.hpp"
#include "config/surroundings_toml.hpp"
#include "config/toml_text.hpp"

namespace plimsoll::config {
namespace {

using plimsoll::to_text;

std::string step_text(int signal, Duration grace) {
  return Inline{}.add("signal", quoted(signal_name(signal))).add("grace", quoted(to_text(grace))).text();
}

std::string stop_text(const StopPolicy& stop) {
  Inline table;
  if (stop.further.empty()) {
    table.add("signal", quoted(signal_name(stop.signal))).add("grace", quoted(to_text(stop.grace)));
  } else {
    std::string steps = "[" + step_text(stop.signal, stop.grace);
    for (const StopStep& step : stop.further) steps += ", " + step_text(step.signal, step.grace);
    table.add("steps", steps + "]");
  }
  if (!stop.drain.empty()) table.add("drain", quoted(stop.drain));
  return table.text();
}

std::string memory_text(const MemoryPolicy& memory) {
  Inline table;
  switch (memory.metric) {
    case MemoryMetric::rss: table.add("metric", quoted("rss")); break;
  }
  table.add("of", quoted(memory.of == MemoryScope::process ? "process" : "tree"));
  table.add_if("soft", memory.soft);
  table.add("for", quoted(to_text(memory.for_)));
  table.add_if("hard", memory.hard);
  table.add("slack", quoted(std::visit([](auto value) { return to_text(value); }, memory.slack)));
  table.add("interval", quoted(to_text(memory.interval)));
  table.add("growth", quoted(to_text(memory.growth)));
  return table.text();
}

std::string container_text(const ContainerLines& lines) {
  Inline table;
  table.add("soft", quoted(to_text(lines.soft))).add("for", quoted(to_text(lines.for_)));
  table.add("hard", quoted(to_text(lines.hard))).add("free", quoted(to_text(lines.free)));
  return table.text();
}

std::string expect_text(const Expect& expect) {
  Inline table;
  table.add_if("below", expect.below).add_if("within", expect.within).add("successor", flag(expect.successor));
  return table.text();
}

std::string rung_text(const Rung& rung) {
  if (!rung.expect && !rung.timeout) return quoted(to_text(rung));
  Inline table;
  table.add("do", quoted(to_text(rung)));
  if (rung.expect) table.add("expect", expect_text(*rung.expect));
  table.add_if("timeout", rung.timeout);
  return table.text();
}

std::string ladder_text(const Ladder& ladder) {
  std::string result = "[";
  for (const Rung& rung : ladder) result += (result.size() == 1 ? "" : ", ") + rung_text(rung);
  return result + "]";
}

std::string host_text(const std::string& host) {
  return host.find(':') != std::string::npos ? "[" + host + "]" : host;
}

std::string url_text(const HttpHook& http) {
  return "http://" + host_text(http.host) + ":" + http.port + http.path;
}

std::string probe_address(const HttpHook& http) {
  if (http.unix_path.empty()) return quoted(http.host.empty() ? http.path : url_text(http));
  return Inline{}.add("unix", quoted(http.unix_path)).add("path", quoted(http.path)).text();
}

std::string http_text(const HttpHook& http) {
  Inline table;
  table.add("method", quoted(http.method));
  if (!http.unix_path.empty()) {
    table.add("unix", quoted(http.unix_path)).add("path", quoted(http.path));
  } else {
    table.add("url", quoted(url_text(http)));
  }
  Inline headers;
  for (const auto& [name, value] : http.headers) {
    headers.add(name, value.from_environment ? Inline{}.add("env", quoted(value.text)).text() : quoted(value.text));
  }
  if (!http.headers.empty()) table.add("headers", headers.text());
  return table.text();
}

void write_hook(Page& page, const std::string& path, const Hook& hook) {
  page.heading("[" + path + "]");
  if (const auto* http = std::get_if<HttpHook>(&hook.how)) page.line("http", http_text(*http));
  if (const auto* signal = std::get_if<SignalHook>(&hook.how)) page.line("signal", quoted(signal_name(signal->signal)));
  if (const auto* exec = std::get_if<ExecHook>(&hook.how)) page.line("exec", list_of(exec->argv));
  page.line("to", quoted(hook.to == HookTarget::owner ? "owner" : "service"));
  page.line("timeout", quoted(to_text(hook.timeout)));
}

std::string reconnect_text(const Reconnect& reconnect) {
  switch (reconnect.how) {
    case Reconnect::How::hook: return "hook:" + reconnect.hook;
    case Reconnect::How::end: return "end";
    case Reconnect::How::worker: return "worker";
  }
  return {};
}

/// The way of asking, into the table of `ready` or `live`.
void add_probe(Inline& table, const Probe& probe) {
  if (const auto* http = std::get_if<HttpProbe>(&probe)) table.add("http", probe_address(http->request));
  if (const auto* tcp = std::get_if<TcpProbe>(&probe))
    table.add("tcp", tcp->port.empty() ? "true" : quoted(host_text(tcp->host) + ":" + tcp->port));
  if (const auto* local = std::get_if<UnixProbe>(&probe)) table.add("unix", quoted(local->path));
  if (const auto* exec = std::get_if<ExecProbe>(&probe)) table.add("exec", list_of(exec->argv));
  if (std::holds_alternative<NotifyProbe>(probe)) table.add("notify", "true");
  if (const auto* fd = std::get_if<FdProbe>(&probe)) table.add("fd", std::to_string(fd->fd));
  if (const auto* log = std::get_if<LogProbe>(&probe)) table.add("log", quoted(log->line));
  if (const auto* delay = std::get_if<DelayProbe>(&probe)) table.add("delay", quoted(to_text(delay->after)));
}

std::string ready_text(const Readiness& ready) {
  Inline table;
  add_probe(table, ready.how);
  if (is_asked(ready.how)) table.add("interval", quoted(to_text(ready.interval)));
  table.add("timeout", quoted(to_text(ready.timeout)));
  table.add("on_timeout", quoted(ready.restart_on_timeout ? "restart" : "log"));
  return table.text();
}

std::string live_text(const Liveness& live) {
  Inline table;
  add_probe(table, live.how);
  const bool is_told = std::holds_alternative<NotifyProbe>(live.how);
  if (!is_told) table.add("interval", quoted(to_text(live.interval)));
  table.add("timeout", quoted(to_text(live.timeout)));
  if (is_told) return table.text();
  table.add("failures", std::to_string(live.failures)).add("successes", std::to_string(live.successes));
  return table.text();
}

void write_engine(Page& page, const std::string& path, const EngineRule& engine) {
  page.heading("[" + path + "]");
  if (!engine.preset.empty()) page.line("preset", quoted(engine.preset));
  page.line("match", list_of(engine.match));
  page.line("owner", quoted(engine.owner == OwnerKind::worker ? "worker" : "service"));
  page.line("settle", quoted(to_text(engine.settle)));
  page.line("memory", memory_text(engine.memory));
  page.line("stop", stop_text(engine.stop));
  if (engine.reconnect) page.line("reconnect", quoted(reconnect_text(*engine.reconnect)));
  page.line("expect", expect_text(engine.expect));
  page.line("on_soft", ladder_text(engine.on_soft));
  page.line("on_hard", ladder_text(engine.on_hard));
  page.line("on_lost", ladder_text(engine.on_lost));
  page.line("on_hung", ladder_text(engine.on_hung));
  if (engine.live) page.line("live", live_text(*engine.live));
  Inline orphan;
  page.line("orphan",
            orphan.add_if("after", engine.orphan.after).add("grace", quoted(to_text(engine.orphan.grace))).text());
}

void write_cycle(Page& page, const std::string& path, const Cycle& cycle) {
  page.heading("[[" + path + "]]");
  page.line("do", quoted(cycle.act == CycleAct::reconnect ? "reconnect" : "restart"));
  if (const auto* every = std::get_if<Duration>(&cycle.when)) page.line("every", quoted(to_text(*every)));
  if (const auto* cron = std::get_if<Cron>(&cycle.when)) page.line("cron", quoted(cron->text));
  page.line("zone", quoted(cycle.zone->name));
  page.line("jitter", quoted(to_text(cycle.jitter)));
  if (cycle.between) page.line("between", quoted(to_text(*cycle.between)));
  if (!cycle.only_if) return;
  Inline only_if;
  only_if.add("engine", quoted(cycle.only_if->engine)).add("over", quoted(to_text(cycle.only_if->over)));
  page.line("only_if", only_if.text());
}

std::string restart_text(RestartPolicy policy) {
  switch (policy) {
    case RestartPolicy::always: return "always";
    case RestartPolicy::on_failure: return "on-failure";
    case RestartPolicy::never: return "never";
  }
  return {};
}

void write_launch(Page& page, const Service& service) {
  page.line("command", list_of(service.command));
  if (!service.working_directory.empty()) page.line("working_directory", quoted(service.working_directory));
  if (!service.environment->empty()) {
    Inline variables;
    for (const auto& [name, value] : *service.environment) variables.add(name, value ? quoted(*value) : "false");
    page.line("environment", variables.text());
  }
  write_surroundings(page, service.surroundings);
  if (service.kind == ServiceKind::task) page.line("kind", quoted("task"));
  if (service.time_limit) page.line("time_limit", quoted(to_text(*service.time_limit)));
  if (!service.required.empty()) page.line("requires", list_of(service.required));
  if (!service.after.empty()) page.line("after", list_of(service.after));
  if (service.engine_of.empty()) return;
  Inline engine_of;
  engine_of.add("service", quoted(service.engine_of)).add("restarts_with_app", flag(service.restarts_with_app));
  page.line("engine_of", engine_of.text());
}

void write_service(Page& page, const Service& service) {
  const std::string path = "services." + key_text(service.name);
  page.heading("[" + path + "]");
  write_launch(page, service);
  if (service.ready) page.line("ready", ready_text(*service.ready));
  if (service.live) page.line("live", live_text(*service.live));
  page.line("restart", quoted(restart_text(service.restart)));
  std::string success;
  for (const int code : *service.success) success += (success.empty() ? "" : ", ") + std::to_string(code);
  page.line("success", "[" + success + "]");
  Inline backoff;
  backoff.add("first", quoted(to_text(service.backoff.first))).add("factor", number(service.backoff.factor));
  backoff.add("max", quoted(to_text(service.backoff.max))).add("forgive", quoted(to_text(service.backoff.forgive)));
  backoff.add("jitter", quoted(to_text(service.backoff.jitter)));
  page.line("backoff", backoff.text());
  if (service.give_up) {
    Inline give_up;
    give_up.add("after", std::to_string(service.give_up->after))
        .add("within", quoted(to_text(service.give_up->within)));
    page.line("give_up", give_up.text());
  }
  page.line("essential", flag(service.essential));
  page.line("stop", stop_text(service.stop));
  page.line("memory", memory_text(service.memory));
  if (service.container) page.line("container", container_text(*service.container));
  page.line("on_soft", ladder_text(service.on_soft));
  page.line("on_hard", ladder_text(service.on_hard));
  page.line("on_hung", ladder_text(service.on_hung));
  Inline budget;
  budget.add("acts", std::to_string(service.budget.acts)).add("per", quoted(to_text(service.budget.per)));
  page.line("budget", budget.text());
  page.line("cool_down", quoted(to_text(service.cool_down)));
  page.line("heal", quoted(to_text(service.heal)));
  page.line("leftovers", quoted(service.leftovers == LeftoverPolicy::hold ? "hold" : "end"));
  for (const auto& [name, hook] : service.hooks) write_hook(page, path + ".hooks." + key_text(name), hook);
  for (const EngineRule& engine : service.engines) {
    write_engine(page, path + ".engines." + key_text(engine.name), engine);
  }
  for (const Cycle& cycle : service.cycles) write_cycle(page, path + ".cycles", cycle);
}

}  // namespace

std::string to_toml(const Plan& plan) {
  Page page;
  page.heading("[daemon]");
  page.line("name", quoted(plan.daemon.name));
  if (!plan.daemon.socket.empty()) page.line("socket", quoted(plan.daemon.socket));
  page.line("operators", list_of(plan.daemon.operators));
  page.line("observers", list_of(plan.daemon.observers));
  page.line("mode", quoted(plan.daemon.mode == Mode::act ? "act" : "observe"));
  page.line("stop_within", quoted(to_text(plan.daemon.stop_within)));
  if (plan.daemon.census) page.line("census", quoted(to_text(*plan.daemon.census)));
  for (const Service& service : plan.services) write_service(page, service);
  return std::move(page).text();
}

}  // namespace plimsoll::config

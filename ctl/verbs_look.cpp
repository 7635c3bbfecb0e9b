#include <algorithm>
#include <cstdio>

#include "ctl/line.hpp"
#include "ctl/rendering.hpp"

namespace plimsoll::ctl {
namespace {

/// The part of the status that is about its one service. A stopped one is not running, which LSB's exit code 3 is for.
void narrow(wire::Status& status) {
  const wire::Service& service = status.services.front();
  status.daemon.not_well = service.not_well;
  if (service.state == "stopped" && service.not_well.empty()) status.daemon.not_well = {service.name + " is stopped"};
  status.daemon.well = status.daemon.not_well.empty();
}

Exit status_of_one_as_json(const Options& options, Console& console, Line& line) {
  const auto body = line.get("/v1/services/" + percent_encoded(options.service));
  if (!body) return line.exit();
  console.put(*body + "\n");
  const auto detail = line.read(*body, wire::service_from_json);
  if (!detail) return line.exit();
  return detail->service.not_well.empty() && detail->service.state != "stopped" ? done : not_well;
}

Exit status_of_all_as_json(Console& console, Line& line) {
  const auto body = line.get("/v1/services");
  if (!body) return line.exit();
  const auto status = line.read(*body, wire::status_from_json);
  if (!status) return line.exit();
  console.put(*body + "\n");
  return status->daemon.well ? done : not_well;
}

Exit status_of_one(const Options& options, Console& console, Line& line) {
  const auto body = line.get("/v1/services?service=" + percent_encoded(options.service));
  if (!body) return line.exit();
  auto status = line.read(*body, wire::status_from_json);
  if (!status) return line.exit();
  if (status->services.size() != 1) {
    line.fail(Failure{failed, "the daemon was asked about one service and answers about another number of them"});
    return line.exit();
  }
  narrow(*status);
  console.put(status_text(*status, console.look()));
  return status->daemon.well ? done : not_well;
}

Exit status_of_all(Console& console, Line& line) {
  constexpr std::size_t many = 1024;  // memory that is not used costs nothing, to move what is there does
  StatusPage page(console.look(), many);
  const auto daemon = line.each_service([&](const wire::Service& service) { page.add(service); });
  if (!daemon) return line.exit();
  console.put(page.text(*daemon));
  return daemon->well ? done : not_well;
}

/// The names to draw: the one that is given, or all.
std::optional<std::vector<std::string>> names_for(const Options& options, Line& line) {
  if (!options.service.empty()) return std::vector<std::string>{options.service};
  std::vector<std::string> names;
  if (!line.each_service([&](const wire::Service& service) { names.push_back(service.name); })) return std::nullopt;
  return names;
}

}  // namespace

Exit run_status(const Options& options, Console& console) {
  Line line(options, console);
  const bool one = !options.service.empty();
  if (options.json) return one ? status_of_one_as_json(options, console, line) : status_of_all_as_json(console, line);
  return one ? status_of_one(options, console, line) : status_of_all(console, line);
}

Exit run_tree(const Options& options, Console& console) {
  Line line(options, console);
  const auto names = names_for(options, line);
  if (!names) return line.exit();
  for (const std::string& name : *names) {
    const auto body = line.get("/v1/services/" + percent_encoded(name));
    if (!body) return line.exit();
    if (options.json) {
      console.put(*body + "\n");
      continue;
    }
    const auto detail = line.read(*body, wire::service_from_json);
    if (!detail) return line.exit();
    console.put(tree_text(*detail, console.look()));
  }
  return done;
}

Exit run_why(const Options& options, Console& console) {
  Line line(options, console);
  const std::string query = options.service.empty() ? "" : "?service=" + percent_encoded(options.service);
  const auto body = line.get("/v1/ledger" + query);
  if (!body) return line.exit();
  if (options.json) {
    console.put(*body + "\n");
    return done;
  }
  const auto ledger = line.read(*body, wire::ledger_from_json);
  if (!ledger) return line.exit();
  console.put(why_text(*ledger, options.count.value_or(5), console.look()));
  return done;
}

Exit run_ping(const Options& options, Console& console) {
  Line line(options, console);
  const auto before = std::chrono::steady_clock::now();
  const auto body = line.get("/v1/daemon");
  if (!body) return line.exit();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - before;
  if (options.json) {
    console.put(*body + "\n");
    return done;
  }
  const auto daemon = line.read(*body, wire::daemon_from_json);
  if (!daemon) return line.exit();
  char time[32];
  std::snprintf(time, sizeof time, "%.1f ms", took.count());
  console.put(clean(daemon->name) + " answers in " + time + ": pid " + std::to_string(daemon->pid) + ", " +
              line.client()->path() + "\n");
  return done;
}

/// Works without a daemon, and does not complain of that.
Exit run_version(const Options& options, Console& console) {
  if (options.json) {
    console.put("{\"schema\":1,\"version\":" + wire::json_text(PLIMSOLL_VERSION) + "}\n");
    return done;
  }
  console.put("plimsollctl " PLIMSOLL_VERSION "\n");
  auto connected = connect(options);
  auto* client = std::get_if<Client>(&connected);
  if (!client) return done;
  const auto got = client->get("/v1/daemon", std::chrono::seconds(2));
  const auto* response = std::get_if<Response>(&got);
  if (!response || response->status != 200) return done;
  const auto parsed = wire::daemon_from_json(response->body);
  if (const auto* daemon = std::get_if<wire::Daemon>(&parsed))
    console.put("plimsolld " + clean(daemon->version) + " (" + clean(daemon->name) + ", pid " +
                std::to_string(daemon->pid) + ")\n");
  return done;
}

}  // namespace plimsoll::ctl

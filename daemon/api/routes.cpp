#include "daemon/api/routes.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "daemon/api/wire/json.hpp"

namespace plimsoll::api {
namespace {

/// A target taken apart: "/v1/services/web?x=1" is {"v1", "services", "web"} and {x: 1}.
struct Target {
  std::vector<std::string> path;
  std::map<std::string, std::string> query;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Calls `take` with each part of `text` between separators; ends when it returns false, and returns that.
template <class Take>
bool each_part(std::string_view text, char separator, Take take) {
  while (true) {
    const std::size_t end = text.find(separator);
    if (!take(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

std::optional<Target> read_target(std::string_view text) {
  if (!text.starts_with('/')) return std::nullopt;
  Target target;
  const std::size_t mark = text.find('?');
  const bool path_ok = each_part(text.substr(1, mark == text.npos ? mark : mark - 1), '/', [&](std::string_view part) {
    const auto decoded = percent_decoded(part);
    if (decoded) target.path.push_back(*decoded);
    return decoded.has_value();
  });
  if (!path_ok) return std::nullopt;
  if (mark == text.npos || mark + 1 == text.size()) return target;
  const bool query_ok = each_part(text.substr(mark + 1), '&', [&](std::string_view part) {
    const std::size_t equals = part.find('=');
    const auto key = percent_decoded(part.substr(0, equals));
    const auto value = percent_decoded(equals == part.npos ? std::string_view() : part.substr(equals + 1));
    if (!key || !value) return false;
    return target.query.emplace(*key, *value).second;
  });
  return query_ok ? std::optional(target) : std::nullopt;
}

/// "a, b, c", or "none".
std::string listed(const std::vector<wire::Service>& services) {
  std::string names;
  for (const wire::Service& service : services) names += (names.empty() ? "" : ", ") + service.name;
  return names.empty() ? "none" : names;
}

Reply no_such_service(const std::string& name, const Backend& backend) {
  const wire::Status status = backend.status();
  return refusal(404, "there is no service '" + name.substr(0, 100) + "'; there are: " + listed(status.services));
}

/// Why the query is refused, if it is: a key that this resource does not have.
std::optional<Reply> unknown_query(const Target& target, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : target.query) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) names += (names.empty() ? "" : ", ") + std::string(name);
    return refusal(
        400, "unknown key '" + key.substr(0, 64) + "' in the query; there are: " + (names.empty() ? "none" : names));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

struct Call {
  const Request& request;
  const Target& target;
  const Backend& backend;
};

Outcome get_daemon(const Call& call) {
  if (auto wrong = unknown_query(call.target, {})) return *wrong;
  return Reply{200, wire::to_json(call.backend.daemon()), {}};
}

Outcome get_health(const Call& call) {
  const wire::Daemon daemon = call.backend.daemon();
  return Reply{daemon.well ? 200 : 503, wire::to_json(daemon), {}};
}

Outcome get_services(const Call& call) {
  if (auto wrong = unknown_query(call.target, {"service", "brief"})) return *wrong;
  const auto& query = call.target.query;
  const auto name = query.find("service");
  const auto brief = query.find("brief");
  if (brief != query.end() && brief->second != "0" && brief->second != "1")
    return refusal(400, "brief: must be 0 or 1");
  const bool is_brief = brief != query.end() && brief->second == "1";
  if (is_brief && name != query.end())
    return refusal(400, "brief: is for all services; of one there is the whole answer");
  if (is_brief) return Making{call.backend.brief_status};
  if (name == query.end()) return Reply{200, call.backend.status_json(), {}};
  const auto status = call.backend.status_of(name->second);
  if (!status) return no_such_service(name->second, call.backend);
  return Reply{200, wire::to_json(*status), {}};
}

Outcome get_service(const Call& call) {
  if (auto wrong = unknown_query(call.target, {})) return *wrong;
  const auto detail = call.backend.service(call.target.path[2]);
  if (!detail) return no_such_service(call.target.path[2], call.backend);
  return Reply{200, wire::to_json(*detail), {}};
}

Outcome get_engines(const Call& call) {
  if (auto wrong = unknown_query(call.target, {})) return *wrong;
  std::vector<wire::EngineOf> engines;
  for (const wire::Service& service : call.backend.status().services)
    for (const wire::Engine& engine : service.engines) engines.push_back({service.name, engine});
  return Reply{200, wire::to_json(engines), {}};
}

/// What a request for events asks for.
struct EventQuery {
  std::uint64_t after = 0;
  bool has_after = false;
  std::size_t last = std::numeric_limits<std::size_t>::max();
  bool has_last = false;
  std::string service;  ///< empty: all
  bool follow = false;
};

/// The number of that key; false: it is none.
bool take_number(const Target& target, const std::string& key, std::uint64_t& number, bool& there) {
  const auto found = target.query.find(key);
  if (found == target.query.end()) return true;
  const auto read = read_id(found->second);
  if (read) number = *read;
  there = read.has_value();
  return there;
}

std::variant<EventQuery, Reply> read_event_query(const Call& call) {
  if (auto wrong = unknown_query(call.target, {"since", "follow", "service", "last"})) return *wrong;
  const auto& query = call.target.query;
  EventQuery read;
  if (!take_number(call.target, "since", read.after, read.has_after))
    return refusal(400, "since: must be the id of an event, a whole number");
  if (!take_number(call.target, "last", read.last, read.has_last)) return refusal(400, "last: must be a whole number");
  if (const auto service = query.find("service"); service != query.end()) read.service = service->second;
  const auto follow = query.find("follow");
  if (follow != query.end() && follow->second != "0" && follow->second != "1")
    return refusal(400, "follow: must be 0 or 1");
  read.follow = follow != query.end() ? follow->second == "1"
                                      : call.request.accept.find("text/event-stream") != std::string::npos;
  if (read.follow && read.has_last) return refusal(400, "last: does not go with following; ask for since");
  return read;
}

Outcome get_events(const Call& call) {
  const auto read = read_event_query(call);
  if (const auto* wrong = std::get_if<Reply>(&read)) return *wrong;
  const auto& query = std::get<EventQuery>(read);
  std::vector<wire::Event> events;
  if (!query.follow || !query.service.empty()) events = call.backend.events(query.follow ? 0 : query.after);
  if (!query.service.empty()) {
    std::erase_if(events, [&](const wire::Event& event) { return event.service != query.service; });
    // One that a reload has taken away is known by its events.
    if (events.empty() && !call.backend.service(query.service)) return no_such_service(query.service, call.backend);
  }
  if (!query.follow) {
    if (events.size() > query.last)
      events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(query.last));
    return Reply{200, wire::to_json(events), {}};
  }
  Follow follow{query.has_after ? std::optional(query.after) : std::nullopt, query.service};
  if (!call.request.last_event_id.empty()) {
    follow.after = read_id(call.request.last_event_id);
    if (!follow.after) return refusal(400, "Last-Event-ID: must be the id of an event, a whole number");
  }
  return follow;
}

Outcome get_ledger(const Call& call) {
  if (auto wrong = unknown_query(call.target, {"service"})) return *wrong;
  const auto found = call.target.query.find("service");
  const std::string name = found == call.target.query.end() ? "" : found->second;
  if (found != call.target.query.end() && !call.backend.service(name)) return no_such_service(name, call.backend);
  return Reply{200, wire::to_json(call.backend.ledger(name)), {}};
}

Outcome post(const Call& call, std::string_view noun, const std::string& service) {
  if (auto wrong = unknown_query(call.target, {})) return *wrong;
  auto parsed = wire::command_from_json(noun, call.request.body);
  if (const auto* why = std::get_if<std::string>(&parsed)) return refusal(400, *why);
  Ask ask{std::move(std::get<wire::Command>(parsed))};
  ask.command.service = service;
  return ask;
}

Outcome post_action(const Call& call) {
  const std::string& name = call.target.path[2];
  if (!call.backend.service(name)) return no_such_service(name, call.backend);
  return post(call, "actions", name);
}
Outcome post_daemon(const Call& call) {
  return post(call, call.target.path[1], "");
}

/// `*` in a path stands for a service's name.
struct Route {
  std::vector<std::string_view> path;
  std::string_view method;
  Outcome (*answer)(const Call&);
};

const std::vector<Route>& routes() {
  static const std::vector<Route> all{
      {{"v1", "daemon"}, "GET", get_daemon},
      {{"v1", "services"}, "GET", get_services},
      {{"v1", "services", "*"}, "GET", get_service},
      {{"v1", "services", "*", "actions"}, "POST", post_action},
      {{"v1", "engines"}, "GET", get_engines},
      {{"v1", "events"}, "GET", get_events},
      {{"v1", "ledger"}, "GET", get_ledger},
      {{"v1", "hold"}, "POST", post_daemon},
      {{"v1", "release"}, "POST", post_daemon},
      {{"v1", "reload"}, "POST", post_daemon},
      {{"healthz"}, "GET", get_health},
  };
  return all;
}

bool matches(const Route& route, const std::vector<std::string>& path) {
  return std::equal(
      route.path.begin(), route.path.end(), path.begin(), path.end(),
      [](std::string_view pattern, const std::string& part) { return pattern == "*" || pattern == part; });
}

/// "GET /v1/daemon, GET /v1/services, …": for somebody who is lost.
std::string route_list() {
  std::string list;
  for (const Route& route : routes()) {
    list += (list.empty() ? "" : ", ") + std::string(route.method) + " ";
    for (const std::string_view part : route.path) list += "/" + std::string(part == "*" ? "NAME" : part);
  }
  return list;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

Reply refusal(int status, std::string sentence) {
  return {status, wire::to_json(wire::Answer{status, std::move(sentence)}), {}};
}

Outcome handle(const Request& request, Role role, const Backend& backend) {
  if (role == Role::nobody) {
    return refusal(403,
                   "you may neither look nor act here: root, the daemon's own user and the groups in "
                   "daemon.operators may do both, those in daemon.observers may look");
  }
  const std::optional<Target> target = read_target(request.target);
  if (!target) return refusal(400, "the path or its query cannot be read");
  const Route* other_method = nullptr;
  for (const Route& route : routes()) {
    if (!matches(route, target->path)) continue;
    if (route.method != request.method) {
      other_method = &route;
      continue;
    }
    if (role == Role::observer && route.method != "GET") {
      return refusal(403,
                     "you may look, not act: root, the daemon's own user and the groups in daemon.operators may act");
    }
    return route.answer({request, *target, backend});
  }
  if (!other_method) return refusal(404, "there is no such path; there are: " + route_list());
  Reply reply = refusal(405, "this path takes " + std::string(other_method->method) + " only");
  reply.allow = other_method->method;
  return reply;
}

}  // namespace plimsoll::api

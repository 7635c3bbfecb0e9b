#include "ctl/line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace plimsoll::ctl {
namespace {

constexpr std::chrono::seconds to_look{10};
/// The daemon gives up on a command after 600 s and says so.
constexpr std::chrono::seconds to_act{620};

/// Others that listen, by the places where `tried` are; those of the first folder that has any.
std::vector<std::string> others_beside(const std::vector<std::string>& tried) {
  for (const std::string& path : tried) {
    auto there = sockets_beside({path});
    std::erase_if(there,
                  [&](const std::string& one) { return std::find(tried.begin(), tried.end(), one) != tried.end(); });
    there = listened_at(there);
    if (!there.empty()) return there;
  }
  return {};
}

/// "there is: --name a, --name b"
std::string names_text(const std::vector<std::string>& sockets) {
  std::string text;
  for (const std::string& path : sockets)
    text += (text.empty() ? "\nthere is: --name " : ", --name ") + std::filesystem::path(path).stem().string();
  return clean_lines(text);
}

}  // namespace

std::variant<Client, Failure> connect(const Options& options) {
  const char* from_environment = std::getenv("PLIMSOLL_SOCKET");
  const std::string given = from_environment ? from_environment : "";
  auto paths = socket_candidates(options.socket, given, options.name.empty() ? "main" : options.name, ::getuid());
  auto connected = Client::connect(paths);
  if (std::holds_alternative<Client>(connected) || !options.socket.empty() || !given.empty()) return connected;
  const std::vector<std::string> others = others_beside(paths);
  // The daemon of `plimsolld -- CMD` is named after its command: in a container it is the only one, and is meant. But
  // not to be acted on: where main is down, another one would be stopped in its place.
  if (others.size() == 1 && options.name.empty() && !options.acts) {
    paths.push_back(others.front());
    return Client::connect(paths);
  }
  std::get<Failure>(connected).message += names_text(others);
  return connected;
}

Exit exit_of(int http_status) {
  if (http_status >= 200 && http_status < 300) return done;
  switch (http_status) {
    case 400:
    case 404:
    case 405:
    case 413:
    case 431: return usage;
    case 403:
    case 409: return refused;
    default: return failed;
  }
}

void Line::fail(const Failure& failure) {
  console_.say(failure.message);
  exit_ = failure.exit;
}

void Line::fail(const Response& response) {
  const auto parsed = wire::answer_from_json(response.status, response.body);
  const auto* answer = std::get_if<wire::Answer>(&parsed);
  const std::string message = answer ? clean_lines(answer->message) : "HTTP status " + std::to_string(response.status);
  fail(Failure{exit_of(response.status), message});
}

Client* Line::client() {
  if (client_) return &*client_;
  auto connected = connect(options_);
  if (const auto* failure = std::get_if<Failure>(&connected)) {
    fail(*failure);
    return nullptr;
  }
  return &client_.emplace(std::move(std::get<Client>(connected)));
}

std::optional<std::string> Line::get(const std::string& target, const Client::Take& take) {
  Client* connected = client();
  if (!connected) return std::nullopt;
  auto got = connected->get(target, to_look, take);
  if (const auto* failure = std::get_if<Failure>(&got)) {
    fail(*failure);
    return std::nullopt;
  }
  auto& response = std::get<Response>(got);
  if (response.status == 200) return std::move(response.body);
  fail(response);
  return std::nullopt;
}

std::optional<wire::Daemon> Line::each_service(const std::function<void(const wire::Service&)>& take) {
  wire::BriefReader reader(take);
  const auto got = get("/v1/services?brief=1", [&reader](std::string_view piece) { reader.add(piece); });
  client_.reset();  // the connection ends with that answer; what is asked next has one of its own
  return got ? understood(reader.finish()) : std::nullopt;
}

std::optional<Response> Line::post(const std::string& target, const std::string& body) {
  Client* connected = client();
  if (!connected) return std::nullopt;
  auto got = connected->post(target, body, options_.no_wait ? to_look : to_act);
  if (auto* response = std::get_if<Response>(&got)) return std::move(*response);
  fail(std::get<Failure>(got));
  return std::nullopt;
}

std::optional<std::string> Line::service() {
  if (!options_.service.empty()) return options_.service;
  std::vector<std::string> names;
  if (!each_service([&](const wire::Service& service) { names.push_back(service.name); })) return std::nullopt;
  if (names.size() == 1) return names.front();
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + clean(name);
  fail(Failure{usage, names.empty() ? "there are no services" : "name the service; there are: " + list});
  return std::nullopt;
}

}  // namespace plimsoll::ctl

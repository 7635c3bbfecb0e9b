#include "daemon/run/prober.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "config/plan/units.hpp"
#include "daemon/sys/fd.hpp"

namespace plimsoll::run {
namespace {

std::string error_text(int error) {
  const char* text = ::strerrordesc_np(error);
  return text != nullptr ? text : "error " + std::to_string(error);
}

struct Address {
  sockaddr_storage room{};
  socklen_t size = 0;
};

std::optional<Address> address_of(const std::string& host, const std::string& port_text) {
  std::uint16_t port = 0;
  std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  Address address;
  const std::string literal = host == "localhost" ? "127.0.0.1" : host;
  auto& four = reinterpret_cast<sockaddr_in&>(address.room);
  auto& six = reinterpret_cast<sockaddr_in6&>(address.room);
  if (::inet_pton(AF_INET, literal.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    address.size = sizeof four;
    return address;
  }
  if (::inet_pton(AF_INET6, literal.c_str(), &six.sin6_addr) != 1) return std::nullopt;
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  address.size = sizeof six;
  return address;
}

std::optional<Address> address_of(const std::string& path) {
  Address address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.room);
  if (path.size() >= sizeof local.sun_path) return std::nullopt;
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
  address.size = sizeof local;
  return address;
}

}  // namespace

/// A connection on its way; closed as soon as it stands.
struct Prober::Connecting {
  Connecting(Loop& loop, sys::Fd opened) : socket(std::move(opened)), watch(loop, socket.get()), deadline(loop) {}
  sys::Fd socket;
  Watch watch;  // lends the descriptor
  Alarm deadline;
};

Prober::Prober(Loop& loop, Members& members, HookEnvironment environment, PortOf port_of, Dispatch dispatch)
    : loop_(loop),
      environment_(std::move(environment)),
      port_of_(std::move(port_of)),
      dispatch_(std::move(dispatch)),
      commands_(loop, members) {}

Prober::~Prober() = default;

void Prober::ask(const core::AskProbe& question) {
  if (const auto* http = std::get_if<HttpProbe>(&question.how)) return ask_http(question, *http);
  if (const auto* tcp = std::get_if<TcpProbe>(&question.how)) return ask_tcp(question, *tcp);
  if (const auto* local = std::get_if<UnixProbe>(&question.how)) return ask_unix(question, *local);
  if (const auto* exec = std::get_if<ExecProbe>(&question.how)) return ask_exec(question, *exec);
  answer(question.id, false, "nobody asks this way");
}

void Prober::cancel(core::ProbeId id) {
  requests_.erase(id);
  connections_.erase(id);
  commands_.cancel(id);
}

void Prober::answer(core::ProbeId id, bool passed, std::string detail) {
  requests_.erase(id);
  connections_.erase(id);
  dispatch_(core::ProbeAnswered{id, passed, std::move(detail)});
}

void Prober::cannot_ask(core::ProbeId id, std::string why) {
  requests_.erase(id);
  connections_.erase(id);
  dispatch_(core::ProbeAnswered{id, false, std::move(why), false});
}

/// Of the engine that is asked. Nothing: the question is answered already.
std::optional<std::string> Prober::port_of(const core::AskProbe& question) {
  const auto port = port_of_(question.target);
  if (port && *port) return std::to_string(**port);
  if (port) {
    answer(question.id, false, "it listens on no port");
  } else {
    cannot_ask(question.id, "its port cannot be read: " + port.error().message());
  }
  return std::nullopt;
}

void Prober::ask_http(const core::AskProbe& question, const HttpProbe& how) {
  HttpRequest request;
  request.method = "GET";
  request.unix_path = how.request.unix_path;
  request.host = how.request.host;
  request.port = how.request.port;
  request.target = how.request.path;
  if (request.unix_path.empty() && request.host.empty()) {
    auto port = port_of(question);
    if (!port) return;
    request.host = "localhost";
    request.port = std::move(*port);
  }
  auto then = [this, id = question.id](HttpOutcome outcome) {
    if (!outcome.asked) return cannot_ask(id, std::move(outcome.detail));
    answer(id, outcome.result == core::HookResult::done, std::move(outcome.detail));
  };
  requests_[question.id] = std::make_unique<HttpAsking>(loop_, std::move(request), question.timeout, std::move(then));
}

void Prober::connect(const core::AskProbe& question, const sockaddr* address, unsigned size, std::string place) {
  sys::Fd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return cannot_ask(question.id, "cannot open a socket: " + error_text(errno));
  if (::connect(socket.get(), address, size) == 0) return answer(question.id, true, place + " accepts connections");
  if (sys::is_shortage(sys::last_error()))
    return cannot_ask(question.id, "cannot connect to " + place + ": " + error_text(errno));
  // A Unix socket whose queue is full says EAGAIN: nobody accepts there, which is the question.
  if (errno != EINPROGRESS) return answer(question.id, false, "cannot connect to " + place + ": " + error_text(errno));
  auto connecting = std::make_unique<Connecting>(loop_, std::move(socket));
  const int fd = connecting->socket.get();
  connecting->watch.when_writable([this, id = question.id, fd, place] {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    answer(id, error == 0,
           error == 0 ? place + " accepts connections" : "cannot connect to " + place + ": " + error_text(error));
  });
  connecting->deadline.set_after(question.timeout, [this, id = question.id, place, timeout = question.timeout] {
    answer(id, false, "no connection to " + place + " within " + to_text(timeout));
  });
  connections_[question.id] = std::move(connecting);
}

void Prober::ask_tcp(const core::AskProbe& question, const TcpProbe& how) {
  if (how.host.empty()) {
    auto port = port_of(question);
    if (port) ask_tcp(question, {"localhost", std::move(*port)});
    return;
  }
  const auto address = address_of(how.host, how.port);
  const bool six = how.host.find(':') != std::string::npos;
  std::string place = (six ? "[" + how.host + "]" : how.host) + ":" + how.port;
  if (!address) return answer(question.id, false, place + " is no address");
  connect(question, reinterpret_cast<const sockaddr*>(&address->room), address->size, std::move(place));
}

void Prober::ask_unix(const core::AskProbe& question, const UnixProbe& how) {
  const auto address = address_of(how.path);
  if (!address) return answer(question.id, false, how.path + " is too long for a socket's path");
  connect(question, reinterpret_cast<const sockaddr*>(&address->room), address->size, how.path);
}

void Prober::ask_exec(const core::AskProbe& question, const ExecProbe& how) {
  CommandRunner::Command command;
  const auto port = port_of_(question.target);
  if (!port) return cannot_ask(question.id, "its port cannot be read: " + port.error().message());
  const std::map<std::string, std::string> placeholders{{"engine_pid", std::to_string(question.target.pid)},
                                                        {"port", *port ? std::to_string(**port) : ""}};
  for (const std::string& word : how.argv) command.argv.push_back(fill_in(word, placeholders));
  command.prepare = [this, service = question.service](sys::SpawnRequest& request) {
    return environment_.prepare(service, request);
  };
  command.timeout = question.timeout;
  auto then = [this, id = question.id](CommandRunner::Ended ended) {
    answer(id, ended.success, std::move(ended.detail));
  };
  auto failure = commands_.start(question.id, std::move(command), std::move(then));
  if (!failure) return;
  if (failure->of_ours) return cannot_ask(question.id, std::move(failure->detail));
  answer(question.id, false, std::move(failure->detail));
}

}  // namespace plimsoll::run

// A line to the daemon for one verb: whatever goes wrong on it is said on stderr and leaves its exit code here.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "ctl/verbs.hpp"
#include "daemon/api/wire/brief_reader.hpp"
#include "daemon/api/wire/json.hpp"

namespace plimsoll::ctl {

class Line {
 public:
  Line(const Options& options, Console& console) : options_(options), console_(console) {}

  /// The body of a 200; nothing: exit() says why. `take`, if there is one, gets it in pieces as it comes in instead.
  std::optional<std::string> get(const std::string& target, const Client::Take& take = {});
  /// The same, understood.
  template <class T>
  std::optional<T> read(const std::string& body, wire::Parsed<T> (*parse)(std::string_view)) {
    return understood(parse(body));
  }
  template <class T>
  std::optional<T> understood(wire::Parsed<T> parsed) {
    if (auto* value = std::get_if<T>(&parsed)) return std::move(*value);
    fail(Failure{failed, "the daemon's answer cannot be understood: " + std::get<std::string>(parsed)});
    return std::nullopt;
  }
  /// Gives each service, in brief, to `take`. What they are beside; nothing: what was taken stands for nothing, and
  /// exit() says why.
  std::optional<wire::Daemon> each_service(const std::function<void(const wire::Service&)>& take);
  /// The answer to a command, whatever its status; nothing: exit() says why.
  std::optional<Response> post(const std::string& target, const std::string& body);
  /// The service that is meant: the one that is named, or the only one.
  std::optional<std::string> service();
  /// Connected, or nullptr.
  Client* client();

  void fail(const Failure& failure);
  /// Says the error of a refusal and keeps its exit code.
  void fail(const Response& response);
  [[nodiscard]] Exit exit() const { return exit_; }

 private:
  const Options& options_;
  Console& console_;
  std::optional<Client> client_;
  Exit exit_ = done;
};

/// The daemon that is meant: the one that is named; else main; else, to look, the only one that listens.
std::variant<Client, Failure> connect(const Options& options);

/// 2xx: done; 400, 404 and their like: usage; 403, 409: refused; anything else: failed.
Exit exit_of(int http_status);

}  // namespace plimsoll::ctl

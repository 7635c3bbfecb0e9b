// The wire structs as JSON text and back. Every body is an object with "schema": 1; what is read may hold keys that we
// do not know, except in a command, where an unknown key is a mistake of the sender and is named.
//
// Text that is written is always valid UTF-8: a process may call itself anything, and its name must not make the
// answer unreadable.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/api/wire/wire.hpp"

namespace plimsoll::wire {

/// The struct, or a sentence that says where the text is wrong: "services[0].pid: must be a whole number".
template <class T>
using Parsed = std::variant<T, std::string>;

std::string to_json(const Status& status);  ///< GET /v1/services
/// The same of `count` services that `next` gives one after the other: a thousand of them need not be there at once.
std::string to_json(const Daemon& daemon, std::size_t count, const std::function<Service()>& next);
/// GET /v1/services?brief=1, where the text need not be there at once either: `put` gets it in pieces as it is made.
void write_brief_json(const Daemon& daemon, std::size_t count, const std::function<Service()>& next,
                      const std::function<void(std::string_view piece)>& put);
std::string to_json(const Daemon& daemon);         ///< GET /v1/daemon: {"schema", "daemon"}
std::string to_json(const ServiceDetail& detail);  ///< GET /v1/services/NAME: {"schema", "service", "processes"}
std::string to_json(const std::vector<EngineOf>& engines);     ///< GET /v1/engines: {"schema", "engines"}
std::string to_json(const Event& event);                       ///< one event, the `data` of a server-sent one
std::string to_json(const std::vector<Event>& events);         ///< GET /v1/events: {"schema", "events"}
std::string to_json(const std::vector<Intervention>& ledger);  ///< GET /v1/ledger: {"schema", "interventions"}
/// {"schema", "message"} below status 400, else {"schema", "error"}.
std::string to_json(const Answer& answer);
/// The body of the request that carries it: the service's name and the noun are in its path.
std::string to_json(const Command& command);
/// One JSON string with its quotes.
std::string json_text(std::string_view text);

Parsed<Status> status_from_json(std::string_view text);
Parsed<Daemon> daemon_from_json(std::string_view text);
Parsed<ServiceDetail> service_from_json(std::string_view text);
Parsed<std::vector<EngineOf>> engines_from_json(std::string_view text);
Parsed<Event> event_from_json(std::string_view text);
Parsed<std::vector<Event>> events_from_json(std::string_view text);
Parsed<std::vector<Intervention>> ledger_from_json(std::string_view text);
/// `status` is the HTTP status the body came with.
Parsed<Answer> answer_from_json(int status, std::string_view text);

/// What is posted to `noun`: "actions" (of a service, whose name the caller fills in), "hold", "release", "reload". An
/// empty body is {}.
Parsed<Command> command_from_json(std::string_view noun, std::string_view body);

}  // namespace plimsoll::wire

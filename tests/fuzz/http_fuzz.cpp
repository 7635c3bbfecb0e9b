// The bytes of one connection to the control socket: through the reader, the routes and the JSON readers, the way a
// session takes them. What must hold: the same bytes mean the same however they arrive, every answer is JSON that our
// own reader reads, nobody gets nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/api/http.hpp"
#include "daemon/api/wire/json.hpp"
#include "tests/unit/api/fake_backend.hpp"
#include "tests/unit/wire/samples.hpp"

namespace {

using namespace plimsoll;

constexpr std::size_t header_bytes = 1024;
constexpr std::size_t body_bytes = 2048;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Taken {
  std::vector<api::Request> requests;
  bool refused = false;
};

/// Everything in `bytes`, given in pieces of `step`.
Taken take(std::string_view bytes, std::size_t step) {
  api::RequestReader reader(header_bytes, body_bytes);
  Taken taken;
  while (!bytes.empty() && !taken.refused) {
    reader.add(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    while (true) {
      api::RequestReader::Next next = reader.next();
      if (auto* request = std::get_if<api::Request>(&next)) {
        taken.requests.push_back(std::move(*request));
        continue;
      }
      const auto* reply = std::get_if<api::Reply>(&next);
      if (reply) require(reply->status == 400 || reply->status == 413 || reply->status == 431);
      taken.refused = reply != nullptr;
      break;
    }
    reader.wants_continue();
  }
  return taken;
}

void require_readable(const api::Reply& reply) {
  require(reply.status >= 200 && reply.status <= 599);
  require((reply.status == 405) == !reply.allow.empty());
  if (reply.status < 400 || reply.status == 503) return;
  const auto parsed = wire::answer_from_json(reply.status, reply.body);
  require(std::holds_alternative<wire::Answer>(parsed) && !std::get<wire::Answer>(parsed).message.empty());
}

void route(const api::Request& request, const api::Backend& backend) {
  for (const api::Role role : {api::Role::nobody, api::Role::observer, api::Role::acting}) {
    const api::Outcome outcome = api::handle(request, role, backend);
    const auto* reply = std::get_if<api::Reply>(&outcome);
    if (reply) require_readable(*reply);
    std::string made;
    const auto* making = std::get_if<api::Making>(&outcome);
    if (making) making->make([&](std::string_view piece) { made += piece; });
    require(!making || std::holds_alternative<wire::Status>(wire::read_brief(made)));
    if (role == api::Role::nobody) require(reply && reply->status == 403);
    if (role == api::Role::observer) require(!std::holds_alternative<api::Ask>(outcome));
  }
}

void read_as_json(std::string_view text) {
  for (const char* noun : {"actions", "hold", "release", "reload"}) {
    const auto parsed = wire::command_from_json(noun, text);
    if (const auto* command = std::get_if<wire::Command>(&parsed)) require(!command->act.empty());
  }
  const auto status = wire::status_from_json(text);
  if (const auto* value = std::get_if<wire::Status>(&status))
    require(std::holds_alternative<wire::Status>(wire::status_from_json(wire::to_json(*value))));
  const auto brief = wire::read_brief(text);
  if (const auto* value = std::get_if<wire::Status>(&brief))
    require(std::holds_alternative<wire::Status>(wire::read_brief(wire::brief_json(*value))));
  const auto event = wire::event_from_json(text);
  if (const auto* value = std::get_if<wire::Event>(&event))
    require(std::holds_alternative<wire::Event>(wire::event_from_json(wire::to_json(*value))));
  const auto ledger = wire::ledger_from_json(text);
  if (const auto* value = std::get_if<std::vector<wire::Intervention>>(&ledger))
    require(wire::ledger_from_json(wire::to_json(*value)).index() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static api::FakeBackend fake;
  static const api::Backend backend = fake.backend();

  // A header that came in pieces is judged when it ends, one that came at once may be refused before: so let it end.
  const std::string ended = std::string(bytes) + "\r\n\r\n";
  const Taken at_once = take(ended, ended.size());
  const Taken in_pieces = take(ended, 7);
  require(at_once.requests.size() == in_pieces.requests.size());
  require(at_once.refused == in_pieces.refused);
  for (std::size_t i = 0; i < at_once.requests.size(); ++i) {
    require(at_once.requests[i].target == in_pieces.requests[i].target);
    require(at_once.requests[i].body == in_pieces.requests[i].body);
    route(at_once.requests[i], backend);
    read_as_json(at_once.requests[i].body);
  }
  read_as_json(bytes);
  return 0;
}

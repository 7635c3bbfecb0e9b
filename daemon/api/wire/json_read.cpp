#include "daemon/api/wire/reading.hpp"

namespace plimsoll::wire {

Parsed<Status> status_from_json(std::string_view text) {
  return read_body<Status>(text, [](Members& body, const Status& out) { fields(body, out); });
}
Parsed<Daemon> daemon_from_json(std::string_view text) {
  return read_body<Daemon>(text, [](Members& body, const Daemon& out) { body.need("daemon", out); });
}
Parsed<ServiceDetail> service_from_json(std::string_view text) {
  return read_body<ServiceDetail>(text, [](Members& body, const ServiceDetail& out) { fields(body, out); });
}
Parsed<std::vector<EngineOf>> engines_from_json(std::string_view text) {
  return read_body<std::vector<EngineOf>>(text, [](Members& body, const auto& out) { body.need("engines", out); });
}
Parsed<Event> event_from_json(std::string_view text) {
  return read_body<Event>(text, [](Members& body, const Event& out) { fields(body, out); });
}
Parsed<std::vector<Event>> events_from_json(std::string_view text) {
  return read_body<std::vector<Event>>(text, [](Members& body, const auto& out) { body.need("events", out); });
}
Parsed<std::vector<Intervention>> ledger_from_json(std::string_view text) {
  return read_body<std::vector<Intervention>>(text,
                                              [](Members& body, const auto& out) { body.need("interventions", out); });
}
Parsed<Answer> answer_from_json(int status, std::string_view text) {
  auto parsed = read_body<Answer>(
      text, [status](Members& body, const Answer& out) { body.need(status < 400 ? "message" : "error", out.message); });
  if (auto* answer = std::get_if<Answer>(&parsed)) answer->status = status;
  return parsed;
}

}  // namespace plimsoll::wire

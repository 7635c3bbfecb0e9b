// One of each struct with every field set to something of its own, so that a round trip that mixes two up is seen.
#pragma once

#include "daemon/api/wire/brief_reader.hpp"

namespace plimsoll::wire {

inline Exit sample_exit() {
  return {"signaled", std::nullopt, 9, "2026-11-21T05:57:46.250Z"};
}

inline Engine sample_engine() {
  return {"prisma",    4711,   "worker",    4705,        "live",   212'000'000,
          380'000'000, 3723.5, 419'430'400, 838'860'800, 1'048'576};
}

inline Service sample_service() {
  Service service;
  service.name = "web";
  service.state = "ready";
  service.pid = 4700;
  service.run = 3;
  service.restarts = 2;
  service.uptime_seconds = 7384.125;
  service.rss_bytes = 52'428'800;
  service.tree_rss_bytes = 629'145'600;
  service.last_exit = sample_exit();
  service.engines = {sample_engine()};
  service.soft_bytes = 1'073'741'824;
  service.hard_bytes = 2'147'483'648;
  service.overshoot_bytes = 3'145'728;
  service.budget_acts = 6;
  service.budget_spent = 2;
  service.cycles = {{"reconnect", "every 6h", "2026-11-21T08:00:00.000Z", 12, 1, "both engines replaced in 9.2 s"}};
  service.not_well = {"web: engine 4711 is lost"};
  service.note = "starts again in 3.2 s";
  return service;
}

inline Daemon sample_daemon() {
  Daemon daemon;
  daemon.name = "main";
  daemon.version = "0.1.0";
  daemon.pid = 4242;
  daemon.uptime_seconds = 187'200.5;
  daemon.config = "/etc/plimsoll/plimsoll.toml";
  daemon.mode = "act";
  daemon.sources = {{"environ", "yes"}, {"exit_info", "no"}, {"statm", "off by at most 1.2 MB"}};
  daemon.container = Container{2'147'483'648, 1'000'000'000};
  daemon.hold = Hold{"2026-11-21T06:57:46.000Z", true};
  daemon.well = false;
  daemon.not_well = {"web: engine 4711 is lost", "api is in backoff"};
  return daemon;
}

/// As the daemon writes it, a service at a time.
inline std::string brief_json(const Status& status) {
  std::string text;
  auto next = status.services.begin();
  const auto put = [&](std::string_view piece) { text += piece; };
  write_brief_json(
      status.daemon, status.services.size(), [&] { return *next++; }, put);
  return text;
}

/// Read back in pieces of `step` bytes.
inline Parsed<Status> read_brief(std::string_view text, std::size_t step = std::string_view::npos) {
  Status status;
  BriefReader reader([&](const Service& service) { status.services.push_back(service); });
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) reader.add(text.substr(0, step));
  Parsed<Daemon> daemon = reader.finish();
  if (auto* wrong = std::get_if<std::string>(&daemon)) return Parsed<Status>(std::in_place_index<1>, std::move(*wrong));
  status.daemon = std::move(std::get<Daemon>(daemon));
  return status;
}

inline Process sample_process() {
  return {4711, 4705, "query-engine", "engine", "prisma", "running", 212'000'000, 3723.5};
}

inline Event sample_event() {
  Event event;
  event.id = 77;
  event.boot = "5f3a";
  event.at = "2026-11-21T05:57:46.250Z";
  event.kind = "rung";
  event.service = "web";
  event.rule = "prisma";
  event.pid = 4711;
  event.why = "reconnect worked: rss 412 MiB -> 112 MiB";
  event.rung = "reconnect";
  event.outcome = "worked";
  event.would = true;
  event.limit_bytes = 419'430'400;
  event.rss_bytes = 432'013'312;
  event.peak_bytes = 450'887'680;
  event.exit = sample_exit();
  return event;
}

inline Intervention sample_intervention() {
  Intervention act;
  act.id = 5;
  act.at = "2026-11-21T05:57:46.250Z";
  act.service = "web";
  act.rule = "prisma";
  act.pid = 4711;
  act.owner_pid = 4705;
  act.cause = "soft";
  act.why = "rss 412 MiB at or above the soft line 400 MiB for 30 s";
  act.would = true;
  act.rungs = {{"hook:reconnect", "timed_out", "2026-11-21T05:57:46.300Z", 15.0, "no answer within 15 s"},
               {"worker", "worked", "2026-11-21T05:58:01.300Z", 4.25, "the worker ended and was replaced"}};
  act.end = "worked";
  act.rss_before_bytes = 432'013'312;
  act.peak_bytes = 450'887'680;
  act.rss_after_bytes = 117'440'512;
  act.freed_bytes = 314'572'800;
  act.successor_pid = 4790;
  act.seconds_without_engine = 1.5;
  act.seconds = 19.25;
  return act;
}

}  // namespace plimsoll::wire

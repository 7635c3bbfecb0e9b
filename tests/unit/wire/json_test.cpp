#include "daemon/api/wire/json.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wire/samples.hpp"

namespace plimsoll::wire {
namespace {

/// Written, read and written again: equal texts, and (by the texts that are spelled out below) the right keys.
template <class T>
void expect_round_trip(const T& value, Parsed<T> (*parse)(std::string_view)) {
  const std::string text = to_json(value);
  const Parsed<T> parsed = parse(text);
  ASSERT_TRUE(std::holds_alternative<T>(parsed)) << std::get<std::string>(parsed) << "\n" << text;
  EXPECT_EQ(to_json(std::get<T>(parsed)), text);
}

template <class T>
std::string error_of(const Parsed<T>& parsed) {
  const auto* error = std::get_if<std::string>(&parsed);
  return error ? *error : "accepted";
}

std::string with(std::string text, const std::string& old_part, const std::string& new_part) {
  const std::size_t at = text.find(old_part);
  EXPECT_NE(at, text.npos) << old_part << " is not in " << text;
  if (at != text.npos) text.replace(at, old_part.size(), new_part);
  return text;
}

TEST(Json, StatusHasExactlyTheFormThatWasPromised) {
  Status status;
  status.daemon = {"main", "0.1.0", 1, 2.5, "/etc/p.toml", "act", {{"exe", "yes"}}, std::nullopt, true, {}};
  Service service;
  service.name = "web";
  service.state = "stopped";
  Service running = service;
  running.pid = 10;
  running.state = "ready";
  running.run = 1;
  running.restarts = 4;
  running.uptime_seconds = 3;
  running.rss_bytes = 5;
  running.tree_rss_bytes = 6;
  running.last_exit = Exit{"exited", 7, std::nullopt, "2026-11-21T05:57:46.250Z"};
  running.engines = {{"prisma", 11, "service", std::nullopt, "live", 8, 9, 0.25, {}, {}, {}}};
  status.services = {service, running};
  EXPECT_EQ(
      to_json(status),
      R"({"schema":1,"daemon":{"name":"main","version":"0.1.0","pid":1,"uptime_seconds":2.5,"config":"/etc/p.toml","mode":"act",)"
      R"("sources":{"exe":"yes"},"well":true,"not_well":[]},"services":[)"
      R"({"name":"web","state":"stopped","pid":null,"run":0,"restarts":0,"uptime_seconds":0,"rss_bytes":0,"tree_rss_bytes":0,)"
      R"("last_exit":null,"engines":[],"budget_acts":0,"budget_spent":0,"cycles":[],"not_well":[],"note":""},)"
      R"({"name":"web","state":"ready","pid":10,"run":1,"restarts":4,"uptime_seconds":3,"rss_bytes":5,"tree_rss_bytes":6,)"
      R"("last_exit":{"kind":"exited","code":7,"signal":null,"at":"2026-11-21T05:57:46.250Z"},)"
      R"("engines":[{"rule":"prisma","pid":11,"owner":"service","owner_pid":null,"state":"live","rss_bytes":8,)"
      R"("peak_rss_bytes":9,"age_seconds":0.25}],"budget_acts":0,"budget_spent":0,"cycles":[],"not_well":[],"note":""}]})");
}

TEST(Json, EveryStructComesBackAsItWasSent) {
  expect_round_trip(Status{sample_daemon(), {sample_service(), Service{}}}, status_from_json);
  expect_round_trip(sample_daemon(), daemon_from_json);
  expect_round_trip(Daemon{}, daemon_from_json);
  expect_round_trip(ServiceDetail{sample_service(), {sample_process(), Process{}}}, service_from_json);
  expect_round_trip(std::vector<EngineOf>{{"web", sample_engine()}, {"api", Engine{}}}, engines_from_json);
  expect_round_trip(sample_event(), event_from_json);
  expect_round_trip(std::vector<Event>{sample_event(), Event{}}, events_from_json);
  expect_round_trip(std::vector<Event>{}, events_from_json);
  expect_round_trip(std::vector<Intervention>{sample_intervention(), Intervention{}}, ledger_from_json);
}

TEST(Json, AStatusIsTheSameTextAServiceAtATime) {
  for (std::size_t count : {0, 1, 3, 200}) {
    Status status{sample_daemon(), {}};
    for (std::size_t i = 0; i < count; ++i) {
      status.services.push_back(i % 2 == 0 ? sample_service() : Service{});
      status.services.back().name = "s" + std::to_string(i);
    }
    auto next = status.services.begin();
    const std::string text = to_json(status.daemon, count, [&] { return *next++; });
    EXPECT_EQ(text, to_json(status));
    expect_round_trip(status, status_from_json);
  }
}

TEST(Json, ABriefStatusSaysNothingOfWhatThereIsNot) {
  Status status;
  status.daemon = {"main", "0.1.0", 1, 2.5, "", "act", {}, std::nullopt, true, {}};
  Service idle;
  idle.name = "idle";
  idle.state = "stopped";
  idle.run = 7;
  idle.budget_acts = 6;
  status.services = {idle, sample_service()};
  status.services[1].engines.clear();
  EXPECT_EQ(
      brief_json(status),
      R"({"schema":1,"daemon":{"name":"main","version":"0.1.0","pid":1,"uptime_seconds":2.5,"config":"","mode":"act",)"
      R"("sources":{},"well":true,"not_well":[]},"services":[{"name":"idle","state":"stopped"},)"
      R"({"name":"web","state":"ready","pid":4700,"restarts":2,"uptime_seconds":7384.125,"rss_bytes":52428800,)"
      R"("tree_rss_bytes":629145600,"last_exit":{"kind":"signaled","code":null,"signal":9,"at":"2026-11-21T05:57:46.250Z"},)"
      R"("soft_bytes":1073741824,"hard_bytes":2147483648,"overshoot_bytes":3145728,"budget_acts":6,"budget_spent":2,)"
      R"("cycles":[{"do":"reconnect","when":"every 6h","next":"2026-11-21T08:00:00.000Z","done":12,"failed":1,)"
      R"("last":"both engines replaced in 9.2 s"}],"note":"starts again in 3.2 s"}]})");
}

TEST(Json, ABriefStatusOfManyServicesIsMadeInPieces) {
  std::string text;
  std::size_t pieces = 0;
  std::size_t longest = 0;
  const auto put = [&](std::string_view piece) {
    text += piece;
    ++pieces;
    longest = std::max(longest, piece.size());
  };
  write_brief_json(sample_daemon(), 500, sample_service, put);
  EXPECT_GT(pieces, 4u);
  EXPECT_LT(longest, 34'000u);
  EXPECT_EQ(text, brief_json({sample_daemon(), std::vector<Service>(500, sample_service())}));
  EXPECT_EQ(std::get<Status>(read_brief(text)).services.size(), 500u);
}

TEST(Json, ABriefStatusComesBackAsItWasSent) {
  const Status sent{sample_daemon(), {sample_service(), Service{}}};
  const auto parsed = read_brief(brief_json(sent));
  ASSERT_TRUE(std::holds_alternative<Status>(parsed)) << std::get<std::string>(parsed);
  Status back = std::get<Status>(parsed);
  EXPECT_EQ(brief_json(back), brief_json(sent));
  EXPECT_TRUE(back.services[0].not_well.empty());
  back.services[0].run = sent.services[0].run;
  back.services[0].not_well = sent.services[0].not_well;
  EXPECT_EQ(to_json(back), to_json(sent));
}

TEST(Json, ABriefStatusIsTheSameHoweverItIsCut) {
  const std::string text = brief_json({sample_daemon(), {sample_service(), Service{}, sample_service()}});
  for (std::size_t step = 1; step < text.size(); step = step * 3 / 2 + 1) {
    const auto parsed = read_brief(text, step);
    ASSERT_TRUE(std::holds_alternative<Status>(parsed)) << step << ": " << std::get<std::string>(parsed);
    EXPECT_EQ(brief_json(std::get<Status>(parsed)), text) << step;
    EXPECT_EQ(error_of(read_brief(text + " x", step)), "the body is not JSON: extra data") << step;
    EXPECT_EQ(error_of(read_brief(text.substr(0, text.size() - 1), step)),
              "the body is not JSON: it ends in the middle");
    EXPECT_EQ(error_of(read_brief(with(text, R"("restarts":2)", R"("restarts":-2)"), step)),
              "services[0].restarts: is out of range");
  }
  EXPECT_EQ(error_of(read_brief("")), "the body is not JSON: it ends in the middle");
  EXPECT_EQ(error_of(read_brief("[]")), "the body must be a JSON object");
  EXPECT_EQ(error_of(read_brief(R"({"services":[]})")), "daemon: is missing");
}

TEST(Json, ABriefStatusThatIsWrongHandsOverNoServiceBehindTheMistake) {
  const Status status{sample_daemon(), {sample_service(), sample_service()}};
  std::size_t taken = 0;
  BriefReader reader([&](const Service&) { ++taken; });
  reader.add(with(brief_json(status), R"("state":"ready",)", ""));
  EXPECT_EQ(std::get<std::string>(reader.finish()), "services[0].state: is missing");
  EXPECT_EQ(taken, 0u);
}

TEST(Json, ABriefStatusIsReadAsStrictlyInWhatItSays) {
  const std::string text = brief_json({sample_daemon(), {sample_service()}});
  EXPECT_EQ(error_of(read_brief(with(text, R"("state":"ready",)", ""))), "services[0].state: is missing");
  EXPECT_EQ(error_of(read_brief(with(text, R"("restarts":2)", R"("restarts":-2)"))),
            "services[0].restarts: is out of range");
  EXPECT_EQ(error_of(read_brief(with(text, R"("kind":"signaled",)", ""))), "services[0].last_exit.kind: is missing");
  EXPECT_EQ(error_of(read_brief(with(text, R"("services":[{)", R"("services":[7,{)"))),
            "services[0]: must be an object");
  EXPECT_EQ(error_of(read_brief(to_json(Status{sample_daemon(), {sample_service()}}))), "accepted");
  EXPECT_EQ(error_of(status_from_json(brief_json({sample_daemon(), {Service{}}}))), "services[0].pid: is missing");
}

TEST(Json, FieldsComeBackInTheirOwnPlaces) {
  const auto parsed = ledger_from_json(to_json(std::vector<Intervention>{sample_intervention()}));
  const Intervention& act = std::get<0>(parsed).at(0);
  const Intervention sent = sample_intervention();
  EXPECT_EQ(act.rss_before_bytes, sent.rss_before_bytes);
  EXPECT_EQ(act.peak_bytes, sent.peak_bytes);
  EXPECT_EQ(act.rss_after_bytes, sent.rss_after_bytes);
  EXPECT_EQ(act.freed_bytes, sent.freed_bytes);
  EXPECT_EQ(act.successor_pid, sent.successor_pid);
  EXPECT_EQ(act.seconds_without_engine, sent.seconds_without_engine);
  EXPECT_EQ(act.rungs.at(1).rung, "worker");
  EXPECT_EQ(act.rungs.at(0).seconds, 15.0);

  const auto engines = engines_from_json(to_json(std::vector<EngineOf>{{"web", sample_engine()}}));
  const EngineOf& engine = std::get<0>(engines).at(0);
  EXPECT_EQ(engine.service, "web");
  EXPECT_EQ(engine.engine.soft_bytes, 419'430'400u);
  EXPECT_EQ(engine.engine.hard_bytes, 838'860'800u);
  EXPECT_EQ(engine.engine.overshoot_bytes, 1'048'576u);
}

TEST(Json, AHoldWithoutAnEndIsNull) {
  Daemon daemon = sample_daemon();
  daemon.hold = Hold{};
  EXPECT_NE(to_json(daemon).find(R"("hold":{"until":null,"except_hard":false})"), std::string::npos);
  expect_round_trip(daemon, daemon_from_json);
}

TEST(Json, AnswersSayMessageOrErrorByTheirStatus) {
  EXPECT_EQ(to_json(Answer{202, "under way"}), R"({"schema":1,"message":"under way"})");
  EXPECT_EQ(to_json(Answer{409, "it stops"}), R"({"schema":1,"error":"it stops"})");
  const auto message = answer_from_json(200, R"({"schema":1,"message":"done"})");
  EXPECT_EQ(std::get<Answer>(message).message, "done");
  const auto error = answer_from_json(503, R"({"schema":1,"error":"busy"})");
  EXPECT_EQ(std::get<Answer>(error).message, "busy");
  EXPECT_EQ(std::get<Answer>(error).status, 503);
  EXPECT_EQ(error_of(answer_from_json(200, R"({"schema":1,"error":"busy"})")), "message: is missing");
}

TEST(Json, TextIsAlwaysValidUtf8AndOneLine) {
  EXPECT_EQ(json_text("a\"b\\c\n\r\t\x01\x7f"), R"("a\"b\\c\n\r\t\u0001\u007f")");
  EXPECT_EQ(json_text("Größe €😀"), "\"Größe €😀\"");
  const char* invalid[] = {"\xff",     "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xe2\x82", "\x80",     "\xf0\x9f\x98"};
  for (const char* text : invalid) {
    Event event = sample_event();
    event.why = text;
    const auto parsed = event_from_json(to_json(event));
    ASSERT_TRUE(std::holds_alternative<Event>(parsed)) << std::get<std::string>(parsed);
    EXPECT_TRUE(std::get<Event>(parsed).why.starts_with("\xEF\xBF\xBD"));
  }
}

TEST(Json, NumbersKeepTheirRangeAndNoExponent) {
  Engine engine;
  engine.rss_bytes = UINT64_MAX;
  engine.age_seconds = 123'456'789.125;
  engine.pid = INT64_MIN;
  const std::string text = to_json(std::vector<EngineOf>{{"web", engine}});
  EXPECT_NE(text.find(R"("rss_bytes":18446744073709551615)"), text.npos);
  EXPECT_NE(text.find(R"("age_seconds":123456789.125)"), text.npos);
  EXPECT_EQ(std::get<0>(engines_from_json(text)).at(0).engine.rss_bytes, UINT64_MAX);
  engine.age_seconds = 1.0 / 0.0;
  EXPECT_NE(to_json(std::vector<EngineOf>{{"web", engine}}).find(R"("age_seconds":0)"), text.npos);
}

TEST(Json, WhatAnOlderOrNewerDaemonSendsIsStillRead) {
  const std::string text = to_json(Status{sample_daemon(), {sample_service()}});
  EXPECT_EQ(error_of(status_from_json(with(text, R"("budget_acts":6,)", ""))), "accepted");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("budget_acts":6,)", R"("budget_acts":6,"load":[1,{}],)"))),
            "accepted");
}

TEST(Json, TheOrderOfTheMembersAndWhatIsInUnknownOnesDoNotMatter) {
  const auto parsed = status_from_json(
      R"({"more":{"services":[1,{"a":[[]]}],"x":"\u0041"},"services":[{"note":"n","engines":[],"last_exit":null,"more":[{}],)"
      R"("tree_rss_bytes":6,"rss_bytes":5,"uptime_seconds":3,"restarts":4,"run":1,"pid":null,"state":"ready","name":"w\u0065b"}],)"
      R"("daemon":{"well":true,"sources":{"z":"1","a":"\"2\""},"mode":"act","config":"","uptime_seconds":18446744073709551615,)"
      R"("pid":1,"version":"","name":"main"},"schema":1})");
  ASSERT_TRUE(std::holds_alternative<Status>(parsed)) << std::get<std::string>(parsed);
  const auto& status = std::get<Status>(parsed);
  EXPECT_EQ(status.services.at(0).name, "web");
  EXPECT_EQ(status.services.at(0).tree_rss_bytes, 6u);
  EXPECT_EQ(status.services.at(0).note, "n");
  EXPECT_EQ(status.daemon.sources.at("a"), "\"2\"");
  EXPECT_EQ(status.daemon.uptime_seconds, 18446744073709551616.0);
}

TEST(Json, WhatIsWrongIsNamedWithItsPlace) {
  const std::string text = to_json(Status{sample_daemon(), {sample_service()}});
  EXPECT_EQ(error_of(status_from_json(with(text, R"("state":"ready")", R"("state":1)"))),
            "services[0].state: must be a text");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("pid":4711)", R"("pid":"x")"))),
            "services[0].engines[0].pid: must be a whole number");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("run":3,)", ""))), "services[0].run: is missing");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("run":3)", R"("run":-3)"))), "services[0].run: is out of range");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("run":3)", R"("run":3.5)"))),
            "services[0].run: must be a whole number");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("signal":9)", R"("signal":99999999999)"))),
            "services[0].last_exit.signal: is out of range");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("well":false)", R"("well":0)"))),
            "daemon.well: must be true or false");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("uptime_seconds":187200.5)", R"("uptime_seconds":null)"))),
            "daemon.uptime_seconds: must be a number");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("environ":"yes")", R"("environ":true)"))),
            "daemon.sources.environ: must be a text");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("run":3)", R"("run":3,"run":3)"))),
            "services[0].run: is there twice");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("run":3)", R"("run":[3])"))),
            "services[0].run: must be a whole number");
  EXPECT_EQ(error_of(status_from_json(with(text, R"("last_exit":{)", R"("last_exit":[],"more":{)"))),
            "services[0].last_exit: must be an object");
  EXPECT_EQ(error_of(daemon_from_json(R"({"schema":1,"daemon":[]})")), "daemon: must be an object");
  EXPECT_EQ(error_of(events_from_json(R"({"schema":1,"events":{}})")), "events: must be an array");
}

TEST(Json, BodiesOfAnotherSchemaAndNoBodiesAreRefused) {
  EXPECT_EQ(error_of(events_from_json(R"({"events":[]})")), "schema: is missing");
  EXPECT_EQ(error_of(events_from_json(R"({"schema":2,"events":[]})")), "schema: must be 1, the only one known here");
  EXPECT_EQ(error_of(events_from_json(R"({"schema":"1","events":[]})")), "schema: must be 1, the only one known here");
  EXPECT_EQ(error_of(events_from_json("[]")), "the body must be a JSON object");
  for (const char* text :
       {"", "{", "{\"schema\":1", "{\"schema\":1}x", "nonsense", "{'schema':1}", "\xff", "{\"schema\":1,}"})
    EXPECT_TRUE(error_of(events_from_json(text)).starts_with("the body is not JSON")) << text;
  EXPECT_TRUE(error_of(events_from_json(std::string(10'000, '['))).starts_with("the body is not JSON"));
  EXPECT_TRUE(error_of(events_from_json(R"({"schema":1,"events":[3],"x")")).starts_with("the body is not JSON"))
      << "whatever is wrong before";
  EXPECT_EQ(error_of(events_from_json(R"({"schema":[1],"events":[3]})")), "schema: must be 1, the only one known here");
}

}  // namespace
}  // namespace plimsoll::wire

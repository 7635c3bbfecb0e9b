#include "daemon/api/routes.hpp"

#include <gtest/gtest.h>

#include "daemon/api/wire/json.hpp"
#include "tests/unit/api/fake_backend.hpp"
#include "tests/unit/wire/samples.hpp"

namespace plimsoll::api {
namespace {

class Routes : public testing::Test {
 protected:
  Outcome ask(const std::string& method, const std::string& target, const std::string& body = "",
              Role role = Role::acting) {
    Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    return handle(request, role, fake.backend());
  }
  Reply reply(const std::string& method, const std::string& target, const std::string& body = "",
              Role role = Role::acting) {
    const Outcome outcome = ask(method, target, body, role);
    if (const auto* found = std::get_if<Reply>(&outcome)) return *found;
    if (const auto* making = std::get_if<Making>(&outcome)) {
      Reply made;
      making->make([&](std::string_view piece) { made.body += piece; });
      return made;
    }
    ADD_FAILURE() << method << " " << target << " is not answered at once";
    return {};
  }
  static std::string error_of(const Reply& reply) {
    const auto parsed = wire::answer_from_json(reply.status, reply.body);
    return std::holds_alternative<wire::Answer>(parsed) ? std::get<wire::Answer>(parsed).message : reply.body;
  }
  FakeBackend fake;
};

TEST_F(Routes, EachResourceIsAnsweredWithItsStructs) {
  EXPECT_EQ(reply("GET", "/v1/daemon").body, wire::to_json(fake.status().daemon));
  EXPECT_EQ(reply("GET", "/v1/services").body, wire::to_json(fake.status()));
  EXPECT_EQ(reply("GET", "/v1/services?service=bill%20ing").body, wire::to_json(*fake.status_of("bill ing")));
  EXPECT_EQ(reply("GET", "/v1/services/web").body, wire::to_json(*fake.service("web")));
  EXPECT_EQ(reply("GET", "/v1/services/bill%20ing").body, wire::to_json(*fake.service("bill ing")));
  EXPECT_EQ(reply("GET", "/v1/ledger").body, wire::to_json(fake.ledger("")));
  EXPECT_EQ(reply("GET", "/v1/ledger?service=web").body, wire::to_json(fake.ledger("web")));
  const auto engines = wire::engines_from_json(reply("GET", "/v1/engines").body);
  EXPECT_EQ(std::get<0>(engines).at(0).service, "web");
  EXPECT_EQ(std::get<0>(engines).at(0).engine.pid, 4711);
}

TEST_F(Routes, ABriefAnswerIsForAllServices) {
  EXPECT_EQ(reply("GET", "/v1/services?brief=1").body, wire::brief_json(fake.status()));
  EXPECT_EQ(reply("GET", "/v1/services?brief=1", "", Role::observer).status, 200);
  EXPECT_EQ(reply("GET", "/v1/services?brief=1", "", Role::nobody).status, 403);
  EXPECT_EQ(reply("GET", "/v1/services?brief=0").body, wire::to_json(fake.status()));
  EXPECT_EQ(reply("GET", "/v1/services?brief=0&service=web").body, wire::to_json(*fake.status_of("web")));
  for (const char* target : {"/v1/services?brief", "/v1/services?brief=2", "/v1/services?brief=yes&service=web"}) {
    EXPECT_EQ(reply("GET", target).status, 400) << target;
    EXPECT_EQ(error_of(reply("GET", target)), "brief: must be 0 or 1");
  }
  EXPECT_EQ(reply("GET", "/v1/services?brief=1&service=web").status, 400);
  EXPECT_EQ(error_of(reply("GET", "/v1/services?brief=1&service=web")),
            "brief: is for all services; of one there is the whole answer");
}

TEST_F(Routes, HealthIs503WhenNotWell) {
  EXPECT_EQ(reply("GET", "/healthz").status, 200);
  fake.well = false;
  EXPECT_EQ(reply("GET", "/healthz").status, 503);
}

TEST_F(Routes, EventsComeAfterTheIdThatIsGiven) {
  for (const char* why : {"one", "two", "three"}) fake.add_event(why);
  const auto all = wire::events_from_json(reply("GET", "/v1/events").body);
  EXPECT_EQ(std::get<0>(all).size(), 3u);
  const auto newer = wire::events_from_json(reply("GET", "/v1/events?since=2").body);
  ASSERT_EQ(std::get<0>(newer).size(), 1u);
  EXPECT_EQ(std::get<0>(newer)[0].why, "three");
}

TEST_F(Routes, EventsAreNarrowedToAServiceAndToTheLast) {
  for (int i = 0; i < 6; ++i) {
    fake.add_event("it was " + std::to_string(i));
    fake.events.back().service = i % 2 == 0 ? "web" : "gone";
  }
  const auto ids = [&](const std::string& query) {
    std::string text;
    const auto parsed = wire::events_from_json(reply("GET", "/v1/events" + query).body);
    for (const wire::Event& event : std::get<0>(parsed)) text += std::to_string(event.id);
    return text;
  };
  EXPECT_EQ(ids("?service=web"), "135");
  EXPECT_EQ(ids("?last=2"), "56");
  EXPECT_EQ(ids("?last=0"), "");
  EXPECT_EQ(ids("?last=99"), "123456");
  EXPECT_EQ(ids("?service=web&last=2"), "35");
  EXPECT_EQ(ids("?service=web&since=1&last=1"), "5");
  EXPECT_EQ(ids("?service=gone&since=5"), "6") << "a reload has taken it away; its events are there";
  EXPECT_EQ(reply("GET", "/v1/events?service=wep").status, 404);
  EXPECT_EQ(reply("GET", "/v1/events?service=wep&follow=1").status, 404);
  EXPECT_EQ(std::get<Follow>(ask("GET", "/v1/events?follow=1&service=web")).service, "web");
  EXPECT_EQ(reply("GET", "/v1/events?follow=1&last=3").status, 400);
  EXPECT_EQ(reply("GET", "/v1/events?last=x").status, 400);
}

TEST_F(Routes, EventsAreFollowedOnRequestByQueryOrByHeader) {
  EXPECT_EQ(std::get<Follow>(ask("GET", "/v1/events?follow=1&since=7")).after, 7u);
  EXPECT_FALSE(std::get<Follow>(ask("GET", "/v1/events?follow=1")).after);
  Request request;
  request.method = "GET";
  request.target = "/v1/events";
  request.accept = "text/event-stream";
  EXPECT_TRUE(std::holds_alternative<Follow>(handle(request, Role::observer, fake.backend())));
  request.last_event_id = "12";
  EXPECT_EQ(std::get<Follow>(handle(request, Role::observer, fake.backend())).after, 12u);
  request.last_event_id = "x";
  EXPECT_EQ(std::get<Reply>(handle(request, Role::observer, fake.backend())).status, 400);
  request.target = "/v1/events?follow=0";
  EXPECT_TRUE(std::holds_alternative<Reply>(handle(request, Role::observer, fake.backend())));
}

TEST_F(Routes, CommandsAreReadWithTheirService) {
  const auto stop = std::get<Ask>(ask("POST", "/v1/services/bill%20ing/actions", R"({"do":"stop"})"));
  EXPECT_EQ(stop.command.act, "stop");
  EXPECT_EQ(stop.command.service, "bill ing");
  EXPECT_EQ(std::get<Ask>(ask("POST", "/v1/hold", R"({"for":"1h"})")).command.for_milliseconds, 3'600'000u);
  EXPECT_EQ(std::get<Ask>(ask("POST", "/v1/release")).command.act, "release");
  EXPECT_EQ(std::get<Ask>(ask("POST", "/v1/reload")).command.act, "reload");
}

TEST_F(Routes, AnUnknownServiceIsA404ThatNamesTheKnownOnes) {
  for (const Reply& each :
       {reply("GET", "/v1/services/wep"), reply("GET", "/v1/services?service=wep"),
        reply("GET", "/v1/ledger?service=wep"), reply("POST", "/v1/services/wep/actions", R"({"do":"stop"})")}) {
    EXPECT_EQ(each.status, 404);
    EXPECT_EQ(error_of(each), "there is no service 'wep'; there are: web, bill ing");
  }
}

TEST_F(Routes, AnUnknownPathIsA404ThatNamesTheKnownOnes) {
  for (const char* path :
       {"/", "/v1", "/v2/services", "/v1/services/web/x", "/v1/services/web/actions/x", "//", "/v1/daemon/"}) {
    const Reply each = reply("GET", path);
    EXPECT_EQ(each.status, 404) << path;
  }
  EXPECT_NE(error_of(reply("GET", "/")).find("POST /v1/services/NAME/actions"), std::string::npos);
}

TEST_F(Routes, AWrongMethodIsA405WithTheRightOne) {
  const Reply wrong_get = reply("GET", "/v1/services/web/actions");
  EXPECT_EQ(wrong_get.status, 405);
  EXPECT_EQ(wrong_get.allow, "POST");
  for (const char* method : {"POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get"}) {
    const Reply each = reply(method, "/v1/services");
    EXPECT_EQ(each.status, 405) << method;
    EXPECT_EQ(each.allow, "GET");
  }
}

TEST_F(Routes, BadQueriesAndTargetsAre400) {
  for (const char* target :
       {"/v1/events?since=x", "/v1/events?since=-1", "/v1/events?since=", "/v1/events?since=99999999999999999999",
        "/v1/events?since=1&since=2", "/v1/events?follow=yes", "/v1/events?folow=1", "/v1/services?x",
        "/v1/ledger?name=web", "/v1/services/%", "/v1/services/%zz", "/v1/services/%4", "v1/services", "", "*",
        "http://localhost/v1/services", "/v1/daemon?%=1"})
    EXPECT_EQ(reply("GET", target).status, 400) << target;
  EXPECT_EQ(reply("GET", "/v1/services?").status, 200);
}

TEST_F(Routes, BadBodiesAre400AndAskNothing) {
  for (const char* body : {"", "{", "[]", "null", "{\"do\":\"explode\"}", "{\"do\":\"stop\",\"x\":1}", "{\"do\":7}"})
    EXPECT_EQ(reply("POST", "/v1/services/web/actions", body).status, 400) << body;
  EXPECT_EQ(reply("POST", "/v1/hold", R"({"for":"soon"})").status, 400);
}

TEST_F(Routes, ObserversLookAndAreRefusedToAct) {
  EXPECT_EQ(reply("GET", "/v1/services", "", Role::observer).status, 200);
  for (const char* path : {"/v1/services/web/actions", "/v1/hold", "/v1/release", "/v1/reload"})
    EXPECT_EQ(reply("POST", path, R"({"do":"stop"})", Role::observer).status, 403) << path;
}

TEST_F(Routes, NobodyIsRefusedEverything) {
  for (const char* path : {"/v1/services", "/healthz", "/v1/events?follow=1", "/nowhere", "%"})
    EXPECT_EQ(reply("GET", path, "", Role::nobody).status, 403) << path;
  EXPECT_EQ(reply("POST", "/v1/reload", "", Role::nobody).status, 403);
}

}  // namespace
}  // namespace plimsoll::api

// What operators see, as whole texts: a change of one of these is a change of the product.
#include "ctl/rendering.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "tests/unit/wire/samples.hpp"

namespace plimsoll::ctl {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;

class Rendering : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    look.now = read_moment("2026-11-21T06:00:00.000Z").value();
  }
  static wire::Status calm() {
    wire::Status status;
    status.daemon = {"main", "0.1.0",          4242,         187'200, "/etc/plimsoll/plimsoll.toml",
                     "act",  {{"exe", "yes"}}, std::nullopt, true,    {}};
    wire::Service web;
    web.name = "web";
    web.state = "ready";
    web.pid = 4700;
    web.run = 1;
    web.uptime_seconds = 7'384;
    web.rss_bytes = 50 * mib;
    web.tree_rss_bytes = 600 * mib;
    web.engines = {{"prisma", 4711, "worker", 4705, "live", 212 * mib, 380 * mib, 3'723, 400 * mib, 800 * mib, {}},
                   {"prisma", 4712, "worker", 4706, "live", 390 * mib, 395 * mib, 3'722, 400 * mib, 800 * mib, {}}};
    wire::Service cron;
    cron.name = "cron";
    cron.state = "stopped";
    status.services = {web, cron};
    return status;
  }
  static wire::Status bad_night() {
    wire::Status status = calm();
    status.daemon.well = false;
    status.daemon.not_well = {"web: engine 4711 is lost", "api is in backoff"};
    status.daemon.mode = "observe";
    status.daemon.hold = wire::Hold{"2026-11-21T06:48:00.000Z", true};
    status.daemon.sources = {{"environ", "no"}, {"exe", "yes"}, {"exit_info", "off"}};
    status.daemon.container = wire::Container{2048 * mib, 1843 * mib};
    wire::Service& web = status.services[0];
    web.restarts = 2;
    web.soft_bytes = 40 * mib;
    web.hard_bytes = 100 * mib;
    web.overshoot_bytes = 3 * mib;
    web.engines.resize(1);
    web.engines[0].rss_bytes = 812 * mib;
    web.engines[0].overshoot_bytes = 1 * mib;
    web.engines[0].owner_pid.reset();
    web.engines[0].owner = "service";
    web.note = "pid 4711 cannot be killed: state D in nfs_wait";
    web.last_exit = wire::Exit{"oom_killed", std::nullopt, 9, "2026-11-21T05:00:00.000Z"};
    web.cycles = {{"reconnect", "every 6h", "2026-11-21T08:10:00.000Z", 12, 1, "both engines replaced in 9.2 s"},
                  {"restart", "cron 0 4 * * *", std::nullopt, 0, 0, ""}};
    web.budget_acts = 6;
    web.budget_spent = 2;
    status.services.resize(1);
    return status;
  }
  Look look;
};

TEST_F(Rendering, ACalmStatusBeginsWithWell) {
  EXPECT_EQ(
      status_text(calm(), look),
      "well\n"
      "main 0.1.0, pid 4242, up 2d 4h, /etc/plimsoll/plimsoll.toml\n"
      "\n"
      "SERVICE  STATE    PID   UP     RESTARTS  RSS     TREE     SOFT LINE  HARD LINE\n"
      "web      ready    4700  2h 3m  0         50 MiB  600 MiB  -          -\n"
      "  ENGINE  PID   OWNER        STATE  RSS      PEAK     SOFT LINE              HARD LINE              AGE\n"
      "  prisma  4711  worker 4705  live   212 MiB  380 MiB  188 MiB below 400 MiB  588 MiB below 800 MiB  1h 2m\n"
      "  prisma  4712  worker 4706  live   390 MiB  395 MiB  10 MiB below 400 MiB   410 MiB below 800 MiB  1h 2m\n"
      "cron     stopped  -     -      0         -       -        -          -\n");
}

TEST_F(Rendering, ABadNightSaysWhyFirst) {
  EXPECT_EQ(
      status_text(bad_night(), look),
      "NOT WELL:\n"
      "  web: engine 4711 is lost\n"
      "  api is in backoff\n"
      "HELD until 2026-11-21 06:48:00 UTC (in 48m): no interventions but at hard lines\n"
      "OBSERVING: interventions are recorded and withheld (mode = \"observe\")\n"
      "main 0.1.0, pid 4242, up 2d 4h, /etc/plimsoll/plimsoll.toml; evidence: environ no, exit_info off\n"
      "container: 1.8 GiB of 2 GiB used, 89%\n"
      "\n"
      "SERVICE  STATE  PID   UP     RESTARTS  RSS     TREE     SOFT LINE           HARD LINE\n"
      "web      ready  4700  2h 3m  2         50 MiB  600 MiB  10 MiB over 40 MiB  50 MiB below 100 MiB\n"
      "  ENGINE  PID   OWNER    STATE  RSS      PEAK     SOFT LINE             HARD LINE            AGE\n"
      "  prisma  4711  service  live   812 MiB  380 MiB  412 MiB over 400 MiB  12 MiB over 800 MiB  1h 2m\n"
      "  pid 4711 cannot be killed: state D in nfs_wait\n"
      "  last run ended: oom_killed, signal 9, 1h ago\n"
      "  cycle: reconnect every 6h, next in 2h 10m (2026-11-21 08:10:00 UTC); 12 done, 1 failed; last: both engines "
      "replaced in 9.2 s\n"
      "  cycle: restart cron 0 4 * * *; 0 done, 0 failed\n"
      "  budget: 2 of 6 acts spent\n"
      "  at its hard line: at most 3 MiB past it\n"
      "  at the hard line of prisma: at most 1 MiB past it\n");
}

TEST_F(Rendering, ATableOfABriefAnswerIsThatOfTheWholeOne) {
  for (const wire::Status& whole :
       {calm(), bad_night(), wire::Status{wire::sample_daemon(), {wire::sample_service(), wire::Service{}}}}) {
    const auto brief = wire::read_brief(wire::brief_json(whole));
    ASSERT_TRUE(std::holds_alternative<wire::Status>(brief)) << std::get<std::string>(brief);
    EXPECT_EQ(status_text(std::get<wire::Status>(brief), look), status_text(whole, look));
  }
}

TEST_F(Rendering, OneReasonStandsOnTheFirstLine) {
  wire::Status status = calm();
  status.daemon.well = false;
  status.daemon.not_well = {"web is \033[31mfailed"};
  status.daemon.hold = wire::Hold{};
  status.services.clear();
  EXPECT_EQ(status_text(status, look),
            "NOT WELL: web is ?[31mfailed\n"
            "HELD until released: no interventions\n"
            "main 0.1.0, pid 4242, up 2d 4h, /etc/plimsoll/plimsoll.toml\n"
            "no services\n");
}

TEST_F(Rendering, WhatIsNotWellIsRedOnATerminal) {
  wire::Status status = calm();
  status.daemon.well = false;
  status.daemon.not_well = {"web is failed"};
  status.services[0].engines[0].state = "lost";
  look.colour = true;
  const std::string text = status_text(status, look);
  EXPECT_TRUE(text.starts_with("\033[1;31mNOT WELL: web is failed\033[0m\n")) << text;
  EXPECT_NE(text.find("\033[1;31mlost\033[0m"), text.npos);
  EXPECT_NE(text.find("\033[32mready\033[0m"), text.npos);
}

TEST_F(Rendering, ATreeShowsEachProcessUnderItsParent) {
  wire::ServiceDetail detail;
  detail.service = calm().services[0];
  detail.processes = {{4700, 1, "sh", "wrapper", "", "running", 2 * mib, 7'384},
                      {4701, 4700, "gunicorn", "app", "", "running", 50 * mib, 7'383},
                      {4705, 4701, "gunicorn", "worker", "", "running", 80 * mib, 7'380},
                      {4711, 4705, "query-engine", "engine", "prisma", "running", 212 * mib, 3'723},
                      {4706, 4701, "gunicorn", "worker", "", "stopped", 81 * mib, 7'380},
                      {4712, 4706, "query-engine", "engine", "prisma", "zombie", 0, 3'722},
                      {4900, 4800, "bad\033name", "process", "", "running", 1 * mib, 2}};
  EXPECT_EQ(tree_text(detail, look),
            "web: ready, 600 MiB in 7 processes\n"
            "  PROCESS                     ROLE           STATE    RSS      AGE\n"
            "  4700 sh                     wrapper                 2 MiB    2h 3m\n"
            "  └─ 4701 gunicorn            app                     50 MiB   2h 3m\n"
            "     ├─ 4705 gunicorn         worker                  80 MiB   2h 3m\n"
            "     │  └─ 4711 query-engine  engine prisma           212 MiB  1h 2m\n"
            "     └─ 4706 gunicorn         worker         stopped  81 MiB   2h 3m\n"
            "        └─ 4712 query-engine  engine prisma  zombie   0 B      1h 2m\n"
            "  4900 bad?name               process                 1 MiB    2.0s\n");
}

TEST_F(Rendering, ATreeDrawsEachProcessOnceWhateverItsParentsSay) {
  wire::ServiceDetail detail;
  detail.service.name = "odd";
  detail.service.state = "ready";
  detail.processes = {{1, 2, "a", "process", "", "running", 0, 0},
                      {2, 1, "b", "process", "", "running", 0, 0},
                      {3, 3, "c", "process", "", "running", 0, 0},
                      {3, 1, "d", "process", "", "running", 0, 0}};
  const std::string text = tree_text(detail, look);
  for (const char* name : {"1 a", "2 b", "3 c", "3 d"}) {
    const std::size_t first = text.find(name);
    EXPECT_NE(first, text.npos) << name << " in\n" << text;
    EXPECT_EQ(text.find(name, first + 1), text.npos) << name;
  }
  detail.processes.clear();
  EXPECT_EQ(tree_text(detail, look), "odd: ready\n  no processes\n");
}

TEST_F(Rendering, WhyTellsEachInterventionFromItsCauseToItsEnd) {
  wire::Intervention first = wire::sample_intervention();
  first.would = false;
  first.rss_before_bytes = 412 * mib;
  first.peak_bytes = 430 * mib;
  first.rss_after_bytes = 112 * mib;
  first.freed_bytes = 300 * mib;
  wire::Intervention second;
  second.id = 6;
  second.at = "2026-11-21T05:59:30.000Z";
  second.service = "web";
  second.cause = "hard";
  second.why = "rss 812 MiB past the hard line 800 MiB";
  second.would = true;
  second.rungs = {{"end", "", second.at, 2.5, ""}};
  second.seconds = 30;
  EXPECT_EQ(why_text({first, second}, 5, look),
            "2026-11-21 05:59:30 UTC (30s ago)  web: hard line\n"
            "  withheld: this is what would have been done\n"
            "  why: rss 812 MiB past the hard line 800 MiB\n"
            "  1.  end  being tried  2.5s\n"
            "  end: goes on, 30s so far\n"
            "\n"
            "2026-11-21 05:57:46 UTC (2m 14s ago)  web/prisma: soft line, pid 4711 of 4705\n"
            "  why: rss 412 MiB at or above the soft line 400 MiB for 30 s\n"
            "  1.  hook:reconnect  timed_out  15s   no answer within 15 s\n"
            "  2.  worker          worked     4.2s  the worker ended and was replaced\n"
            "  freed 300 MiB: rss 412 MiB, peak 430 MiB, afterwards 112 MiB\n"
            "  successor 4790, 1.5s without an engine\n"
            "  end: worked after 19s\n");
}

TEST_F(Rendering, WhyShowsTheNewestAndSaysHowManyMoreThereAre) {
  std::vector<wire::Intervention> ledger(3);
  for (std::size_t i = 0; i < 3; ++i) ledger[i].why = "cause " + std::to_string(i);
  const std::string text = why_text(ledger, 1, look);
  EXPECT_NE(text.find("cause 2"), text.npos);
  EXPECT_EQ(text.find("cause 1"), text.npos);
  EXPECT_TRUE(text.ends_with("\n2 older (-n COUNT shows more)\n")) << text;
  EXPECT_EQ(why_text({}, 5, look), "no interventions\n");
}

TEST_F(Rendering, AnEventIsALine) {
  wire::Event event = wire::sample_event();
  EXPECT_EQ(event_text(event, look),
            "2026-11-21 05:57:46.250  rung                web/prisma       would: reconnect worked: rss 412 MiB -> 112 "
            "MiB\n");
  event.kind = "engine_disconnected";
  event.rule.clear();
  event.would = false;
  event.service = "a-service-with-a-long-name";
  event.why = "two\nlines";
  EXPECT_EQ(event_text(event, look),
            "2026-11-21 05:57:46.250  engine_disconnected a-service-with-a-long-name two?lines\n");
  event.service.clear();
  EXPECT_EQ(event_text(event, look), "2026-11-21 05:57:46.250  engine_disconnected -                two?lines\n");
}

}  // namespace
}  // namespace plimsoll::ctl

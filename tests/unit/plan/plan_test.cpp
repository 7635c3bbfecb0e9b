#include "config/plan/plan.hpp"

#include <gtest/gtest.h>

namespace plimsoll {
namespace {

TEST(Plan, FindsAServiceByItsName) {
  Plan plan;
  plan.services.resize(2);
  plan.services[0].name = "db";
  plan.services[1].name = "web";
  EXPECT_EQ(find_service(plan, "web"), &plan.services[1]);
  EXPECT_EQ(find_service(plan, "we"), nullptr);
  EXPECT_EQ(find_service(Plan{}, "web"), nullptr);
}

TEST(Plan, SpellsARungAsTheFileDoes) {
  const auto text = [](RungKind kind) { return to_text(Rung{kind, "drain", Duration{90'000}, {}, {}}); };
  EXPECT_EQ(text(RungKind::log), "log");
  EXPECT_EQ(text(RungKind::hook), "hook:drain");
  EXPECT_EQ(text(RungKind::reconnect), "reconnect");
  EXPECT_EQ(text(RungKind::end), "end");
  EXPECT_EQ(text(RungKind::kill), "kill");
  EXPECT_EQ(text(RungKind::worker), "worker");
  EXPECT_EQ(text(RungKind::restart), "restart");
  EXPECT_EQ(text(RungKind::wait), "wait:1m30s");
}

TEST(Plan, ComparesCyclesByTheRulesOfTheirZones) {
  Cycle a;
  a.zone = std::make_shared<const ZoneRules>();
  Cycle b = a;
  b.zone = std::make_shared<const ZoneRules>();
  EXPECT_EQ(a, b);
  b.zone = std::make_shared<const ZoneRules>(ZoneRules{"UTC", std::chrono::seconds{60}, {}});
  EXPECT_FALSE(a == b);
}

}  // namespace
}  // namespace plimsoll

// What is said of a reload before, and that it is what happens.
#include "daemon/core/changes.hpp"

#include <functional>

#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

TEST(Change, RestartsForCommandAndWhatIsFoundAroundIt) {
  const Service before = bare();
  for (const auto& change : std::vector<std::function<void(Service&)>>{
           [](Service& s) { s.command.push_back("x"); }, [](Service& s) { s.working_directory = "/tmp"; },
           [](Service& s) { s.environment.edit()["A"] = "1"; }, [](Service& s) { s.surroundings.edit().user = "www"; },
           [](Service& s) { s.surroundings.edit().umask = 027; }}) {
    Service after = before;
    change(after);
    EXPECT_TRUE(needs_restart(before, after));
  }
  Service after = before;
  after.heal = 1s;
  EXPECT_FALSE(needs_restart(before, after));
}

TEST(Change, OfKeepAlivesRestartsAsTheRunWasToldOfThem) {
  Service asked = bare();
  asked.live = Liveness{TcpProbe{"localhost", "80"}};
  Service told = bare();
  told.live = Liveness{NotifyProbe{}};
  EXPECT_TRUE(needs_restart(asked, told));
  EXPECT_FALSE(needs_restart(told, asked));
  Service sooner = told;
  sooner.live->timeout = 1s;
  EXPECT_TRUE(needs_restart(told, sooner));
}

std::vector<std::string> sentences(const History& h, const Plan& next) {
  std::vector<std::string> all;
  for (const ServiceChange& change : changes(h.world, next)) all.push_back(to_sentence(change));
  return all;
}

HISTORY(Change, IsSaidOfEachServiceAndIsWhatHappens) {
  Service commanded = bare("commanded");
  Service limited = bare("limited");
  h.begin(plan_of({bare("as-it-was"), commanded, bare("gone"), limited}));
  h.at(5s);
  commanded.command = {"/bin/other"};
  limited.memory.soft = Bytes{1};
  limited.stop.grace = 1s;
  const Plan next = plan_of({bare("as-it-was"), commanded, limited, bare("new")});
  EXPECT_EQ(sentences(h, next), (std::vector<std::string>{"as-it-was is untouched", "commanded is restarted (command)",
                                                          "gone is stopped, it left the plan",
                                                          "limited takes it live (stop, memory)", "new is started"}));
  EXPECT_EQ(h.run("commanded"), 1u) << "nothing has happened yet";
  h.reloads(next);
  h.after(5s);
  EXPECT_EQ(h.run("as-it-was"), 1u);
  EXPECT_EQ(h.run("commanded"), 2u);
  EXPECT_EQ(h.run("limited"), 1u);
  EXPECT_EQ(h.run("new"), 1u);
  EXPECT_FALSE(h.world.services.contains("gone"));
  EXPECT_EQ(sentences(h, next), (std::vector<std::string>{"as-it-was is untouched", "commanded is untouched",
                                                          "limited is untouched", "new is untouched"}));
}

HISTORY(Change, OfWhatAnOperatorStoppedWaitsForItsNextStart) {
  Service service = bare();
  h.begin(service);
  h.at(5s);
  h.asks(CommandAct::stop);
  h.after(5s);
  service.command = {"/bin/other"};
  EXPECT_EQ(sentences(h, plan_of({service})), std::vector<std::string>{"app has it from its next start on (command)"});
  h.reloads(service);
  h.after(5s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

HISTORY(Change, OfATaskThatIsDoneDoesItNotAgain) {
  Service task = bare("migrate");
  task.kind = ServiceKind::task;
  h.begin(task);
  h.at(1s);
  h.dies(h.main("migrate"), exited(0));
  h.after(5s);
  task.command = {"/bin/other"};
  EXPECT_EQ(sentences(h, plan_of({task})), std::vector<std::string>{"migrate has it from its next start on (command)"});
  h.reloads(plan_of({task}));
  h.after(5s);
  EXPECT_EQ(h.run("migrate"), 1u);
  EXPECT_EQ(h.state("migrate"), ServiceState::ready);
}

/// A key that is in the plan and not in the comparison would be "untouched" in what is said, and yet applied.
TEST(Change, OfEveryKeyOfAServiceIsSeen) {
  const std::vector<std::function<void(Service&)>> all{
      [](Service& s) { s.kind = ServiceKind::task; },
      [](Service& s) { s.required = {"x"}; },
      [](Service& s) { s.after = {"x"}; },
      [](Service& s) { s.engine_of = "x"; },
      [](Service& s) { s.restarts_with_app = true; },
      [](Service& s) { s.time_limit = 1s; },
      [](Service& s) { s.ready = Readiness{DelayProbe{}}; },
      [](Service& s) { s.live = Liveness{TcpProbe{}}; },
      [](Service& s) { s.success = {3}; },
      [](Service& s) { s.restart = RestartPolicy::never; },
      [](Service& s) { s.backoff.factor = 3; },
      [](Service& s) {
        s.give_up = GiveUp{1, 1s};
      },
      [](Service& s) { s.essential = true; },
      [](Service& s) { s.stop.signal = 2; },
      [](Service& s) { s.memory.slack = Bytes{1}; },
      [](Service& s) { s.container = ContainerLines{}; },
      [](Service& s) { s.on_soft = {rung(RungKind::kill)}; },
      [](Service& s) { s.on_hard = {rung(RungKind::end)}; },
      [](Service& s) { s.on_hung = {rung(RungKind::end)}; },
      [](Service& s) { s.budget.acts = 99; },
      [](Service& s) { s.cool_down = 1s; },
      [](Service& s) { s.heal = 1s; },
      [](Service& s) { s.leftovers = LeftoverPolicy::end; },
      [](Service& s) {
        s.hooks["x"] = Hook{"x", SignalHook{10}};
      },
      [](Service& s) { s.engines.push_back(EngineRule{"x"}); },
      [](Service& s) {
        s.cycles.push_back(Cycle{CycleAct::restart, Duration{1s}, std::make_shared<const ZoneRules>(), {}, {}, {}});
      }};
  for (std::size_t i = 0; i < all.size(); ++i) {
    History h;
    h.begin(bare());
    Service after = h.world.plan->services.front();
    all[i](after);
    ASSERT_NE(after, h.world.plan->services.front()) << i;
    const auto said = changes(h.world, plan_of({after}));
    ASSERT_EQ(said.size(), 1u);
    EXPECT_EQ(said[0].keys.size(), 1u) << i;
    EXPECT_NE(said[0].change, Change::untouched) << i;
  }
}

}  // namespace
}  // namespace plimsoll::core

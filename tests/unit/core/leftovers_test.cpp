// What an earlier daemon left behind: it is waited for, ended where the plan says so, or left by an operator's word.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

HISTORY(Leftovers, ThatCannotBeLookedForAreNotTakenForNone) {
  h.leftovers_readable = false;
  h.begin(bare());
  h.at(20s);
  EXPECT_EQ(h.state(), ServiceState::starting);
  EXPECT_EQ(h.run(), 0u);
  h.leftovers_readable = true;
  h.at(21s);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Leftovers, AreHeldAgainstTheStartUntilTheyAreGone) {
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.begin(bare());
  h.at(20s);
  EXPECT_EQ(h.state(), ServiceState::starting);
  EXPECT_TRUE(h.says("77 (gunicorn, of daemon 55)"));
  EXPECT_EQ(h.count(EventKind::service_state), 2u) << "named once";
  h.leftovers.clear();
  h.after(600ms);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_FALSE(h.holds([](const Effect& effect) { return std::holds_alternative<SignalLeftover>(effect); }));
}

HISTORY(Leftovers, AreLeftByAForcedStart) {
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.begin(bare());
  const CommandId start = h.asks(CommandAct::start, "app", [](CommandGiven& c) { c.force = true; });
  h.at(1s);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.status(start), 200);
}

HISTORY(Leftovers, ThatAForcedStartHasLeftDoNotKeepTheNextRunWaiting) {
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  Service service = bare();
  service.ready = Readiness{DelayProbe{3s}, 1s, 10s, false};
  h.begin(service);
  h.at(1s);
  const CommandId start = h.asks(CommandAct::start, "app", [](CommandGiven& c) { c.force = true; });
  h.at(2s);
  EXPECT_EQ(h.status(start), 0) << "it starts, and is not ready yet";
  h.at(10s);
  EXPECT_EQ(h.status(start), 200);
  h.killed(h.main());
  h.at(60s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.state(), ServiceState::ready);
}

HISTORY(Leftovers, AreEndedWhereThePlanSaysSo) {
  Service service = bare();
  service.leftovers = LeftoverPolicy::end;
  service.stop = {SIGINT, 5s};
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.leftovers_ignore = true;
  h.begin(service);
  h.at(20s);
  std::vector<int> sent;
  for (const Effect& effect : h.effects) {
    if (const auto* send = std::get_if<SignalLeftover>(&effect)) sent.push_back(send->signal);
  }
  EXPECT_EQ(sent, (std::vector<int>{SIGINT, SIGKILL}));
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"leftover worked"});
}

HISTORY(Leftovers, DoNotMakeTheDaemonSpinWhileARequirementIsDown) {
  Service web = bare("web");
  web.required = {"db"};
  h.begin(plan_of({bare("db"), web}));
  h.at(1s);
  h.asks(CommandAct::stop, "db");
  h.leftovers = {{{77, 1}, "gunicorn", 4, 55}};
  h.at(60s);
  EXPECT_EQ(h.state("web"), ServiceState::stopped);
}

}  // namespace
}  // namespace plimsoll::core

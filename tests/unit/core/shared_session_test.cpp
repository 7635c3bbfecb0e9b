// Services that share the daemon's own session: it says of nobody whose process it is.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

/// Two services with `session = "group"`: all their processes stand in the daemon's own session.
constexpr int daemons_session = 7;

ProcessId escapes_unseen(History& h, const std::string& service, int session = daemons_session) {
  h.kernel.find(h.main("first"))->session = session;
  h.kernel.find(h.main("second"))->session = session;
  h.looks();
  const ProcessId between = h.forks(h.main(service), {"/bin/sh"});
  const ProcessId escaped = h.forks(between, {"/usr/bin/python3", "left"});
  h.kernel.end(between, exited(0));
  h.looks();
  return escaped;
}

HISTORY(SharedSession, SaysOfNobodyWhoseProcessItIs) {
  h.kernel.run_tag = false;
  Machine machine;
  machine.session = daemons_session;
  h.begin(plan_of({bare("first"), bare("second")}), machine);
  const ProcessId escaped = escapes_unseen(h, "second");
  h.asks(CommandAct::stop, "first");
  h.at(60s);
  EXPECT_TRUE(h.kernel.alive(escaped)) << "it may be the other one's";
}

HISTORY(SharedSession, LeavesItToTheMarkOfTheRun) {
  Machine machine;
  machine.session = daemons_session;
  h.begin(plan_of({bare("first"), bare("second")}), machine);
  h.kernel.tag(h.main("second"), "second", 1);
  const ProcessId escaped = escapes_unseen(h, "second");
  EXPECT_EQ(find_process(h.world, escaped)->service, "second");
}

/// In a pid namespace whose session leader is outside, the session has no number: what stands in it says as little.
HISTORY(SharedSession, OfALeaderOutsideOfOurNamespaceSaysOfNobodyEither) {
  h.kernel.run_tag = false;
  Machine machine;
  machine.session = 0;
  h.begin(plan_of({bare("first"), bare("second")}), machine);
  const ProcessId escaped = escapes_unseen(h, "second", 0);
  EXPECT_EQ(find_process(h.world, escaped)->service, "") << "first stands in it, too";
}

}  // namespace
}  // namespace plimsoll::core

// Starts that fail again and again: what is tried again whatever the policy says, and how often it is said.
#include "daemon/core/refusal.hpp"

#include <cerrno>

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

SpawnFailed no_such_file() {
  return {"", 0, ENOENT, "exec", "No such file or directory"};
}

SpawnFailed out_of_processes() {
  return {"", 0, EAGAIN, "clone", "Resource temporarily unavailable"};
}

HISTORY(Refused, IsSaidOnceHoweverOftenItIsTried) {
  h.spawn_fails = no_such_file();
  h.begin(bare());
  h.at(9min);
  EXPECT_GT(h.run(), 10u);
  EXPECT_EQ(h.saying("cannot start"), 1u);
  EXPECT_EQ(h.saying("starts again in"), 1u);
  h.spawn_fails = out_of_processes();
  h.at(11min);
  EXPECT_EQ(h.saying("cannot start"), 2u) << "another reason is news";
  h.at(19min);
  EXPECT_EQ(h.saying("cannot start"), 2u);
  h.at(23min);
  EXPECT_EQ(h.saying("cannot start"), 3u) << "after ten minutes it is said again";
  h.spawn_fails.reset();
  h.at(25min);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.saying("can be started again, after"), 1u);
}

HISTORY(Refused, AtTheFirstTryOnlyNeedsNoEnd) {
  h.spawn_fails = out_of_processes();
  h.begin(bare());
  h.spawn_fails.reset();
  h.at(3s);
  EXPECT_EQ(h.state(), ServiceState::ready);
  EXPECT_EQ(h.saying("can be started again"), 0u);
}

HISTORY(Refused, AnewByAnOperatorIsSaidToHim) {
  h.spawn_fails = no_such_file();
  h.begin(bare());
  h.at(30s);
  h.asks(CommandAct::start);
  h.at(31s);
  EXPECT_EQ(h.saying("cannot start"), 2u);
}

HISTORY(Refused, ForWantOfSomethingIsTriedAgainWhateverThePolicySays) {
  Service never = bare("never");
  never.restart = RestartPolicy::never;
  Service few = bare("few");
  few.give_up = GiveUp{1, 10min};
  few.essential = true;
  Service task = bare("task");
  task.kind = ServiceKind::task;
  task.restart = RestartPolicy::never;
  h.spawn_fails = out_of_processes();
  h.begin(plan_of({never, few, task}));
  h.at(5min);
  for (const char* name : {"never", "few", "task"}) EXPECT_EQ(h.state(name), ServiceState::backoff) << name;
  h.spawn_fails.reset();
  h.at(7min);
  EXPECT_EQ(h.state("never"), ServiceState::ready);
  EXPECT_EQ(h.state("few"), ServiceState::ready);
  EXPECT_EQ(h.state("task"), ServiceState::starting) << "at work";
  EXPECT_EQ(h.quit, std::nullopt);
}

HISTORY(Refused, ByTheFileItselfGoesByThePolicy) {
  Service few = bare();
  few.give_up = GiveUp{1, 10min};
  h.spawn_fails = SpawnFailed{"", 0, EACCES, "exec", "Permission denied"};
  h.begin(few);
  h.at(1min);
  EXPECT_EQ(h.state(), ServiceState::failed);
  EXPECT_EQ(h.saying("cannot start: exec: Permission denied"), 2u) << "the last word is said, too";
}

HISTORY(Refused, ThatIsStoppedRests) {
  h.spawn_fails = out_of_processes();
  h.begin(bare());
  h.at(30s);
  h.asks(CommandAct::stop);
  h.at(5min);
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

}  // namespace
}  // namespace plimsoll::core

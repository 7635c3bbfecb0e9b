// Liveness: who is asked when, what makes one hung, and what its ladder does about it.
#include "daemon/core/liveness.hpp"

#include "tests/unit/core/stories.hpp"

namespace plimsoll::core {
namespace {

Liveness every_10s() {
  Liveness live;
  live.how = TcpProbe{"127.0.0.1", "8000"};
  return live;
}

Service asked() {
  Service service = bare();
  service.live = every_10s();
  service.on_hung = {rung(RungKind::restart)};
  return service;
}

/// Every question is answered at once, by what `passes` says at that instant.
void answers(History& h, std::function<bool()> passes) {
  h.on_probe = [&h, passes = std::move(passes)](const AskProbe& question) { h.answers_probe(question.id, passes()); };
}

HISTORY(Liveness, IsAskedOnlyAfterReady) {
  Service service = asked();
  service.ready = Readiness{DelayProbe{30s}, 1s, 60s, false};
  answers(h, [] { return true; });
  h.begin(service);
  h.at(39s);
  EXPECT_EQ(h.questions, 0);
  h.at(61s);
  EXPECT_EQ(h.questions, 3);
}

HISTORY(Liveness, OfAnEngineWhoseWorkerHasJustEndedBeginsNoLadder) {
  Service service = app();
  service.engines[0].live = every_10s();
  service.engines[0].live->failures = 1;
  service.engines[0].on_hung = {rung(RungKind::kill)};
  ProbeId asked = 0;
  h.on_probe = [&asked](const AskProbe& question) { asked = question.id; };
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  h.starts_engine(worker);
  h.at(12s);
  World world = h.world;
  Now now = h.now();
  now.steady += 1s;
  step(world, ProcessEnded{worker, by_signal(SIGKILL), false}, now);
  step(world, ProbeAnswered{asked, false, "refused"}, now);
  EXPECT_TRUE(world.ledger.empty()) << "the look that follows finds an orphan";
  EXPECT_GT(next_deadline(world), now.steady) << "and nothing spins until then";
}

HISTORY(Liveness, ThatFailsThriceMakesItHungAndRestartsIt) {
  answers(h, [&h] { return h.elapsed() < 25s || h.run() > 1; });
  h.begin(asked());
  h.at(49s);
  EXPECT_EQ(h.run(), 1u) << "two failures are not three";
  EXPECT_TRUE(h.well());
  h.at(60s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.outcomes(), Outcomes{"restart worked"});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hung worked"});
  h.at(200s);
  EXPECT_TRUE(h.well());
}

HISTORY(Liveness, ThatCannotBeAskedConcludesNothingAndIsSaidOnce) {
  h.on_probe = [&h](const AskProbe& question) { h.cannot_ask(question.id); };
  h.begin(asked());
  h.at(9min);
  EXPECT_EQ(h.run(), 1u) << "it may be as well as ever";
  EXPECT_TRUE(h.well());
  EXPECT_EQ(h.saying("cannot be asked whether it is well: Too many open files"), 1u);
  answers(h, [] { return false; });
  h.at(10min);
  EXPECT_EQ(h.run(), 2u) << "three that were asked and failed";
}

HISTORY(Liveness, FailuresInARowGoOnPastAQuestionThatCouldNotBePut) {
  int count = 0;
  h.on_probe = [&h, &count](const AskProbe& question) {
    if (++count == 2) return h.cannot_ask(question.id);
    h.answers_probe(question.id, h.run() > 1);
  };
  h.begin(asked());
  h.at(39s);
  EXPECT_EQ(h.run(), 1u);
  h.at(45s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Liveness, OneSuccessStartsTheFailuresAnew) {
  int asked_so_far = 0;
  answers(h, [&asked_so_far] { return ++asked_so_far % 3 == 0; });
  h.begin(asked());
  h.at(300s);
  EXPECT_EQ(h.run(), 1u);
}

HISTORY(Liveness, RestsWhileItStops) {
  answers(h, [] { return true; });
  h.begin(asked());
  h.at(15s);
  h.ignores_signals(h.main());
  h.asks(CommandAct::stop);
  const int before = h.questions;
  h.at(40s);
  EXPECT_EQ(h.questions, before);
}

HISTORY(Liveness, WithoutAnAnswerOfTheEdgeFailsToo) {
  h.begin(asked());
  h.at(70s);
  EXPECT_GE(h.run(), 2u);
}

HISTORY(Liveness, OfAHookThatHelpedEndsTheLadder) {
  Service service = asked();
  service.hooks["poke"] = signal_hook("poke", HookTarget::service);
  service.on_hung = {hook_rung("poke"), rung(RungKind::restart)};
  bool poked = false;
  answers(h, [&] { return poked || h.elapsed() < 15s; });
  h.on_hook = [&](const CallHook& call) {
    poked = true;
    h.answers(call.id, HookResult::done);
  };
  h.begin(service);
  h.at(100s);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_EQ(h.outcomes(), Outcomes{"hook:poke worked"});
  EXPECT_TRUE(h.well());
}

HISTORY(Liveness, OfAHookThatDidNotHelpGoesOn) {
  Service service = asked();
  service.hooks["poke"] = signal_hook("poke", HookTarget::service);
  service.on_hung = {hook_rung("poke"), rung(RungKind::restart)};
  answers(h, [&h] { return h.elapsed() < 15s || h.run() > 1; });
  h.on_hook = [&h](const CallHook& call) { h.answers(call.id, HookResult::done); };
  h.begin(service);
  h.at(200s);
  EXPECT_EQ(h.run(), 2u);
  EXPECT_EQ(h.outcomes(), (Outcomes{"hook:poke timed_out", "restart worked"}));
}

HISTORY(Liveness, IsOnlySaidInObserve) {
  Plan plan = plan_of_one(asked());
  plan.daemon.mode = Mode::observe;
  answers(h, [] { return false; });
  h.begin(plan);
  h.at(100s);
  EXPECT_EQ(h.run(), 1u);
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hung would"});
  EXPECT_FALSE(h.well());
}

// --- Engines

Service with_asked_engine() {
  Service service = app();
  service.engines[0].live = every_10s();
  service.engines[0].on_hung = {rung(RungKind::kill)};
  return service;
}

HISTORY(HungEngine, IsKilledAndItsWorkerLives) {
  answers(h, [&h] { return h.elapsed() < 35s; });
  heals_itself(h);
  const auto [worker, engine] = old_worker_with_engine(h, with_asked_engine());
  h.at(50s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.at(70s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{});
  EXPECT_EQ(h.outcomes(), Outcomes{"kill worked"});
  EXPECT_EQ(h.count(EventKind::engine_hung, engine), 1u);
}

HISTORY(HungEngine, ThatAnswersAgainBeforeItsTurnIsLeft) {
  Service service = with_asked_engine();
  service.engines[0].on_hung = {wait_rung(60s), rung(RungKind::kill)};
  answers(h, [&h] { return h.elapsed() < 35s || h.elapsed() > 80s; });
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.at(70s);
  EXPECT_EQ(h.engine(engine), EngineState::hung);
  EXPECT_FALSE(h.well());
  h.at(200s);
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  EXPECT_EQ(h.ledger(), std::vector<std::string>{"hung subsided"});
}

HISTORY(HungEngine, IsOneThatHasBeenStoppedForHalfAMinute) {
  Service service = app();
  service.engines[0].on_hung = {rung(RungKind::kill)};
  heals_itself(h);
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.kernel.find(engine)->state = 'T';
  h.at(39s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
  h.at(42s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGKILL});
  EXPECT_EQ(h.signals_to(worker), std::vector<int>{});
}

HISTORY(HungEngine, IsNotOneThatIsTracedOrContinuedInTime) {
  const auto [worker, engine] = old_worker_with_engine(h);
  h.kernel.find(engine)->state = 't';
  h.at(60s);
  h.kernel.find(engine)->state = 'T';
  h.at(80s);
  h.kernel.find(engine)->state = 'S';
  h.at(85s);
  h.kernel.find(engine)->state = 'T';
  h.at(110s);
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{});
}

HISTORY(HungEngine, WhoseWorkerDiesIsAnOrphanLikeAnyOther) {
  answers(h, [] { return false; });
  Service service = with_asked_engine();
  service.engines[0].on_hung = {wait_rung(600s)};
  const auto [worker, engine] = old_worker_with_engine(h, service);
  h.at(60s);
  EXPECT_EQ(h.engine(engine), EngineState::hung);
  h.killed(worker);
  h.after(1s);
  EXPECT_FALSE(h.alive(engine));
}

}  // namespace
}  // namespace plimsoll::core

// Lines of forks and ends: what forks, ends, and leaves the next one to do the same. Such a line is as long as its
// program likes, so its links may not be kept; whose its last one is may not change by that.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

/// One fork and one end after the other, each told by the connector; the process that is left.
ProcessId hops(History& h, ProcessId from, int times) {
  for (int i = 0; i < times; ++i) {
    const ProcessId next = h.forks(from, {"/usr/local/bin/hopper"});
    h.happens(h.kernel.told_of(next, from, h.now().steady));
    h.dies(from, exited(0));
    from = next;
    if (i % 50 == 0) h.after(10ms);
  }
  return from;
}

HISTORY(Line, OfAThousandForksAndEndsIsNotRememberedLinkByLink) {
  h.begin(app());
  const ProcessId first = h.starts(h.main(), {"/usr/local/bin/hopper"});
  h.after(2s);
  const ProcessId last = hops(h, first, 1'000);
  h.after(1s);
  EXPECT_LT(h.world.processes.size(), 10u);
  EXPECT_TRUE(find_process(h.world, last) != nullptr && descends_from(h.world, *find_process(h.world, last), h.main()));
  h.asks(CommandAct::stop);
  h.after(30s);
  EXPECT_FALSE(h.alive(last));
}

HISTORY(Line, EndsWithAnEngineThatIsItsLastOwnersAndDiesWithIt) {
  h.begin(app());
  const ProcessId worker = hops(h, h.starts(h.main(), {"/usr/local/bin/hopper"}), 200);
  h.after(5s);
  const ProcessId engine = h.starts_engine(worker);
  h.after(5s);
  EXPECT_EQ(h.owner(engine), worker);
  h.killed(worker);
  h.after(5s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Line, KeepsALinkThatAnEngineIsOwnedBy) {
  h.begin(app());
  const ProcessId worker = hops(h, h.starts(h.main(), {"/usr/local/bin/hopper"}), 50);
  const ProcessId engine = h.starts_engine(worker);
  h.ignores_signals(engine);
  h.after(2s);
  const ProcessId last = hops(h, worker, 1);
  EXPECT_EQ(h.owner(engine), worker);
  hops(h, last, 50);
  h.looks();
  EXPECT_EQ(h.owner(engine), worker) << "it lives on until its grace is over, and whose it was is known";
  h.after(30s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Line, OfSessionsOfTheirOwnIsNotRememberedEither) {
  h.begin(app());
  ProcessId last = h.starts(h.main(), {"/usr/local/bin/hopper"});
  for (int i = 0; i < 200; ++i) {
    const ProcessId from = last;
    last = h.forks(from, {"/usr/local/bin/hopper"});
    h.kernel.find(last)->session = last.pid;
    h.happens(h.kernel.told_of(last, from, h.now().steady));
    h.dies(from, exited(0));
  }
  h.after(1s);
  EXPECT_LT(h.world.processes.size(), 10u);
}

/// The engine's owner stands above a shell that has ended, and what the owner's other child has left is connected.
HISTORY(Line, ThroughTheDeadOwnerStillEndsAtIt) {
  Service service = app();
  service.engines[0].stop = {SIGTERM, 5s, {}, {}};
  h.begin(service);
  const ProcessId owner = h.starts_worker(h.main());
  const ProcessId shell = h.starts(owner, {"/bin/sh", "-c", "engine"});
  const ProcessId engine = h.starts_engine(shell);
  const ProcessId helper = h.starts(owner, {"/usr/bin/python3", "helper.py"});
  const ProcessId second = h.starts(helper, {"/usr/bin/python3", "helper.py"});
  const ProcessId pool = h.starts(second, {"/usr/bin/python3", "pool.py"});
  h.after(3s);
  h.dies(shell, exited(0));
  h.dies(helper, exited(0));
  h.dies(second, exited(0));
  h.after(3s);
  ASSERT_EQ(h.owner(engine), owner);
  h.ignores_signals(engine);
  h.connections[engine] = pool;
  h.killed(owner);
  h.after(20s);
  EXPECT_FALSE(h.alive(engine)) << "the owner's own descendants are no evidence that another one uses it";
}

HISTORY(Line, BelowAnEngineThatHasEndedIsNobodysEngine) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.after(5s);
  const ProcessId last = hops(h, h.starts(engine, {"/usr/local/bin/hopper"}), 20);
  h.starts_engine(worker);
  h.after(2s);
  h.dies(engine, exited(0));
  h.after(2s);
  const ProcessId next = hops(h, last, 20);
  h.after(2s);
  const ProcessId another = h.starts_engine(next);
  h.after(5s);
  EXPECT_EQ(h.engine(another), std::nullopt);
}

HISTORY(Line, BelowAnEngineStaysBelowIt) {
  h.begin(app());
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.after(5s);
  const ProcessId last = hops(h, h.starts(engine, {"/usr/local/bin/hopper"}), 100);
  h.after(1s);
  const ProcessId another = h.starts_engine(last);
  h.after(5s);
  EXPECT_EQ(h.engine(engine), EngineState::live);
  EXPECT_EQ(h.engine(another), std::nullopt) << "what an engine starts is a part of it";
}

HISTORY(Line, OfALauncherInAnotherSessionLeavesItsEngineToTheService) {
  h.kernel.exit_info = false;
  h.begin(app());
  h.kernel.find(h.main())->subreaper = true;
  const ProcessId above = hops(h, h.starts(h.main(), {"/usr/local/bin/hopper"}), 20);
  const ProcessId launcher = h.forks(above, {"/usr/local/bin/hopper"});
  h.kernel.find(launcher)->session = launcher.pid;
  h.happens(h.kernel.told_of(launcher, above, h.now().steady));
  h.after(100ms);
  const ProcessId engine = h.starts_engine(launcher);
  h.dies(launcher, exited(0));
  h.dies(above, exited(0));
  h.after(20s);
  EXPECT_TRUE(h.alive(engine));
  EXPECT_TRUE(h.of_service(engine));
  EXPECT_LT(h.world.processes.size(), 8u);
}

}  // namespace
}  // namespace plimsoll::core

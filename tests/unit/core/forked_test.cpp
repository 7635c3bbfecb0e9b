// Lineage by the kernel's word (the process connector): who forked whom is known, also of those that were dead before
// anybody could look. The rules are those of docs/verdicts.md; here they need no guesses.
#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

const std::vector<std::string> engine_argv{"/srv/query-engine-debian", "-p", "4466"};

/// Forked, and its forker dead, before the daemon turns to either: the death comes first, and then who forked it.
ProcessId forked_by_one_that_dies(History& h, ProcessId worker, Exit exit) {
  const ProcessId engine = h.forks(worker, engine_argv);
  h.kernel.find(engine)->session = engine.pid;
  h.kernel.end(worker, exit);
  h.happens(h.kernel.told_of(engine, worker, h.now().steady));
  return engine;
}

/// A process that was gone when it was looked at, and one that it left behind.
struct LeftBehind {
  bool another_session = false;
  bool nameless = false;
  std::optional<Exit> exit;
};
ProcessId left_by_unseen(History& h, ProcessId forker, const LeftBehind& how, ProcessId& middle) {
  const FakeProcess& above = *h.kernel.find(forker);
  Sighting gone;
  gone.id = middle = {90'000, 77};
  gone.forker = forker;
  gone.unseen = true;
  gone.state = 'X';
  gone.session = above.session;
  if (!how.nameless) gone.command = above.command;
  gone.exit = how.exit;
  const ProcessId engine = h.forks(nobody, engine_argv);
  h.kernel.find(engine)->session = how.another_session ? engine.pid : above.session;
  Looked news = h.kernel.told_of(engine, middle, h.now().steady);
  news.fresh.insert(news.fresh.begin(), gone);
  h.happens(news);
  return engine;
}

HISTORY(Forked, ByAWorkerThatIsDeadBeforeTheFirstLookIsItsOrphanWithASessionOfItsOwnToo) {
  h.kernel.run_tag = false;
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(5s);
  const ProcessId engine = forked_by_one_that_dies(h, worker, by_signal(SIGKILL));
  EXPECT_EQ(h.owner(engine), worker);
  h.after(100ms);
  EXPECT_EQ(h.count(EventKind::engine_orphaned, engine), 1u) << "nothing is in doubt, so nothing is waited for";
  h.after(5s);
  EXPECT_FALSE(h.alive(engine));
  EXPECT_EQ(h.signals_to(engine), std::vector<int>{SIGTERM});
}

HISTORY(Forked, ByTwoWorkersThatDieInOneLookEachIsItsOwn) {
  h.begin(app());
  const ProcessId a = h.starts_worker(h.main());
  const ProcessId b = h.starts_worker(h.main());
  h.at(5s);
  const ProcessId of_a = h.forks(a, engine_argv);
  const ProcessId of_b = h.forks(b, engine_argv);
  h.kernel.end(a, by_signal(SIGKILL));
  h.kernel.end(b, by_signal(SIGKILL));
  Looked news = h.kernel.told_of(of_a, a, h.now().steady);
  const Looked other = h.kernel.told_of(of_b, b, h.now().steady);
  news.fresh.insert(news.fresh.end(), other.fresh.begin(), other.fresh.end());
  h.happens(news);
  EXPECT_EQ(h.owner(of_a), a);
  EXPECT_EQ(h.owner(of_b), b);
}

HISTORY(Forked, BelowAMemberThatAdoptsIsTheForkersAndTheAdopterIsKnown) {
  h.begin(app());
  h.kernel.find(h.main())->subreaper = true;
  const ProcessId worker = h.starts_worker(h.main());
  h.at(5s);
  const ProcessId engine = forked_by_one_that_dies(h, worker, by_signal(SIGKILL));
  EXPECT_EQ(h.owner(engine), worker);
  EXPECT_TRUE(find_process(h.world, h.main())->adopts);
  h.after(14s);
  EXPECT_TRUE(h.alive(engine)) << "rule 4: who took it over may have a reaper of its own";
  h.after(3s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Unseen, WorkerThatWasKilledOwnsWhatItForkedInAnySession) {
  h.begin(app());
  h.at(2s);
  ProcessId worker;
  const ProcessId engine = left_by_unseen(h, h.main(), {true, false, by_signal(SIGKILL)}, worker);
  EXPECT_EQ(h.owner(engine), worker);
  h.after(5s);
  EXPECT_EQ(h.count(EventKind::engine_orphaned, engine), 1u);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Unseen, MiddleOfADoubleForkIsALauncher) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(2s);
  ProcessId middle;
  const ProcessId engine = left_by_unseen(h, worker, {true, false, exited(0)}, middle);
  EXPECT_TRUE(h.of_service(engine));
  h.killed(worker);
  h.after(20s);
  EXPECT_TRUE(h.alive(engine)) << "daemonised on purpose";
}

HISTORY(Unseen, MiddleWithoutAKnownEndIsALauncherByTheSessionOnly) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(2s);
  ProcessId middle;
  EXPECT_TRUE(h.of_service(left_by_unseen(h, worker, {true, false, std::nullopt}, middle)));
  h.after(20s);
  const ProcessId engine = left_by_unseen(h, worker, {false, false, std::nullopt}, middle);
  EXPECT_EQ(h.owner(engine), middle);
}

HISTORY(Unseen, ShellByAllAppearanceIsPassedOver) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(2s);
  ProcessId middle;
  const ProcessId engine = left_by_unseen(h, worker, {false, true, exited(0)}, middle);
  h.after(2s);
  EXPECT_EQ(h.owner(engine), worker) << "sh -c 'query-engine &'";
  EXPECT_EQ(h.engine(engine), EngineState::live);
  h.killed(worker);
  h.after(5s);
  EXPECT_FALSE(h.alive(engine));
}

HISTORY(Unseen, ProgramThatLeftItsEngineInAnotherSessionIsALauncher) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(2s);
  ProcessId middle;
  const ProcessId engine = left_by_unseen(h, worker, {true, true, exited(0)}, middle);
  EXPECT_TRUE(h.of_service(engine));
}

HISTORY(Unseen, IsForgottenWithWhatItForked) {
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  h.at(2s);
  ProcessId middle;
  const ProcessId engine = left_by_unseen(h, worker, {true, false, exited(0)}, middle);
  h.at(10s);
  EXPECT_NE(find_process(h.world, middle), nullptr) << "whose it is is read off it";
  h.dies(engine, exited(0));
  h.at(60s);
  EXPECT_EQ(find_process(h.world, middle), nullptr);
}

HISTORY(News, OfOneProcessSayNothingAboutAllTheOthers) {
  h.begin(app());
  h.at(2s);
  h.kernel.complete = false;
  h.asks(CommandAct::stop);
  h.after(10ms);
  Looked news;
  news.everybody = false;
  h.happens(news);
  EXPECT_EQ(h.state(), ServiceState::stopping) << "only a complete look proves that the tree is empty";
  h.kernel.complete = true;
  h.after(2s);
  EXPECT_EQ(h.state(), ServiceState::stopped);
}

}  // namespace
}  // namespace plimsoll::core

// The census by what the connector tells, and the walk behind it. The processes are real, the kernel's telling is not.
#include <algorithm>

#include "daemon/run/census.hpp"
#include "tests/unit/run/told.hpp"

namespace plimsoll::run {
namespace {

using core::Looked;
using core::ProcessEnded;
using core::Sighting;

int tell_and_wait(const Pipe& pipe) {
  pipe.tell(::getpid());
  wait_for_ever();
}

class CensusNews : public ::testing::Test {
 protected:
  CensusNews()
      : life(*own_life(edge.proc, "test")),
        feed(edge.loop, teller.settings()),
        census(edge.members, edge.proc, edge.sources, life, &feed) {
    feed.start();
    EXPECT_TRUE(feed.works());
  }

  static const Sighting* find(const std::vector<Sighting>& list, pid_t pid) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.id.pid == pid; });
    return found == list.end() ? nullptr : &*found;
  }
  /// A member that forks one child, which tells its pid and waits; then it waits for a signal.
  core::ProcessId add_parent(const Pipe& pipe) {
    return edge.add_child([&] {
      Edge::fork_child([&] { return tell_and_wait(pipe); });
      wait_for_ever();
      return 0;
    });
  }
  void kill(core::ProcessId id) {
    EXPECT_FALSE(edge.members.send_signal(id, SIGKILL));
    edge.wait_for<ProcessEnded>(id, "an end");
  }

  Edge edge;
  Life life;
  Teller teller;
  Feed feed;
  Census census;
};

TEST_F(CensusNews, OfAForkBelowAMemberIsAFirstSightWithItsForker) {
  const Pipe pipe;
  const auto parent = add_parent(pipe);
  const int known = pipe.next();
  census.look();
  const Pipe second;
  // Told again, it is known already.
  teller.tell_fork(parent.pid, known);
  EXPECT_TRUE(census.take_news().fresh.empty());
  const auto other = edge.add_child([&] {
    second.tell(Edge::fork_child([]() -> int { wait_for_ever(); }));
    wait_for_ever();
    return 0;
  });
  const int child = second.next();
  teller.tell_fork(::getpid(), other.pid);
  teller.tell_fork(other.pid, child);
  const Looked looked = census.take_news();
  EXPECT_FALSE(looked.everybody);
  ASSERT_EQ(looked.fresh.size(), 1U);
  EXPECT_EQ(looked.fresh[0].id.pid, child);
  EXPECT_EQ(looked.fresh[0].forker, other);
  EXPECT_EQ(looked.fresh[0].parent, other);
  EXPECT_NE(edge.members.find(looked.fresh[0].id), nullptr);
  EXPECT_TRUE(census.look().fresh.empty()) << "the walk has nothing to add";
}

TEST_F(CensusNews, OfAForkThatIsTakenForOursAndWasNotAskForALook) {
  const auto member = edge.add_child([]() -> int { wait_for_ever(); });
  census.look();  // from which on there are news
  census.look();
  teller.tell_fork(::getpid(), member.pid);
  census.take_news();
  EXPECT_FALSE(census.must_look()) << "it is ours, and recorded";
  EXPECT_TRUE(census.all_our_own_known());
  // As a member's sister would be told of, by CLONE_PARENT.
  const pid_t sister = Edge::fork_child([]() -> int { wait_for_ever(); });
  teller.tell_fork(::getpid(), sister);
  census.take_news();
  EXPECT_TRUE(census.must_look());
  EXPECT_FALSE(census.all_our_own_known()) << "before she has been looked for, whoever is in the list";
  const Looked looked = census.look();
  ASSERT_NE(find(looked.fresh, sister), nullptr);
  EXPECT_FALSE(census.must_look());
  EXPECT_TRUE(census.all_our_own_known());
}

TEST_F(CensusNews, OfAForkWhoseParentIsDeadByNowNameThatParent) {
  const Pipe pipe;
  const auto parent = add_parent(pipe);
  teller.tell_fork(::getpid(), parent.pid);
  const int child = pipe.next();
  teller.tell_fork(parent.pid, child);
  kill(parent);
  const Looked looked = census.look();
  const Sighting* sighting = find(looked.fresh, child);
  ASSERT_NE(sighting, nullptr);
  EXPECT_EQ(sighting->forker, parent);
  EXPECT_TRUE(sighting->ourselves) << "who has it now";
  EXPECT_TRUE(looked.everybody);
}

TEST_F(CensusNews, ThatNameForkersInTheMiddleTellOfThemThoughTheyAreGone) {
  const Pipe pipe;
  const auto worker = edge.add_child([&] {
    const pid_t middle = Edge::fork_child([&] {
      Edge::fork_child([&] { return tell_and_wait(pipe); });
      return 3;
    });
    ::waitpid(middle, nullptr, 0);
    pipe.tell(-middle);
    wait_for_ever();
    return 0;
  });
  const int one = pipe.next();
  const int other = pipe.next();
  const int engine = std::max(one, other);
  const int middle = -std::min(one, other);
  teller.tell_fork(::getpid(), worker.pid);
  teller.tell_fork(worker.pid, middle);
  teller.tell_fork(middle, engine);
  teller.tell_exit(middle, 3 << 8);
  const Looked looked = census.look();
  ASSERT_EQ(looked.fresh.size(), 2U);
  EXPECT_EQ(looked.fresh[0].id.pid, middle);
  EXPECT_TRUE(looked.fresh[0].unseen);
  EXPECT_EQ(looked.fresh[0].forker, worker);
  ASSERT_TRUE(looked.fresh[0].exit);
  EXPECT_EQ(looked.fresh[0].exit->code, 3);
  EXPECT_EQ(looked.fresh[1].id.pid, engine);
  EXPECT_EQ(looked.fresh[1].forker, looked.fresh[0].id);
  EXPECT_FALSE(looked.fresh[1].unseen);
}

TEST_F(CensusNews, OfSomebodyWhoLeftNothingBehindAreKeptToUs) {
  const Pipe pipe;
  const auto worker = edge.add_child([&] {
    const pid_t child = Edge::fork_child([] { return 0; });
    ::waitpid(child, nullptr, 0);
    pipe.tell(child);
    wait_for_ever();
    return 0;
  });
  const int child = pipe.next();
  teller.tell_fork(::getpid(), worker.pid);
  teller.tell_fork(worker.pid, child);
  teller.tell_exit(child, 0);
  EXPECT_TRUE(census.take_news().fresh.empty());
}

TEST_F(CensusNews, OfAnExitAreNotBelieved) {
  const Pipe pipe;
  const auto main = edge.add_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  teller.tell_fork(::getpid(), main.pid);
  teller.tell_exit(main.pid, 0);  // as an exec from a thread has it
  census.look();
  EXPECT_NE(edge.members.find_alive(main.pid), nullptr);
  EXPECT_EQ(edge.of<ProcessEnded>(main), nullptr);
}

TEST_F(CensusNews, OfStrangersRecordNobody) {
  const Pipe pipe;
  const pid_t stranger = Edge::fork_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  teller.tell_fork(1, stranger);
  teller.tell_fork(stranger, ::getpid());
  EXPECT_TRUE(census.take_news().fresh.empty());
  EXPECT_EQ(edge.members.size(), 0U);
}

TEST_F(CensusNews, OfAPidThatWasGivenOutAgainAreNotTheDeadMembers) {
  const Pipe pipe;
  const auto worker = edge.add_child([&] { return tell_and_wait(pipe); });
  const pid_t stranger = Edge::fork_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  pipe.next();
  teller.tell_fork(::getpid(), worker.pid);
  census.take_news();
  kill(worker);
  constexpr std::uint64_t minute = 60'000'000'000;
  teller.tell_fork(1, worker.pid, monotonic_now() + minute);
  teller.tell_fork(worker.pid, stranger, monotonic_now() + minute);
  EXPECT_TRUE(census.take_news().fresh.empty());
  EXPECT_EQ(edge.members.find_last(stranger), nullptr);
}

TEST_F(CensusNews, OfAPidThatWasGivenOutAgainAtOnceAreNotTheDeadMembers) {
  const Pipe pipe;
  const auto worker = edge.add_child([&] { return tell_and_wait(pipe); });
  const pid_t stranger = Edge::fork_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  pipe.next();
  teller.tell_fork(::getpid(), worker.pid);
  census.take_news();
  kill(worker);
  teller.tell_fork(1, worker.pid);
  teller.tell_fork(worker.pid, stranger);
  EXPECT_TRUE(census.take_news().fresh.empty());
  EXPECT_EQ(edge.members.find_last(stranger), nullptr);
}

TEST_F(CensusNews, OfAPidWhoseFirstForkIsLostAreNotTheDeadMembers) {
  const Pipe pipe;
  const auto worker = edge.add_child([&] { return tell_and_wait(pipe); });
  const pid_t stranger = Edge::fork_child([&] { return tell_and_wait(pipe); });
  pipe.next();
  pipe.next();
  kill(worker);
  // The first taking: what was before it is as good as lost.
  census.take_news();
  EXPECT_TRUE(census.must_look());
  teller.tell_fork(1, worker.pid);
  teller.tell_fork(worker.pid, stranger);
  EXPECT_TRUE(census.take_news().fresh.empty());
  EXPECT_EQ(edge.members.find_last(stranger), nullptr);
}

TEST_F(CensusNews, OfADeadMemberThatTheWalkFoundFirstNameItForItsChildren) {
  census.take_news();
  const Pipe pipe;
  const auto parent = add_parent(pipe);
  const int child = pipe.next();
  kill(parent);
  teller.tell_fork(::getpid(), parent.pid);
  teller.tell_fork(parent.pid, child);
  const Looked looked = census.take_news();
  const Sighting* sighting = find(looked.fresh, child);
  ASSERT_NE(sighting, nullptr);
  EXPECT_EQ(sighting->forker, parent);
}

TEST_F(CensusNews, OfAnExecShowWhatAMemberRunsNow) {
  const Pipe pipe;
  const Pipe go(0);
  const auto main = edge.add_child([&] {
    pipe.tell(::getpid());
    go.next();
    ::execlp("sleep", "sleep", "1000", nullptr);
    return 1;
  });
  pipe.next();
  teller.tell_fork(::getpid(), main.pid);
  census.look();
  go.tell(1);
  Sighting changed;
  edge.until(
      [&] {
        teller.tell_exec(main.pid);
        const Looked looked = census.take_news();
        const Sighting* found = find(looked.changed, main.pid);
        if (found != nullptr) changed = *found;
        // In the middle of an exec it has its new argv and its old name; the kernel tells of it when it has both.
        return found != nullptr && changed.command.comm == "sleep";
      },
      "the exec");
  EXPECT_EQ(changed.command.argv, (std::vector<std::string>{"sleep", "1000"}));
}

TEST_F(CensusNews, ThatAreLostAskForALookWhichFindsWhatWasNotTold) {
  const Pipe pipe;
  const auto parent = add_parent(pipe);
  const int child = pipe.next();
  teller.hang_up();
  const Looked news = census.take_news();
  EXPECT_TRUE(news.fresh.empty());
  EXPECT_TRUE(census.must_look());
  const Looked looked = census.look();
  EXPECT_FALSE(census.must_look());
  const Sighting* sighting = find(looked.fresh, child);
  ASSERT_NE(sighting, nullptr);
  EXPECT_EQ(sighting->parent, parent);
  EXPECT_FALSE(sighting->forker);
}

}  // namespace
}  // namespace plimsoll::run

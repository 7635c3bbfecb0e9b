#include "daemon/run/feed.hpp"

#include "tests/unit/run/told.hpp"

namespace plimsoll::run {
namespace {

class FeedTest : public ::testing::Test {
 protected:
  Feed& begin(Feed::Settings settings) {
    feed.emplace(edge.loop, std::move(settings));
    feed->on_change([this](bool good, const std::string& sentence) { said.emplace_back(good, sentence); });
    feed->on_news([this] {
      ++woken;
      return interested;
    });
    return *feed;
  }
  Feed& begin() { return begin(teller.settings()); }
  [[nodiscard]] bool says(const std::string& part) const {
    return !said.empty() && said.back().second.find(part) != std::string::npos;
  }

  Edge edge;
  Teller teller;
  std::optional<Feed> feed;
  std::vector<std::pair<bool, std::string>> said;
  int woken = 0;
  bool interested = true;
};

TEST_F(FeedTest, IsOffUntilItIsStarted) {
  EXPECT_EQ(begin().state(), "off");
  EXPECT_EQ(teller.opened, 0);
}

TEST_F(FeedTest, WorksWhenAForkOfOurOwnComesBackWithItsPids) {
  begin().start();
  EXPECT_TRUE(feed->works());
  EXPECT_EQ(feed->state(), "yes");
  EXPECT_TRUE(said.empty()) << "that it works is nothing to say";
  EXPECT_TRUE(feed->take().lost) << "who was there before was not told of";
  EXPECT_FALSE(feed->take().lost);
}

TEST_F(FeedTest, DoesNotWorkWhenTheKernelIsSilent) {
  teller.answers = false;
  begin().start();
  EXPECT_EQ(feed->state(), "no: the kernel does not answer (another pid or user namespace than the first)");
  EXPECT_TRUE(says("the walk over /proc is the census"));
}

TEST_F(FeedTest, DoesNotWorkWhenThePidsAreOfAnotherNamespace) {
  teller.tells_truth = false;
  begin().start();
  EXPECT_FALSE(feed->works());
}

TEST_F(FeedTest, ThatIsRefusedSaysWhyOnceAndIsTriedAgain) {
  teller.refuse = ECONNREFUSED;
  begin().start();
  EXPECT_EQ(feed->state(), "no: Connection refused");
  edge.until([&] { return teller.opened > 3; }, "other tries");
  EXPECT_EQ(said.size(), 1U);
  teller.refuse = 0;
  edge.until([&] { return feed->works(); }, "a try that succeeds");
  EXPECT_TRUE(says("works"));
  EXPECT_TRUE(said.back().first);
  EXPECT_TRUE(feed->take().lost);
}

TEST_F(FeedTest, WakesWhenThereAreNews) {
  begin().start();
  feed->take();
  const int before = woken;
  teller.tell_fork(1, 2);
  edge.until([&] { return woken > before; }, "news");
  const auto news = feed->take();
  ASSERT_EQ(news.events.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<sys::Forked>(news.events[0].what));
}

TEST_F(FeedTest, WakesForEachButLetsGatherWhatIsOfNoInterest) {
  interested = false;
  begin().start();
  feed->take();
  int taken = 0;
  feed->on_news([&] {
    ++woken;
    taken += static_cast<int>(feed->take().events.size());
    return false;
  });
  woken = 0;
  constexpr int told = 200;
  int sent = 0;
  edge.until(
      [&] {
        if (sent < told) {
          for (int i = 0; i < 10; ++i, ++sent) teller.tell_fork(1, 2);
        }
        return taken == told;
      },
      "all of them");
  EXPECT_GT(woken, 0);
}

TEST_F(FeedTest, ThatFailsWhileItWorksIsGivenUpAndSomethingIsLost) {
  begin().start();
  feed->take();
  const int before = woken;
  teller.answers = false;
  teller.hang_up();
  edge.until([&] { return woken > before; }, "the end of the socket");
  EXPECT_TRUE(feed->take().lost);
  EXPECT_FALSE(feed->works());
  EXPECT_TRUE(says("is used no more"));
  EXPECT_FALSE(said.back().first);
  EXPECT_FALSE(feed->take().lost) << "there is nothing to take any more";
  teller.answers = true;
  edge.until([&] { return feed->works(); }, "another try");
}

TEST_F(FeedTest, ThatCostsTooMuchIsGivenUp) {
  auto settings = teller.settings();
  settings.most_in_window = 10;
  settings.between_tries = std::chrono::milliseconds{60'000};
  begin(std::move(settings)).start();
  feed->take();
  for (int i = 0; i < 11; ++i) teller.tell_fork(1, 2);
  EXPECT_TRUE(feed->take().lost);
  EXPECT_EQ(feed->state(), "no: more than 10 events in 10 s");
}

}  // namespace
}  // namespace plimsoll::run

#include "daemon/sys/connector.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/unit/sys/news_bytes.hpp"
#include "tests/unit/sys/processes.hpp"

namespace plimsoll::sys {
namespace {

template <class T>
std::optional<T> parse_as(const std::string& bytes) {
  const auto news = parse_process_news(bytes);
  if (!news || !std::holds_alternative<T>(news->what)) return std::nullopt;
  return std::get<T>(news->what);
}

TEST(ProcessNews, OfAForkNamesTheThreadThatForkedAndItsProcess) {
  const auto forked = parse_as<Forked>(news_bytes(1, {101, 100, 200, 200}));
  ASSERT_TRUE(forked);
  EXPECT_EQ(forked->parent_thread, 101);
  EXPECT_EQ(forked->parent, 100);
  EXPECT_EQ(forked->child, 200);
}

TEST(ProcessNews, SaysWhen) {
  const auto news = parse_process_news(fork_bytes(1, 2, 0x123456789ABCULL));
  ASSERT_TRUE(news);
  EXPECT_EQ(news->at, 0x123456789ABCULL);
}

TEST(ProcessNews, OfAThreadIsNone) {
  EXPECT_FALSE(parse_process_news(news_bytes(1, {100, 100, 201, 200})));
  EXPECT_FALSE(parse_process_news(news_bytes(0x80000000U, {201, 200, 0, 17})));
}

TEST(ProcessNews, OfAnExecFromAnyThreadNamesTheProcess) {
  const auto execed = parse_as<Execed>(news_bytes(2, {101, 100}));
  ASSERT_TRUE(execed);
  EXPECT_EQ(execed->process, 100);
}

TEST(ProcessNews, OfASessionNamesItsMaker) {
  const auto made = parse_as<SessionMade>(news_bytes(0x80, {100, 100}));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->process, 100);
}

TEST(ProcessNews, OfAnExitHasTheStatusOfWait) {
  const auto left = parse_as<Exited>(exit_bytes(100, 3 << 8));
  ASSERT_TRUE(left);
  EXPECT_EQ(left->process, 100);
  EXPECT_FALSE(left->status.signaled);
  EXPECT_EQ(left->status.code, 3);
  const auto killed = parse_as<Exited>(exit_bytes(100, 9));
  ASSERT_TRUE(killed);
  EXPECT_TRUE(killed->status.signaled);
  EXPECT_EQ(killed->status.signal, 9);
}

TEST(ProcessNews, OfASubscriptionHasItsError) {
  const auto subscribed = parse_as<Subscribed>(news_bytes(0, {1}));
  ASSERT_TRUE(subscribed);
  EXPECT_EQ(subscribed->error, 1);
}

TEST(ProcessNews, OfOtherKindsIsNone) {
  for (const std::uint32_t what : {0x4U, 0x40U, 0x100U, 0x200U, 0x40000000U, 0x20000000U, 0xFFFFFFFFU}) {
    EXPECT_FALSE(parse_process_news(news_bytes(what, {1, 1, 1, 1}))) << what;
  }
}

TEST(ProcessNews, OfAnotherConnectorIsNone) {
  std::string bytes = fork_bytes(1, 2);
  bytes[16] = 9;
  EXPECT_FALSE(parse_process_news(bytes));
  bytes = fork_bytes(1, 2);
  bytes[4] = 2;  // NLMSG_ERROR
  EXPECT_FALSE(parse_process_news(bytes));
}

TEST(ProcessNews, CutOffAnywhereIsNone) {
  const std::string whole = fork_bytes(1, 2);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_process_news(std::string_view(whole).substr(0, length))) << length;
  }
}

/// A connector whose other end is ours.
class ConnectorPair : public ::testing::Test {
 protected:
  ConnectorPair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    kernel = Fd(ends[0]);
    connector.emplace(Fd(ends[1]));
  }
  void send(const std::string& bytes) {
    ASSERT_EQ(::send(kernel.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  Fd kernel;
  std::optional<Connector> connector;
};

TEST_F(ConnectorPair, TakesWhatHasComeAndNoMore) {
  send(fork_bytes(1, 2));
  send("nonsense");
  send(exit_bytes(2, 0));
  const auto news = connector->take(100);
  ASSERT_TRUE(news.has_value());
  ASSERT_EQ(news->events.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Forked>(news->events[0].what));
  EXPECT_TRUE(std::holds_alternative<Exited>(news->events[1].what));
  EXPECT_FALSE(news->lost);
  EXPECT_FALSE(news->more);
  const auto none = connector->take(100);
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(none->events.empty());
}

TEST_F(ConnectorPair, SaysThatThereIsMore) {
  for (int i = 0; i < 100; ++i) send(fork_bytes(1, 2));
  const auto first = connector->take(1);
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->more);
  const auto rest = connector->take(1'000);
  ASSERT_TRUE(rest.has_value());
  EXPECT_EQ(first->events.size() + rest->events.size(), 100U);
}

TEST_F(ConnectorPair, ThatIsClosedIsAnError) {
  kernel = Fd();
  EXPECT_FALSE(connector->take(100).has_value());
}

// The kernel's own: where there is no connector (a container) the reason is what is asked for.

/// Reads until `found`, or until `patience` is over.
template <class Found>
bool read_until(Connector& connector, std::vector<ProcessNews>& all, Found found,
                std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until) {
    pollfd ask{connector.fd(), POLLIN, 0};
    ::poll(&ask, 1, 50);
    const auto news = connector.take(1'000);
    if (!news) return false;
    all.insert(all.end(), news->events.begin(), news->events.end());
    if (std::any_of(all.begin(), all.end(), found)) return true;
  }
  return false;
}

/// Nothing where this machine has none; why is then in `why`.
std::optional<Connector> working_connector(std::string& why) {
  auto opened = Connector::open();
  if (!opened) {
    why = opened.error().message();
    return std::nullopt;
  }
  Connector connector = std::move(*opened);
  std::vector<ProcessNews> all;
  const auto subscribed = [](const ProcessNews& news) { return std::holds_alternative<Subscribed>(news.what); };
  if (read_until(connector, all, subscribed, std::chrono::milliseconds(500))) return connector;
  why = "no answer";
  return std::nullopt;
}

TEST(Connector, TellsOfForksExitsAndOfNoThreads) {
  std::string why;
  auto connector = working_connector(why);
  if (!connector) {
    EXPECT_FALSE(why.empty());
    return;
  }
  std::thread([] {}).join();
  const auto child = fork_and_reap();
  ASSERT_TRUE(child.has_value());
  std::vector<ProcessNews> all;
  EXPECT_TRUE(read_until(*connector, all, [&](const ProcessNews& news) {
    const auto* exited = std::get_if<Exited>(&news.what);
    return exited != nullptr && exited->process == *child;
  }));
  const auto ours = std::count_if(all.begin(), all.end(), [](const ProcessNews& news) {
    const auto* forked = std::get_if<Forked>(&news.what);
    return forked != nullptr && forked->parent == ::getpid();
  });
  EXPECT_EQ(ours, 1) << "the child, and not the thread";
}

TEST(Connector, TellsOfMoreThanItsBufferHoldsThatSomeWereLost) {
  std::string why;
  auto connector = working_connector(why);
  if (!connector) {
    EXPECT_FALSE(why.empty());
    return;
  }
  const int small = 1;  // the kernel rounds it up to its least
  ASSERT_EQ(::setsockopt(connector->fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(fork_and_reap().has_value());
  bool lost = false;
  for (int i = 0; i < 100 && !lost; ++i) {
    const auto news = connector->take(1'000);
    ASSERT_TRUE(news.has_value());
    lost = news->lost;
  }
  EXPECT_TRUE(lost);
}

}  // namespace
}  // namespace plimsoll::sys

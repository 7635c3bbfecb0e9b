#include "daemon/run/notify_channel.hpp"

#include <thread>

#include "daemon/sys/notify.hpp"
#include "tests/unit/run/edge.hpp"

namespace plimsoll::run {
namespace {

constexpr int more_than_a_share = 600;

class NotifyChannelTest : public ::testing::Test {
 protected:
  NotifyChannelTest()
      : channel(
            edge.loop, std::move(*sys::NotifySocket::open()),
            [this](const sys::Notification& said) {
              if (said.sender != service) return false;
              taken.push_back(said.text);
              return true;
            },
            [this](const std::string& sentence) { troubles.push_back(sentence); }) {}

  static void send_all(const std::string& address, const std::string& text, int count) {
    const sys::Notifier notifier(address);
    // Never waits: a full queue refuses it.
    while (count > 0) notifier.send(text) ? std::this_thread::yield() : void(--count);
  }

  Edge edge;
  pid_t service = ::getpid();
  std::vector<std::string> taken;
  std::vector<std::string> troubles;
  NotifyChannel channel;
};

TEST_F(NotifyChannelTest, StrangersUseUpNothingOfTheServicesShare) {
  const Pipe sent;
  Edge::fork_child([&] {
    send_all(channel.address(), "READY=1", more_than_a_share);
    sent.tell(1);
    // Goes on, in case the service is read only when they have had enough.
    send_all(channel.address(), "READY=1", 1'000'000);
    return 0;
  });
  edge.until(
      [&] {
        pollfd ask{sent.read_end.get(), POLLIN, 0};
        return ::poll(&ask, 1, 0) == 1;
      },
      "the flood");
  std::jthread ours([&] { send_all(channel.address(), "WATCHDOG=1", 3); });
  edge.until([&] { return taken.size() == 3; }, "what the service says");
  EXPECT_TRUE(troubles.empty()) << troubles.front();
}

TEST_F(NotifyChannelTest, ServicesOwnFloodWaitsAndIsSaid) {
  std::jthread ours([&](const std::stop_token& over) {
    const sys::Notifier notifier(channel.address());
    while (!over.stop_requested()) notifier.send("WATCHDOG=1");
  });
  edge.until([&] { return !troubles.empty(); }, "a complaint");
  EXPECT_NE(troubles.front().find("more than 500"), std::string::npos);
  EXPECT_GE(taken.size(), 500U);
}

}  // namespace
}  // namespace plimsoll::run

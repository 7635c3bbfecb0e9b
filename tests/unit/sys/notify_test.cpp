#include "daemon/sys/notify.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "tests/unit/sys/processes.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::sys {
namespace {

/// A service manager's end.
class Listener {
 public:
  explicit Listener(const std::string& address) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, address.data(), address.size());
    if (address.front() == '@') at.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&at), length), 0) << address;
  }
  std::string receive() {
    std::array<char, 512> text;
    if (!becomes_readable(socket_.get())) return "nothing came";
    const ssize_t length = ::recv(socket_.get(), text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(length)};
  }

 private:
  Fd socket_;
};

class NotifierEnvironment : public testing::Test {
 protected:
  static void clear() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
};

TEST(Notifier, SendsOneDatagramToAPath) {
  const ScratchFolder folder;
  Listener manager(folder / "notify");
  EXPECT_FALSE(Notifier(folder / "notify").send("READY=1"));
  EXPECT_EQ(manager.receive(), "READY=1");
}

TEST(Notifier, SendsToAnAbstractName) {
  const std::string name = "@plimsoll-unit-" + std::to_string(::getpid());
  Listener manager(name);
  EXPECT_FALSE(Notifier(name).send("RELOADING=1\nMONOTONIC_USEC=5"));
  EXPECT_EQ(manager.receive(), "RELOADING=1\nMONOTONIC_USEC=5");
}

TEST(Notifier, DoesNothingWithoutAManager) {
  EXPECT_FALSE(Notifier().send("READY=1"));
}

TEST(Notifier, AddressThatIsNoneIsRefused) {
  EXPECT_EQ(Notifier("relative").send("READY=1").value(), EAFNOSUPPORT);
  EXPECT_EQ(Notifier("/" + std::string(200, 'x')).send("READY=1").value(), ENAMETOOLONG);
  EXPECT_EQ(Notifier("/no/such/socket").send("READY=1").value(), ENOENT);
}

TEST(Notifier, NeverWaitsForAManagerThatDoesNotRead) {
  const ScratchFolder folder;
  const Listener manager(folder / "notify");
  const Notifier notifier(folder / "notify");
  error_code error;
  for (int i = 0; i < 100'000 && !error; ++i) error = notifier.send("WATCHDOG=1");
  EXPECT_EQ(error.value(), EAGAIN);
}

TEST_F(NotifierEnvironment, IsTakenOutOfIt) {
  const ScratchFolder folder;
  Listener manager(folder / "notify");
  ::setenv("NOTIFY_SOCKET", (folder / "notify").c_str(), 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const auto notifier = Notifier::from_environment();
  EXPECT_FALSE(notifier.send("STOPPING=1"));
  EXPECT_EQ(manager.receive(), "STOPPING=1");
  EXPECT_EQ(notifier.watchdog_interval(), std::chrono::microseconds(1'500'000));
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
}

TEST_F(NotifierEnvironment, WatchdogWithoutAPidIsOurs) {
  ::setenv("WATCHDOG_USEC", "10", 1);
  EXPECT_EQ(Notifier::from_environment().watchdog_interval(), std::chrono::microseconds(5));
}

TEST_F(NotifierEnvironment, WatchdogOfAnotherProcessIsNotOurs) {
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(Notifier::from_environment().watchdog_interval());
  EXPECT_EQ(std::getenv("WATCHDOG_PID"), nullptr);
}

TEST_F(NotifierEnvironment, WatchdogThatIsNoNumberIsNone) {
  for (const char* text : {"", "0", "-5", "soon", "5s", "99999999999999999999"}) {
    ::setenv("WATCHDOG_USEC", text, 1);
    EXPECT_FALSE(Notifier::from_environment().watchdog_interval()) << text;
  }
}

}  // namespace
}  // namespace plimsoll::sys

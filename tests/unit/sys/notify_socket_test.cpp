// Datagrams with their senders, against the client of our own.
#include "daemon/sys/notify_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "daemon/sys/notify.hpp"
#include "tests/unit/sys/processes.hpp"
#include "tests/unit/sys/sent_descriptor.hpp"

namespace plimsoll::sys {
namespace {

TEST(NotifySocket, TellsWhoSentWhat) {
  auto socket = NotifySocket::open();
  ASSERT_TRUE(socket) << socket.error().message();
  const auto nothing = socket->take();
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing) << "an empty socket does not block";
  ASSERT_FALSE(Notifier(socket->address()).send("READY=1\nSTATUS=all is well"));
  ASSERT_TRUE(becomes_readable(socket->fd()));
  const auto taken = socket->take();
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->sender, ::getpid());
  EXPECT_EQ((*taken)->text, "READY=1\nSTATUS=all is well");
}

TEST(NotifySocket, HasANameOfItsOwn) {
  const auto one = NotifySocket::open();
  const auto other = NotifySocket::open();
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->address().front(), '@');
  EXPECT_NE(one->address(), other->address());
}

/// As `systemd-notify` does it with BARRIER=1: the sender waits until its descriptor is closed at the other end.
TEST(NotifySocket, ClosesTheDescriptorThatABarrierWaitsOn) {
  auto socket = NotifySocket::open();
  ASSERT_TRUE(socket);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);

  const Fd sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::string name = socket->address();
  std::memcpy(to.sun_path + 1, name.data() + 1, name.size() - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ASSERT_EQ(send_descriptor(sender.get(), "BARRIER=1", write_end.get(), &to, size), 0);
  write_end = Fd();

  const auto taken = socket->take();
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->text, "BARRIER=1");
  EXPECT_EQ(read_to_end(read_end), "") << "every writer is gone";
}

}  // namespace
}  // namespace plimsoll::sys

// Datagrams with their senders, against the client of our own.
#include "daemon/sys/notify_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "daemon/sys/notify.hpp"
#include "tests/unit/sys/processes.hpp"

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
  char text[] = "BARRIER=1";
  iovec piece{text, sizeof text - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = write_end.get();
  std::memcpy(CMSG_DATA(part), &number, sizeof number);
  ASSERT_EQ(::sendmsg(sender.get(), &message, 0), static_cast<ssize_t>(sizeof text - 1));
  write_end = Fd();

  const auto taken = socket->take();
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->text, "BARRIER=1");
  EXPECT_EQ(read_to_end(read_end), "") << "every writer is gone";
}

}  // namespace
}  // namespace plimsoll::sys

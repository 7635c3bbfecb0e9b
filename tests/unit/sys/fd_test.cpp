#include "daemon/sys/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace plimsoll::sys {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}
int some_descriptor() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(Fd, ClosesAtItsEnd) {
  const int number = some_descriptor();
  {
    const Fd fd(number);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Fd, OwnsNothingByDefault) {
  const Fd fd;
  EXPECT_FALSE(fd);
  EXPECT_EQ(fd.get(), -1);
}

TEST(Fd, MovedFromOwnsNothing) {
  Fd first(some_descriptor());
  const int number = first.get();
  const Fd second(std::move(first));
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(Fd, AssignmentClosesWhatWasThere) {
  Fd first(some_descriptor());
  Fd second(some_descriptor());
  const int lost = first.get();
  const int kept = second.get();
  first = std::move(second);
  EXPECT_FALSE(is_open(lost));
  EXPECT_TRUE(is_open(kept));
  EXPECT_EQ(first.get(), kept);
}

TEST(Fd, AssignedToItselfItStaysOpen) {
  Fd fd(some_descriptor());
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(fd);
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(Fd, ReleasedIsTheCallersToClose) {
  int number = -1;
  {
    Fd fd(some_descriptor());
    number = fd.release();
    EXPECT_FALSE(fd);
  }
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

}  // namespace
}  // namespace plimsoll::sys

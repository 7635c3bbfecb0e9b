#include "daemon/run/notification.hpp"

#include <gtest/gtest.h>

namespace plimsoll::run {
namespace {

using namespace std::chrono_literals;

TEST(Notification, SaysWhatItsLinesSay) {
  const auto parsed = parse_notification("READY=1\nSTATUS=booting 3 of 4\nMAINPID=42\nWATCHDOG_USEC=1500\n");
  EXPECT_TRUE(parsed.said.ready);
  EXPECT_EQ(parsed.said.status, "booting 3 of 4");
  EXPECT_EQ(parsed.main_pid, 42);
  EXPECT_EQ(parsed.said.alive_by, 2ms) << "rounded up";
  EXPECT_FALSE(parsed.said.alive || parsed.said.hung || parsed.said.stopping || parsed.said.reloading);
}

TEST(Notification, KnowsTheKeepAliveFromTheTrigger) {
  EXPECT_TRUE(parse_notification("WATCHDOG=1").said.alive);
  EXPECT_FALSE(parse_notification("WATCHDOG=1").said.hung);
  EXPECT_TRUE(parse_notification("WATCHDOG=trigger").said.hung);
  EXPECT_FALSE(parse_notification("WATCHDOG=2").said.alive);
}

TEST(Notification, PassesOverWhatIsNotOurs) {
  for (const char* text : {"", "\n\n", "READY", "READY=0", "ready=1", "X_APP=1", "MAINPID=-3", "MAINPID=4x",
                           "EXTEND_TIMEOUT_USEC=0", "WATCHDOG_USEC=99999999999999999999", "=", "MAINPID=9999999999"}) {
    const auto parsed = parse_notification(text);
    EXPECT_FALSE(parsed.said.ready) << text;
    EXPECT_FALSE(parsed.main_pid) << text;
    EXPECT_FALSE(parsed.said.extend || parsed.said.alive_by) << text;
  }
}

TEST(Notification, HasAStatusThatCanBePrinted) {
  EXPECT_EQ(parse_notification("STATUS=a\tb\x1b[31m\x7f").said.status, "a b [31m ");
  EXPECT_EQ(parse_notification("STATUS=caf\xc3\xa9").said.status, "caf\xc3\xa9");
  EXPECT_EQ(parse_notification("STATUS=\xc3(\xff \xed\xa0\x80 \xc0\x80").said.status, "?(? ??? ??");
  EXPECT_EQ(parse_notification("STATUS=" + std::string(500, 'x')).said.status->size(), 200u);
  std::string wide = "STATUS=";
  for (int i = 0; i < 150; ++i) wide += "\xe2\x82\xac";
  EXPECT_EQ(parse_notification(wide).said.status->size() % 3, 0u) << "no character is cut in two";
}

TEST(Notification, HoldsATimeThatIsTooLongForAYear) {
  EXPECT_EQ(parse_notification("EXTEND_TIMEOUT_USEC=9223372036854775807").said.extend, 365 * 24h);
}

}  // namespace
}  // namespace plimsoll::run

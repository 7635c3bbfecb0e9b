#include <gtest/gtest.h>

#include "daemon/sys/procfs.hpp"

namespace plimsoll::sys {
namespace {

/// A line of /proc/PID/stat as Linux 6.18 writes it, with that comm.
std::string stat_line(std::string_view comm) {
  return "4242 (" + std::string(comm) +
         ") S 17 18 19 34816 4250 4194304 1080 0 0 0 3 1 0 0 20 0 5 0 987654321 8192000 431 18446744073709551615 1 2 3 "
         "4 5 6 "
         "7 8 9 0 0 0 17 1 0 0 0 0 0 10 11 12 13 14 15 16 256\n";
}

TEST(ParseStat, TakesItsFieldsByTheirNumbers) {
  const auto stat = parse_stat(stat_line("node"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 4242);
  EXPECT_EQ(stat->comm, "node");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->ppid, 17);
  EXPECT_EQ(stat->pgrp, 18);
  EXPECT_EQ(stat->session, 19);
  EXPECT_EQ(stat->threads, 5U);
  EXPECT_EQ(stat->start_time, 987654321U);
  EXPECT_EQ(stat->exit_code, 256);
}

TEST(ParseStat, CommMayHoldAllThatSeparates) {
  for (const char* comm :
       {"", " ", ")", "(", "a) S 1 2 3", ") R (", "((sd-pam))", "new\nline", "tab\t) Z 1", "\xff\x80"}) {
    const auto stat = parse_stat(stat_line(comm));
    ASSERT_TRUE(stat) << comm;
    EXPECT_EQ(stat->comm, comm);
    EXPECT_EQ(stat->ppid, 17) << comm;
    EXPECT_EQ(stat->start_time, 987654321U) << comm;
  }
}

TEST(ParseStat, OldKernelWithoutTheExitCodeIsUnderstood) {
  const auto stat = parse_stat("1 (init) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 7 100 200");
  ASSERT_TRUE(stat);
  EXPECT_FALSE(stat->exit_code);
  EXPECT_EQ(stat->start_time, 7U);
}

TEST(ParseStat, WhatIsCutOffOrNoNumberIsNoAnswer) {
  const std::string whole = stat_line("node");
  const auto needed = whole.find("987654321") + 9;
  for (std::size_t length = 0; length < needed - 8; ++length) {
    EXPECT_FALSE(parse_stat(std::string_view(whole).substr(0, length))) << whole.substr(0, length);
  }
  for (const char* text :
       {"", ")(", "1 )a( S 0", "x (a) S 0 1 1 0 -1 1 1 1 1 1 1 1 1 1 20 0 1 0 7", "99999999999 (a) S 0 1 1",
        "1 (a) SS 0 1 1 0 -1 1 1 1 1 1 1 1 1 1 20 0 1 0 7", "1 (a) S 0 1 1 0 -1 1 1 1 1 1 1 1 1 1 20 0 -1 0 7",
        "1 (a) S 0 1 1 0 -1 1 1 1 1 1 1 1 1 1 20 0 1 0 99999999999999999999"}) {
    EXPECT_FALSE(parse_stat(text)) << text;
  }
}

TEST(ParseStatm, TakesTheSecondNumber) {
  EXPECT_EQ(parse_statm_resident("2000 431 100 1 0 300 0\n"), 431U);
  EXPECT_EQ(parse_statm_resident("0 0 0 0 0 0 0\n"), 0U);
  EXPECT_EQ(parse_statm_resident("1 18446744073709551615"), 18446744073709551615U);
  for (const char* text : {"", "2000", "2000 ", "2000 x", "2000 -1", "2000 4a", "1 18446744073709551616"}) {
    EXPECT_FALSE(parse_statm_resident(text)) << text;
  }
}

TEST(ParseKbLine, FindsTheWholeNameAtTheBeginningOfALine) {
  const std::string_view text = "Name:\tVmHWM: 9 kB\nXVmHWM:\t1 kB\nVmHWMX:\t2 kB\nVmHWM:\t    5476 kB\nVmRSS:\t0 kB";
  EXPECT_EQ(parse_kb_line(text, "VmHWM"), 5476U * 1024);
  EXPECT_EQ(parse_kb_line(text, "VmRSS"), 0U);
  EXPECT_FALSE(parse_kb_line(text, "VmSwap"));
  EXPECT_FALSE(parse_kb_line(text, "Name"));
}

TEST(ParseKbLine, WhatDoesNotFitIsNoAnswer) {
  EXPECT_EQ(parse_kb_line("Rss: 18014398509481983 kB", "Rss"), 18014398509481983U * 1024);
  for (const char* text : {"Rss: 18014398509481984 kB", "Rss: 99999999999999999999 kB", "Rss: -1 kB", "Rss: 5",
                           "Rss: 5 MB", "Rss:", "Rss", "", "Rss: 5kB"}) {
    EXPECT_FALSE(parse_kb_line(text, "Rss")) << text;
  }
}

TEST(ParseWords, AreSeparatedByNulAndMayBeEmpty) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(parse_words(std::string_view("a\0b c\0", 6)), (Words{"a", "b c"}));
  EXPECT_EQ(parse_words(std::string_view("a\0b", 3)), (Words{"a", "b"})) << "a last word without its NUL";
  EXPECT_EQ(parse_words(std::string_view("a\0\0b\0", 5)), (Words{"a", "", "b"}));
  EXPECT_EQ(parse_words(std::string_view("\0", 1)), (Words{""}));
  EXPECT_EQ(parse_words(""), Words{});
}

TEST(ParseChildren, LeaveOutWhatIsNoPid) {
  using Pids = std::vector<pid_t>;
  EXPECT_EQ(parse_children("1 22 333 "), (Pids{1, 22, 333}));
  EXPECT_EQ(parse_children("1 x 2y 0 -5 99999999999 7\n8"), (Pids{1, 7, 8}));
  EXPECT_EQ(parse_children(""), Pids{});
}

constexpr std::string_view tcp_heading =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

TEST(ParseTcp, TakesPortsStateAndInode) {
  const auto lines =
      parse_tcp(std::string(tcp_heading) +
                "   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1145 1 "
                "00000000f60b64b6 100 0 "
                "0 10 0\n"
                "   1: 0100007F:1F90 0100007F:FFFF 01 00000000:00000000 03:00000000 00000000  1000        0 77 3 0\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].local_port, 2024);
  EXPECT_EQ(lines[0].remote_port, 0);
  EXPECT_EQ(lines[0].state, 10);
  EXPECT_EQ(lines[0].inode, 1145U);
  EXPECT_EQ(lines[1].local_port, 8080);
  EXPECT_EQ(lines[1].remote_port, 65535);
  EXPECT_EQ(lines[1].state, 1);
  EXPECT_EQ(lines[1].inode, 77U);
}

TEST(ParseTcp, TakesTheLongAddressesOfSix) {
  const auto lines = parse_tcp(
      "   0: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 "
      "00:00000000 "
      "00000000   110        0 3141 1 0 100 0 0 10 0");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].local_port, 5432);
  EXPECT_EQ(lines[0].inode, 3141U);
}

TEST(ParseTcp, TellsTheSameAddressInFourAndInSix) {
  const TcpAddress loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  const TcpAddress loopback_of_six{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const auto four = parse_tcp("0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 5\n");
  ASSERT_EQ(four.size(), 1U);
  EXPECT_EQ(four[0].local_address, loopback);
  const auto six =
      parse_tcp("0: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000001000000:0001 01 0 0 0 0 0 5\n");
  ASSERT_EQ(six.size(), 1U);
  EXPECT_EQ(six[0].local_address, loopback);
  EXPECT_EQ(six[0].remote_address, loopback_of_six);
  EXPECT_TRUE(parse_tcp("0: 0100007:1F90 00000000:0000 0A 0 0 0 0 0 5\n").empty());
}

TEST(ParseTcp, LeavesOutTheHeadingAndBrokenLines) {
  EXPECT_TRUE(parse_tcp(tcp_heading).empty());
  EXPECT_TRUE(parse_tcp("").empty());
  EXPECT_TRUE(parse_tcp("\n\n0: 0:1 0:2\n0: 1:10000 0:0 0A 0 0 0 0 0 5\n0: 11 0:0 0A 0 0 0 0 0 5\n").empty());
}

TEST(ParseVmstat, CountsAHugePageAsManySmallOnes) {
  const VmStat found = parse_vmstat("pgfault 100\npgmajfault 7\noom_kill 3\nthp_fault_alloc 2\nthp_file_mapped 1\n");
  EXPECT_EQ(found.oom_kills, 3U);
  EXPECT_EQ(found.faulted_pages, 100U + 3U * 512U);
}

TEST(ParseVmstat, SaysNothingOfWhatIsNotThere) {
  EXPECT_FALSE(parse_vmstat("").faulted_pages);
  EXPECT_FALSE(parse_vmstat("thp_fault_alloc 2\n").faulted_pages) << "a part is not the whole";
  EXPECT_FALSE(parse_vmstat("oom_kill_x 3\n").oom_kills);
  EXPECT_FALSE(parse_vmstat("pgfault 10").faulted_pages) << "cut off";
}

}  // namespace
}  // namespace plimsoll::sys

#include "config/plan/units.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

template <class T>
T must(const Read<T>& read) {
  if (const Misread* misread = std::get_if<Misread>(&read)) {
    ADD_FAILURE() << misread->rule;
    return T{};
  }
  return std::get<T>(read);
}

template <class T>
std::string rule(const Read<T>& read) {
  const Misread* misread = std::get_if<Misread>(&read);
  return misread == nullptr ? "understood" : misread->rule;
}

const std::string size_rule = "must be a size such as 400MiB";
const std::string duration_rule = "must be a duration such as 30s or 1h30m";
const std::string share_rule = "must be a percentage of 0% to 100%, such as 10%";
const std::string window_rule = "must be a window of the day such as 01:00-05:00";
const std::string signal_rule = "must be a signal such as SIGTERM or SIGRTMIN+1";
constexpr std::uint64_t most = UINT64_MAX;

TEST(Size, IsReadInEveryUnit) {
  const std::vector<std::pair<std::string, std::uint64_t>> sizes{
      {"0", 0},
      {"4096", 4096},
      {"4096B", 4096},
      {"1kB", 1000},
      {"1KiB", 1024},
      {"512kB", 512'000},
      {"1MB", 1'000'000},
      {"1MiB", 1'048'576},
      {"400MiB", 419'430'400},
      {"1GB", 1'000'000'000},
      {"1GiB", 1'073'741'824},
      {"2TB", 2'000'000'000'000},
      {"1TiB", 1'099'511'627'776},
      {"1.5GiB", 1'610'612'736},
      {"0.5MiB", 524'288},
      {"1.25kB", 1250},
      {"0.000001TB", 1'000'000},
      {"007MiB", 7'340'032},
      {"18446744073709551615", most},
      {"16777215.999999TiB", 18'446'744'073'708'452'104U},
  };
  for (const auto& [text, bytes] : sizes) EXPECT_EQ(must(read_bytes(text)).count, bytes) << text;
}

TEST(Size, RoundsAFractionDownToWholeBytes) {
  EXPECT_EQ(must(read_bytes("0.1GiB")).count, 107'374'182U);
}

TEST(Size, IsRefusedWhenItsUnitOrNumberIsUnclear) {
  for (const char* text :
       {"",      " ",      "MiB",     "4 apples", "400 MiB", " 400MiB", "400MiB ",      "400M",
        "400m",  "400mib", "1KB",     "1K",       "-1",      "-1MiB",   "+1MiB",        "1.MiB",
        ".5MiB", "1.5",    "1.5B",    "1e3",      "0x10",    "1,5GiB",  "1.0000001GiB", "99999999999999999999",
        "NaN",   "1GiBB",  "1.5.5GiB"}) {
    EXPECT_EQ(rule(read_bytes(text)), size_rule) << text;
  }
}

TEST(Size, IsRefusedWhenItIsTooLargeToCount) {
  for (const char* text : {"18446744073709551615kB", "16777216TiB", "18446744073709552kB"}) {
    EXPECT_EQ(rule(read_bytes(text)), "must be a size of less than 16EiB") << text;
  }
}

TEST(Size, IsSpelledShortAndExact) {
  const std::vector<std::pair<std::uint64_t, std::string>> sizes{
      {0, "0B"},
      {1, "1B"},
      {999, "999B"},
      {1000, "1kB"},
      {1024, "1KiB"},
      {1025, "1025B"},
      {4097, "4097B"},
      {419'430'400, "400MiB"},
      {1'000'000, "1MB"},
      {1'000'000'000, "1GB"},
      {1'500'000, "1.5MB"},
      {1'610'612'736, "1.5GiB"},
      {500'000'000, "500MB"},
      {most, "18446744073709551615B"},
      {1ULL << 40U, "1TiB"},
  };
  for (const auto& [bytes, text] : sizes) EXPECT_EQ(to_text(Bytes{bytes}), text);
}

TEST(Size, IsReadBackFromItsSpelling) {
  for (std::uint64_t bytes = 0; bytes < 70'000; ++bytes) {
    ASSERT_EQ(must(read_bytes(to_text(Bytes{bytes}))).count, bytes);
  }
  for (std::uint64_t bytes = 1; bytes < most / 3; bytes = bytes * 3 + 1) {
    for (const std::uint64_t scale : {1ULL, 1000ULL, 1024ULL, 1ULL << 20U, 1'000'000ULL, 1ULL << 30U}) {
      if (bytes > most / scale) continue;
      ASSERT_EQ(must(read_bytes(to_text(Bytes{bytes * scale}))).count, bytes * scale);
    }
  }
}

TEST(Size, HasThreeFiguresForPeople) {
  const std::vector<std::pair<std::uint64_t, std::string>> sizes{
      {0, "0 B"},
      {999, "999 B"},
      {1000, "0.977 KiB"},
      {1024, "1 KiB"},
      {1536, "1.5 KiB"},
      {10'240, "10 KiB"},
      {432'013'312, "412 MiB"},
      {1'395'864'371, "1.3 GiB"},
      {1'342'177'280, "1.25 GiB"},
      {1'048'524'800, "0.977 GiB"},
      {1'073'741'823, "1 GiB"},
      {1'100'000'000'000, "1 TiB"},
  };
  for (const auto& [bytes, text] : sizes) EXPECT_EQ(to_human(Bytes{bytes}), text);
}

TEST(Duration, IsReadInEveryUnitAndInTheirSum) {
  using namespace std::chrono_literals;
  const std::vector<std::pair<std::string, Duration>> durations{
      {"0", 0ms},
      {"0s", 0ms},
      {"1ms", 1ms},
      {"250ms", 250ms},
      {"30s", 30s},
      {"5m", 5min},
      {"6h", 6h},
      {"1d", 24h},
      {"1h30m", 90min},
      {"90m", 90min},
      {"1m30s", 90s},
      {"1s500ms", 1500ms},
      {"1d2h3m4s5ms", 93'784'005ms},
      {"007s", 7s},
      {"36500d", 876'000h},
  };
  for (const auto& [text, duration] : durations) EXPECT_EQ(must(read_duration(text)), duration) << text;
}

TEST(Duration, NeedsItsUnit) {
  for (const char* text : {"5", "00", "30", "1000"}) {
    EXPECT_EQ(rule(read_duration(text)), "must be a duration with its unit, such as 30s or 5m") << text;
  }
}

TEST(Duration, IsRefusedWhenItIsUnclear) {
  for (const char* text : {"", " ", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "1.5h", "5S", "5sec", "5min", "1m1h",
                           "1s1s", "1h30", "5us", "1w", "soon", "99999999999999999999s"}) {
    EXPECT_EQ(rule(read_duration(text)), duration_rule) << text;
  }
}

TEST(Duration, IsAtMostACentury) {
  for (const char* text : {"36500d1ms", "36501d", "9223372036854775807ms", "9223372036854775807d", "36499d24h1s"}) {
    EXPECT_EQ(rule(read_duration(text)), "must be a duration of at most 36500d") << text;
  }
}

TEST(Duration, IsSpelledFromLargeToSmall) {
  using namespace std::chrono_literals;
  EXPECT_EQ(to_text(Duration{0}), "0s");
  EXPECT_EQ(to_text(Duration{250}), "250ms");
  EXPECT_EQ(to_text(Duration{90min}), "1h30m");
  EXPECT_EQ(to_text(Duration{24h}), "1d");
  EXPECT_EQ(to_text(Duration{1500}), "1s500ms");
  EXPECT_EQ(to_text(Duration{-90'000}), "-1m30s");
}

TEST(Duration, IsReadBackFromItsSpelling) {
  for (std::int64_t count = 0; count < 100'000; count += 7) {
    ASSERT_EQ(must(read_duration(to_text(Duration{count}))), Duration{count});
  }
  for (std::int64_t count = 1; count < 3'153'600'000'000; count = count * 3 + 1) {
    ASSERT_EQ(must(read_duration(to_text(Duration{count}))), Duration{count});
  }
}

TEST(Window, IsReadForEveryPairOfTimes) {
  for (int from = 0; from < 1440; from += 59) {
    for (int to = 0; to < 1440; to += 61) {
      const Window window{TimeOfDay{from}, TimeOfDay{to}};
      if (from == to) {
        EXPECT_EQ(rule(read_window(to_text(window))), "must be a window that is not empty");
      } else {
        ASSERT_EQ(must(read_window(to_text(window))), window) << to_text(window);
      }
    }
  }
  EXPECT_EQ(to_text(Window{TimeOfDay{60}, TimeOfDay{1439}}), "01:00-23:59");
}

TEST(Window, IsRefusedWhenItIsNoPairOfTimes) {
  for (const char* text : {"", "01:00", "1:00-5:00", "01:00-24:00", "01:60-05:00", "01:00 - 05:00", "0100-0500",
                           "01:00-05:00 ", "aa:bb-cc:dd", "01:00-05:0x", "01.00-05.00", "-1:00-05:00", "01:00/05:00"}) {
    EXPECT_EQ(rule(read_window(text)), window_rule) << text;
  }
}

TEST(Window, HoldsItsBeginningAndNotItsEnd) {
  const Window night{TimeOfDay{60}, TimeOfDay{300}};
  EXPECT_FALSE(night.contains(TimeOfDay{59}));
  EXPECT_TRUE(night.contains(TimeOfDay{60}));
  EXPECT_TRUE(night.contains(TimeOfDay{299}));
  EXPECT_FALSE(night.contains(TimeOfDay{300}));
}

TEST(Window, RunsOverMidnightWhenItEndsBeforeItBegins) {
  const Window night = must(read_window("22:30-04:00"));
  int minutes = 0;
  for (int minute = 0; minute < 1440; ++minute) minutes += night.contains(TimeOfDay{minute}) ? 1 : 0;
  EXPECT_EQ(minutes, 90 + 240);
  EXPECT_TRUE(night.contains(TimeOfDay{0}));
  EXPECT_TRUE(night.contains(TimeOfDay{22 * 60 + 30}));
  EXPECT_FALSE(night.contains(TimeOfDay{240}));
  EXPECT_FALSE(night.contains(TimeOfDay{22 * 60 + 29}));
}

TEST(Share, IsReadAsAShareOfOne) {
  EXPECT_EQ(must(read_share("0%")).of_one, 0.0);
  EXPECT_EQ(must(read_share("10%")).of_one, 0.1);
  EXPECT_EQ(must(read_share("12.5%")).of_one, 0.125);
  EXPECT_EQ(must(read_share("0.1%")).of_one, 0.001);
  EXPECT_EQ(must(read_share("100%")).of_one, 1.0);
  EXPECT_EQ(must(read_share("100.000000%")).of_one, 1.0);
}

TEST(Share, IsRefusedOutsideOfItsBounds) {
  for (const char* text : {"", "%", "10", "0.1", "-1%", "+1%", "101%", "100.000001%", "10 %", "10%%", "1e1%", "10.%",
                           ".5%", "0.0000001%", "nan%", "inf%", "18446744073709551615%"}) {
    EXPECT_EQ(rule(read_share(text)), share_rule) << text;
  }
}

TEST(Share, IsReadBackFromItsSpelling) {
  for (int thousandths = 0; thousandths <= 100'000; ++thousandths) {
    const std::string text =
        std::to_string(thousandths / 1000) + "." + std::to_string(1000 + thousandths % 1000).substr(1) + "%";
    const Share share = must(read_share(text));
    ASSERT_EQ(must(read_share(to_text(share))), share) << text;
  }
  EXPECT_EQ(to_text(must(read_share("12.500%"))), "12.5%");
  EXPECT_EQ(to_text(must(read_share("0.000001%"))), "0.000001%");
}

TEST(Signal, IsReadByNameWithAndWithoutSigAndByNumber) {
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (number >= 32 && number < SIGRTMIN) continue;
    const std::string name = signal_name(number);
    ASSERT_TRUE(name.starts_with("SIG")) << number;
    EXPECT_EQ(must(read_signal(name)), number) << name;
    EXPECT_EQ(must(read_signal(name.substr(3))), number) << name;
    EXPECT_EQ(must(read_signal(std::to_string(number))), number);
  }
}

TEST(Signal, CountsRealTimeSignalsFromBothEnds) {
  EXPECT_EQ(must(read_signal("SIGRTMIN+1")), SIGRTMIN + 1);
  EXPECT_EQ(must(read_signal("RTMIN+0")), SIGRTMIN);
  EXPECT_EQ(must(read_signal("SIGRTMAX")), SIGRTMAX);
  EXPECT_EQ(must(read_signal("SIGRTMAX-2")), SIGRTMAX - 2);
  EXPECT_EQ(signal_name(SIGRTMIN), "SIGRTMIN");
  EXPECT_EQ(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
}

TEST(Signal, KnowsTheSecondNamesOfThree) {
  EXPECT_EQ(must(read_signal("SIGIOT")), SIGABRT);
  EXPECT_EQ(must(read_signal("SIGPOLL")), SIGIO);
  EXPECT_EQ(must(read_signal("SIGCLD")), SIGCHLD);
  EXPECT_EQ(signal_name(SIGABRT), "SIGABRT");
}

TEST(Signal, IsRefusedWhenNothingHasThatName) {
  for (const char* text :
       {"", "SIG", "SIGFOO", "sigterm", "0", "-9", "+9", "65", "32", "33", "99999999999", "SIGRTMIN+", "SIGRTMIN+31",
        "SIGRTMIN-1", "SIGRTMAX+1", "SIGRTMAX-31", "SIGRTMIN+x", "TERM ", "15x"}) {
    EXPECT_EQ(rule(read_signal(text)), signal_rule) << text;
  }
}

TEST(Signal, WithoutANameIsShownByItsNumber) {
  EXPECT_EQ(signal_name(99), "signal 99");
  EXPECT_EQ(signal_name(32), "signal 32");
  EXPECT_EQ(signal_name(0), "signal 0");
}

}  // namespace
}  // namespace plimsoll

// Time zones as the machine has them; that they are refused with a sentence is in remedy_problems_test.cpp.
#include "config/zone.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "loading.hpp"

namespace plimsoll::config {
namespace {

namespace fs = std::filesystem;

/// A variable of the environment as a test wants it, and as it was afterwards.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* was = std::getenv(name)) was_ = was;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Variable() { was_ ? setenv(name_, was_->c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> was_;
};

const std::string zones = "/usr/share/zoneinfo/";

std::string text_of(const std::string& file) {
  std::ifstream stream{file};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

/// A file of this test's own, gone with it.
class File {
 public:
  explicit File(const std::string& text)
      : path_(fs::temp_directory_path() / ("plimsoll-zone-" + std::to_string(getpid()))) {
    write(text);
  }
  ~File() { fs::remove(path_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  /// In one go, as a package is installed.
  void write(const std::string& text) const {
    const fs::path next = path_.string() + ".next";
    std::ofstream{next} << text;
    fs::rename(next, path_);
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

TEST(SystemZone, IsTheVariableElseTheMachinesElseUtc) {
  {
    const Variable variable{"TZ", "Europe/Berlin"};
    EXPECT_EQ(read_system_zone()->name, "Europe/Berlin");
  }
  {
    const Variable variable{"TZ", ":America/New_York"};
    EXPECT_EQ(read_system_zone()->name, "America/New_York");
  }
  {
    const Variable variable{"TZ", ""};
    EXPECT_EQ(*read_system_zone(), ZoneRules{});
  }
  {
    const Variable variable{"TZ", nullptr};
    const std::optional<ZoneRules> zone = read_system_zone();
    ASSERT_TRUE(zone.has_value());
    EXPECT_EQ(read_zone(zone->name), zone);
  }
}

TEST(SystemZone, ThatIsARuleInsteadOfANameIsRefusedWhereItMatters) {
  const Variable variable{"TZ", "CET-1CEST"};
  EXPECT_EQ(read_system_zone(), std::nullopt);
  EXPECT_EQ(service_problems("[[services.web.cycles]]\ndo = \"restart\"\ncron = \"@daily\"\n"),
            Texts{"f.toml:3:1: services.web.cycles[0]: must have 'zone' ($TZ is no time zone that can be read)"});
  EXPECT_TRUE(service_problems("[[services.web.cycles]]\ndo = \"restart\"\nevery = \"1h\"\n").empty());
  EXPECT_TRUE(
      service_problems("[[services.web.cycles]]\ndo = \"restart\"\ncron = \"@daily\"\nzone = \"UTC\"\n").empty());
}

TEST(ZoneOfTheMachine, HasTheChangesOfItsClockUntil2106) {
  const std::optional<ZoneRules> berlin = read_zone("Europe/Berlin");
  ASSERT_TRUE(berlin.has_value());
  const ZoneRules::Change spring{WallSeconds{std::chrono::seconds{1774746000}}, std::chrono::hours{2}};
  const ZoneRules::Change autumn{WallSeconds{std::chrono::seconds{1792890000}}, std::chrono::hours{1}};
  EXPECT_NE(std::find(berlin->changes.begin(), berlin->changes.end(), spring), berlin->changes.end());
  EXPECT_NE(std::find(berlin->changes.begin(), berlin->changes.end(), autumn), berlin->changes.end());
  EXPECT_EQ(berlin->first_offset, std::chrono::hours{1});
  EXPECT_TRUE(std::is_sorted(berlin->changes.begin(), berlin->changes.end(),
                             [](const auto& a, const auto& b) { return a.at < b.at; }));
  const auto last = std::chrono::floor<std::chrono::days>(berlin->changes.back().at);
  EXPECT_EQ(std::chrono::year_month_day{last}.year(), std::chrono::year{2105});
  EXPECT_TRUE(read_zone("UTC")->changes.empty());
}

TEST(ZoneOfTheMachine, IsTheSameWhateverTheProcessTakesForLocalTime) {
  const std::optional<ZoneRules> berlin = read_zone("Europe/Berlin");
  for (const char* own : {"America/New_York", "Europe/Berlin", ":Asia/Tokyo", "CET-1CEST", "", "/nowhere"}) {
    const Variable variable{"TZ", own};
    EXPECT_EQ(read_zone("Europe/Berlin"), berlin) << own;
    EXPECT_STREQ(std::getenv("TZ"), own);
  }
  const Variable variable{"TZ", nullptr};
  EXPECT_EQ(read_zone("Europe/Berlin"), berlin);
  EXPECT_EQ(std::getenv("TZ"), nullptr);
}

TEST(ZoneOfTheMachine, LeavesTheProcessItsOwnLocalTime) {
  const Variable variable{"TZ", "<-07>7"};
  tzset();
  ASSERT_TRUE(read_zone("Europe/Berlin").has_value());
  EXPECT_FALSE(read_zone("Mars/Base").has_value());
  const std::time_t epoch = 0;
  std::tm local{};
  localtime_r(&epoch, &local);
  EXPECT_EQ(local.tm_gmtoff, -7 * 3600);
}

TEST(ZoneOfTheMachine, KnowsWintersThatAreBehindTheirStandardTime) {
  const std::optional<ZoneRules> dublin = read_zone("Europe/Dublin");
  ASSERT_TRUE(dublin.has_value());
  const ZoneRules::Change autumn{WallSeconds{std::chrono::seconds{1792890000}}, std::chrono::hours{0}};
  EXPECT_NE(std::find(dublin->changes.begin(), dublin->changes.end(), autumn), dublin->changes.end());
}

TEST(ZoneOfTheMachine, KnowsAWeekOfSummerTime) {
  const std::optional<ZoneRules> recife = read_zone("America/Recife");
  ASSERT_TRUE(recife.has_value());
  const ZoneRules::Change began{WallSeconds{std::chrono::seconds{970974000}}, std::chrono::hours{-2}};
  const ZoneRules::Change ended{WallSeconds{std::chrono::seconds{971575200}}, std::chrono::hours{-3}};
  const auto at = std::find(recife->changes.begin(), recife->changes.end(), began);
  ASSERT_NE(at, recife->changes.end());
  EXPECT_EQ(*(at + 1), ended);
}

TEST(ZoneOfTheMachine, MayBeAFileAnywhere) {
  const File file{text_of(zones + "Europe/Berlin")};
  std::optional<ZoneRules> berlin = read_zone("Europe/Berlin");
  berlin->name = file.path();
  EXPECT_EQ(read_zone(file.path()), berlin);
}

TEST(ZoneOfTheMachine, IsReadAgainWhenItsFileIsAnother) {
  const File file{text_of(zones + "Europe/Berlin")};
  const Variable variable{"TZ", file.path().c_str()};
  EXPECT_EQ(read_system_zone()->first_offset, std::chrono::hours{1});
  file.write(text_of(zones + "Asia/Tokyo"));
  EXPECT_EQ(read_system_zone()->first_offset, std::chrono::hours{9});
}

TEST(ZoneOfTheMachine, IsNoZoneThatCountsLeapSeconds) {
  // Written here: a machine may have no "right" zones. Two copies of the same, for readers of 32 and of 64 bits.
  const std::string zero(4, '\0'), one{"\0\0\0\1", 4}, four{"\0\0\0\4", 4}, type(6, '\0');
  const auto header = [&](const std::string& leaps) {
    return "TZif2" + std::string(15, '\0') + zero + zero + leaps + zero + one + four;
  };
  const std::string in_1972{"\x04\xb2\x58\x00", 4};
  const auto zone = [&](bool leap) {
    return header(leap ? one : zero) + type + "UTC" + '\0' + (leap ? in_1972 + one : "") + header(leap ? one : zero) +
           type + "UTC" + '\0' + (leap ? zero + in_1972 + one : "") + "\nUTC0\n";
  };
  EXPECT_TRUE(read_zone(File{zone(false)}.path()).has_value());
  EXPECT_FALSE(read_zone(File{zone(true)}.path()).has_value());
}

TEST(ZoneOfTheMachine, IsNoFileThatIsBroken) {
  const std::string whole = text_of(zones + "Europe/Berlin");
  EXPECT_FALSE(read_zone(File{"TZif"}.path()).has_value());
  EXPECT_FALSE(read_zone(File{"TZjf" + whole.substr(4)}.path()).has_value());
  EXPECT_FALSE(read_zone(File{whole.substr(0, whole.size() / 2)}.path()).has_value());
}

TEST(ZoneOfTheMachine, IsNoRuleAndNoFolder) {
  for (const char* name : {"CET-1CEST", "UTC0", "<+03>-3", "Europe", "zone.tab", "Europe/Berlin/", ":UTC", "."}) {
    EXPECT_FALSE(read_zone(name).has_value()) << name;
  }
}

TEST(ZoneOfTheMachine, IsLookedForWhereTzdirSays) {
  const Variable nowhere{"TZDIR", "/nowhere"};
  EXPECT_FALSE(read_zone("Europe/Berlin").has_value());
  EXPECT_EQ(*read_zone("UTC"), ZoneRules{});  // a container may have no zones at all
}

}  // namespace
}  // namespace plimsoll::config

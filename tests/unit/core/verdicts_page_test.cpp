// docs/verdicts.md names the tests that play its rules; a test that was renamed would leave the page lying.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <string>

namespace plimsoll::core {
namespace {

std::set<std::string> tests_there_are() {
  std::set<std::string> names;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const std::string name = std::string{suite.name()} + "." + suite.GetTestInfo(j)->name();
      names.insert(name.substr(0, name.find('/', name.find('.'))));
    }
  }
  return names;
}

/// `Suite.Name` or `Prefix/Suite.Name`, both words with a capital.
bool is_test_name(const std::string& text) {
  const auto dot = text.find('.');
  if (dot == std::string::npos || dot + 1 >= text.size()) return false;
  const bool words = std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '/' || c == '.';
  });
  return words && std::isupper(static_cast<unsigned char>(text.front())) != 0 &&
         std::isupper(static_cast<unsigned char>(text[dot + 1])) != 0;
}

TEST(VerdictsPage, NamesOnlyTestsThatThereAre) {
  std::ifstream file(std::string{PLIMSOLL_SOURCE_DIR} + "/docs/verdicts.md");
  ASSERT_TRUE(file.is_open());
  const std::set<std::string> known = tests_there_are();
  int named = 0;
  std::string between;
  // Every second piece stands between two backquotes.
  for (bool quoted = false; std::getline(file, between, '`'); quoted = !quoted) {
    if (!quoted || !is_test_name(between)) continue;
    ++named;
    EXPECT_TRUE(known.contains(between)) << between;
  }
  EXPECT_GT(named, 60);
}

}  // namespace
}  // namespace plimsoll::core

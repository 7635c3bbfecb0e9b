// docs/verdicts.md names the tests that play its rules; a test that was renamed would leave the page lying.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
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

TEST(VerdictsPage, NamesOnlyTestsThatThereAre) {
  std::ifstream file(std::string{PLIMSOLL_SOURCE_DIR} + "/docs/verdicts.md");
  ASSERT_TRUE(file.is_open());
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  const std::set<std::string> known = tests_there_are();
  const std::regex name("`((?:\\w+/)?[A-Z]\\w+\\.[A-Z]\\w+)`");
  int named = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), name), end; it != end; ++it, ++named) {
    EXPECT_TRUE(known.contains((*it)[1])) << (*it)[1];
  }
  EXPECT_GT(named, 60);
}

}  // namespace
}  // namespace plimsoll::core

// docs/architecture.md has a table of a service's states and of what follows each. After all histories of this program
// it is what was seen: no state follows another that the table does not name, and all that it names were seen.
#include "tests/unit/core/states_page.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace plimsoll::core {
namespace {

using Named = std::set<std::pair<std::string, std::string>>;

/// The table's rows: | `state` | what is true | leaves by, with each state that follows in backquotes |
Named transitions_of_page(std::istream& page) {
  Named named;
  std::string line;
  bool in_chapter = false;
  while (std::getline(page, line)) {
    if (line.starts_with("#")) in_chapter = line == "### A service's states";
    if (!in_chapter || !line.starts_with("| `")) continue;
    const std::string state = line.substr(3, line.find('`', 3) - 3);
    std::istringstream leaves(line.substr(line.rfind('|', line.size() - 2)));
    std::string piece;
    for (bool quoted = false; std::getline(leaves, piece, '`'); quoted = !quoted) {
      if (quoted) named.emplace(state, piece);
    }
  }
  return named;
}

class StatesPage : public testing::Environment {
 public:
  void TearDown() override {
    Named seen;
    for (const auto& [from, to] : SeenStates::all()) seen.emplace(to_text(from), to_text(to));
    std::ifstream file(std::string{PLIMSOLL_SOURCE_DIR} + "/docs/architecture.md");
    const Named named = transitions_of_page(file);
    EXPECT_FALSE(named.empty()) << "no table of states in docs/architecture.md";
    for (const auto& [from, to] : seen) {
      EXPECT_TRUE(named.contains({from, to})) << to << " followed " << from << ", which the table of states has not";
    }
    const testing::UnitTest& run = *testing::UnitTest::GetInstance();
    if (run.test_to_run_count() != run.total_test_count()) return;  // a part of the histories cannot show all
    for (const auto& [from, to] : named) {
      EXPECT_TRUE(seen.contains({from, to})) << to << " follows " << from << " by the table of states, and never did";
    }
  }
};

// The program's main is GoogleTest's: this is how something is said to happen at its end.
[[maybe_unused]] testing::Environment* const at_the_end = testing::AddGlobalTestEnvironment(new StatesPage);

TEST(StatesPageTable, IsReadRowByRow) {
  std::istringstream page(
      "### Another\n| `a` | x | `b` |\n### A service's states\n| state | what |\n|---|---|\n| `stopped` | it is `x` | "
      "wanted → `starting`; "
      "never `late` |\n");
  EXPECT_EQ(transitions_of_page(page), (Named{{"stopped", "starting"}, {"stopped", "late"}}));
}

}  // namespace
}  // namespace plimsoll::core

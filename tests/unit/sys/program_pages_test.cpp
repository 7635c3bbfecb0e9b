#include "daemon/sys/program_pages.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace plimsoll::sys {
namespace {

/// kB of the program's own file that are mapped and were not written to.
int program_pages() {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::ifstream smaps{"/proc/self/smaps"};
  int found = 0;
  bool counts = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.ends_with(program)) counts = line.find(" r-xp ") != std::string::npos;
    if (counts && line.starts_with("Rss:")) found += std::stoi(line.substr(4));
  }
  return found;
}

TEST(ProgramPages, AreGivenBackAndComeBackWhereTheyAreNeeded) {
  const int before = program_pages();
  give_back_program_pages();
  const int after = program_pages();
  EXPECT_GT(after, 0);
  EXPECT_LT(after, before);
}

}  // namespace
}  // namespace plimsoll::sys

#include "ctl/verbs.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace plimsoll::ctl {
namespace {

std::string manual() {
  std::ifstream file(PLIMSOLL_SOURCE_DIR "/docs/plimsollctl.1.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// "**stop** [*NAME*]": how the man page spells a verb with what it takes.
std::string synopsis(const Verb& verb) {
  std::string line = "\n**" + std::string(verb.name) + "**";
  if (verb.takes & takes_hook) line += " *HOOK*";
  if (verb.takes & takes_service) line += " [*NAME*]";
  if (verb.takes & takes_file) line += " *FILE*";
  if (verb.takes & takes_force) line += " [**--force**]";
  if (verb.takes & takes_rule) line += " [**--rule** *RULE*]";
  if (verb.takes & takes_pid) line += " [**--pid** *PID*]";
  if (verb.takes & takes_for) line += " [**--for** *DURATION*]";
  if (verb.takes & takes_except) line += " [**--except hard**]";
  if (verb.takes & takes_follow) line += " [**-f**]";
  if (verb.takes & takes_since) line += " [**--since** *ID*|*DURATION*]";
  if (verb.takes & takes_count) line += " [**-n** *COUNT*]";
  if (verb.takes & takes_dry_run) line += " [**--dry-run**]";
  return line + "\n:   ";
}

TEST(Verbs, TheManualHasEachVerbWithItsOptionsAndItsHelp) {
  const std::string text = manual();
  for (const Verb& verb : verbs()) {
    const std::size_t at = text.find(synopsis(verb));
    ASSERT_NE(at, text.npos) << synopsis(verb);
    std::string help = text.substr(at + synopsis(verb).size(), 400);
    for (std::size_t end = help.find("\n    "); end != help.npos; end = help.find("\n    ")) help.replace(end, 5, " ");
    EXPECT_TRUE(help.starts_with(verb.help)) << help;
  }
}

TEST(Verbs, TheManualHasNoVerbThatThereIsNot) {
  std::set<std::string> known;
  for (const Verb& verb : verbs()) known.insert(std::string(verb.name));
  std::stringstream text(manual());
  std::set<std::string> written;
  bool in_verbs = false;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("## ")) in_verbs = line == "## VERBS";
    if (in_verbs && line.starts_with("**")) written.insert(line.substr(2, line.find("**", 2) - 2));
  }
  EXPECT_EQ(written, known);
}

TEST(Verbs, StatusIsTheDefaultAndNamesAreUnique) {
  EXPECT_EQ(verbs().front().name, "status");
  std::set<std::string_view> names;
  for (const Verb& verb : verbs()) EXPECT_TRUE(names.insert(verb.name).second) << verb.name;
}

}  // namespace
}  // namespace plimsoll::ctl

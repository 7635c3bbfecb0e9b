#include "daemon/sys/environment_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::sys {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

Variables variables_of(std::string_view text) {
  return parse_environment(text).variables;
}
/// The value that `A=TEXT` gives A.
std::string value_of(const std::string& text) {
  const Variables variables = variables_of("A=" + text);
  return variables.empty() ? "(none)" : variables.front().second;
}

TEST(EnvironmentFile, LinesAreAssignmentsAndTheLastOneNeedsNoEnd) {
  EXPECT_EQ(variables_of("a=a\nb=b"), (Variables{{"a", "a"}, {"b", "b"}}));
  EXPECT_EQ(variables_of("a=\nb="), (Variables{{"a", ""}, {"b", ""}}));
  EXPECT_EQ(variables_of("a=1\r\nb=2\r\n"), (Variables{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(variables_of(""), Variables{});
  EXPECT_EQ(variables_of("a=1\na=2\n"), (Variables{{"a", "1"}, {"a", "2"}})) << "whoever sets them takes the last";
}

TEST(EnvironmentFile, EmptyLinesAndCommentsAreNothing) {
  EXPECT_EQ(variables_of("# one\n\n; two\n  # three\na=1\n#"), (Variables{{"a", "1"}}));
  EXPECT_EQ(value_of("1 # no comment"), "1 # no comment");
  EXPECT_EQ(value_of("1;2"), "1;2");
  EXPECT_EQ(variables_of("# a backslash does not continue a comment \\\na=1\n"), (Variables{{"a", "1"}}));
}

TEST(EnvironmentFile, SpacesAroundNameAndValueAreNoPartOfThem) {
  EXPECT_EQ(variables_of("  a  =  1 2  \n"), (Variables{{"a", "1 2"}}));
  EXPECT_EQ(variables_of("\ta\t=\t1\t\n"), (Variables{{"a", "1"}}));
  EXPECT_EQ(value_of("   "), "");
}

TEST(EnvironmentFile, BackslashBeforeTheEndOfALineContinuesIt) {
  EXPECT_EQ(variables_of("a=a\nb=b\\\nc\nd=d\\\ne\\\nf\ng=g\\ \nh=h\ni=i\\"),
            (Variables{{"a", "a"}, {"b", "bc"}, {"d", "def"}, {"g", "g "}, {"h", "h"}, {"i", "i"}}));
  EXPECT_EQ(value_of("a\\\n"), "a");
  EXPECT_EQ(value_of("a \\\n  b"), "a   b") << "spaces on both sides of it stay";
  EXPECT_EQ(value_of("\\\nb"), "b");
}

TEST(EnvironmentFile, BackslashOutsideOfQuotesTakesTheNextCharacterAsItIs) {
  EXPECT_EQ(value_of("\\n\\t\\\\"), "nt\\");
  EXPECT_EQ(value_of("\\\"a\\\""), "\"a\"");
  EXPECT_EQ(value_of("a\\ "), "a ");
  EXPECT_EQ(value_of("\\$HOME"), "$HOME");
}

TEST(EnvironmentFile, SingleQuotesTakeEverythingAsItIs) {
  EXPECT_EQ(value_of("'a b'"), "a b");
  EXPECT_EQ(value_of("' a\\n \"$b\" '"), " a\\n \"$b\" ");
  EXPECT_EQ(value_of("'line one\nline two'"), "line one\nline two");
  EXPECT_EQ(value_of("''"), "");
}

TEST(EnvironmentFile, DoubleQuotesKnowFourEscapesAndContinuation) {
  EXPECT_EQ(value_of("\"a b\""), "a b");
  EXPECT_EQ(value_of("\"\\\"\\\\\\`\\$\""), "\"\\`$");
  EXPECT_EQ(value_of("\"a\\nb\\'\""), "a\\nb\\'") << "others keep their backslash";
  EXPECT_EQ(value_of("\"one \\\ntwo\""), "one two");
  EXPECT_EQ(value_of("\"one\ntwo\""), "one\ntwo");
}

TEST(EnvironmentFile, QuotedPiecesJoinAndQuotesInsideOfAValueAreText) {
  EXPECT_EQ(value_of("'a' \"b\""), "ab");
  EXPECT_EQ(value_of("\"a\"b"), "ab");
  EXPECT_EQ(value_of("\"a \" b "), "a b");
  EXPECT_EQ(value_of("b \"c d\""), "b \"c d\"");
  EXPECT_EQ(value_of("it's"), "it's");
}

TEST(EnvironmentFile, QuotesThatAreNotClosedRunToTheEnd) {
  EXPECT_EQ(variables_of("a='1\nb=2\n"), (Variables{{"a", "1\nb=2\n"}}));
  EXPECT_EQ(variables_of("a=\"1\nb=2"), (Variables{{"a", "1\nb=2"}}));
  EXPECT_EQ(variables_of("a=\"1\\"), (Variables{{"a", "1"}}));
}

TEST(EnvironmentFile, NothingIsExpanded) {
  EXPECT_EQ(value_of("$HOME/${X}/`id`/$(id)/~"), "$HOME/${X}/`id`/$(id)/~");
  EXPECT_EQ(value_of("\"$HOME\""), "$HOME");
}

TEST(EnvironmentFile, WhatIsNoAssignmentIsToldByItsLine) {
  const EnvironmentText text = parse_environment("ok=1\nexport A=1\nno assignment\n=x\n1A=1\n\nB-C=1\n# fine\nend");
  EXPECT_EQ(text.variables, (Variables{{"ok", "1"}}));
  EXPECT_EQ(text.not_taken, (std::vector<int>{2, 3, 4, 5, 7, 9}));
}

TEST(EnvironmentFile, LinesAreCountedThroughContinuationsAndQuotes) {
  EXPECT_EQ(parse_environment("a=1\\\n2\nb='1\n2'\nc=\"1\\\n2\"\nwrong\n").not_taken, (std::vector<int>{7}));
}

TEST(EnvironmentFile, IsReadWholeAndOnlyIfItIsARegularFile) {
  const ScratchFolder folder;
  EXPECT_EQ(*read_environment_file(folder.write("env", "A=1\n")), "A=1\n");
  const std::string large = folder.write("large", std::string((1U << 20U) + 1, '#'));
  EXPECT_EQ(read_environment_file(large).error().value(), EFBIG);
  EXPECT_EQ(read_environment_file(folder / "missing").error().value(), ENOENT);
  EXPECT_EQ(read_environment_file(folder.path()).error().value(), EISDIR);
  EXPECT_EQ(read_environment_file("/dev/null").error().value(), EINVAL);
  EXPECT_EQ(read_environment_file(folder.write("zero", std::string_view("A=\0", 3))).error().value(), EBADMSG);
  const std::string fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(read_environment_file(fifo).error().value(), EINVAL) << "and nobody waited for its other end";
}

}  // namespace
}  // namespace plimsoll::sys

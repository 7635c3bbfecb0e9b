#include "daemon/sys/accounts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

namespace plimsoll::sys {
namespace {

TEST(Accounts, RootIsFoundByNameAndByNumber) {
  for (const char* user : {"root", "0"}) {
    const auto account = find_account(user);
    ASSERT_TRUE(account && *account) << user;
    EXPECT_EQ((*account)->name, "root");
    EXPECT_EQ((*account)->uid, 0U);
    EXPECT_EQ((*account)->gid, 0U);
    EXPECT_EQ((*account)->home, "/root");
    EXPECT_FALSE((*account)->shell.empty());
  }
  EXPECT_EQ(**find_group("root"), 0U);
}

TEST(Accounts, MissingEntryIsNoError) {
  const auto account = find_account("plimsoll-no-such-user");
  ASSERT_TRUE(account.has_value());
  EXPECT_FALSE(*account);
  EXPECT_FALSE(*find_account("4294967293"));
  EXPECT_FALSE(*find_group("plimsoll-no-such-group"));
}

TEST(Accounts, NumberOfAGroupNeedsNoEntry) {
  EXPECT_EQ(**find_group("4294967293"), 4294967293U);
}

TEST(Accounts, NumbersAreDigitsAlone) {
  EXPECT_EQ(account_number("1000"), 1000U);
  for (const char* text : {"", "-1", "10a", " 1", "4294967296"}) EXPECT_FALSE(account_number(text)) << text;
}

TEST(Accounts, PrimaryGroupIsAmongTheGroupsOfALogin) {
  const std::vector<gid_t> groups = groups_of("root", 12345);
  EXPECT_NE(std::find(groups.begin(), groups.end(), 12345U), groups.end());
}

TEST(Accounts, OwnGroupsAreThoseOfThisProcess) {
  const auto groups = own_groups();
  ASSERT_TRUE(groups.has_value());
  EXPECT_EQ(groups->size(), static_cast<std::size_t>(::getgroups(0, nullptr)));
}

}  // namespace
}  // namespace plimsoll::sys

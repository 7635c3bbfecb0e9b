#include "daemon/run/accounts.hpp"

#include <gtest/gtest.h>

namespace plimsoll::run {
namespace {

TEST(AnAccount, IsTheSameHoweverOftenItIsAskedFor) {
  Accounts accounts;
  const auto asked = *sys::find_account("nobody");
  for (int time = 0; time < 2; ++time) {
    accounts.look_at_files();
    const auto found = accounts.find_account("nobody");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->uid, asked->uid);
    EXPECT_EQ((*found)->home, asked->home);
    EXPECT_EQ(**accounts.find_group("root"), 0U);
    EXPECT_EQ(accounts.groups_of("nobody", asked->gid), sys::groups_of("nobody", asked->gid));
  }
}

TEST(AnAccount, ThatIsNotThereIsAskedForAgain) {
  Accounts accounts;
  for (int time = 0; time < 2; ++time) {
    const auto user = accounts.find_account("plimsoll-no-such-user");
    EXPECT_TRUE(user && !*user);
    const auto group = accounts.find_group("plimsoll-no-such-group");
    EXPECT_TRUE(group && !*group);
  }
}

TEST(AnAccount, HasTheGroupsOfItsNameAndItsPrimaryGroup) {
  Accounts accounts;
  EXPECT_EQ(accounts.groups_of("nobody", 11111), std::vector<gid_t>{11111});
  EXPECT_EQ(accounts.groups_of("nobody", 22222), std::vector<gid_t>{22222});
}

}  // namespace
}  // namespace plimsoll::run

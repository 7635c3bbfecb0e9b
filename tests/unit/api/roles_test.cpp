#include "daemon/api/roles.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace plimsoll::api {
namespace {

constexpr uid_t daemon_uid = 990;
const RoleGroups groups{{50, 51}, {60}};

sys::Peer peer(uid_t uid, gid_t gid, std::vector<gid_t> more = {}) {
  return {1, uid, gid, std::move(more)};
}

TEST(Roles, RootAndTheDaemonsOwnUserAct) {
  EXPECT_EQ(role_of(peer(0, 0), daemon_uid, {}), Role::acting);
  EXPECT_EQ(role_of(peer(daemon_uid, 990), daemon_uid, {}), Role::acting);
}

TEST(Roles, OperatorsActWhetherTheGroupIsTheirFirstOrAnother) {
  EXPECT_EQ(role_of(peer(1000, 50), daemon_uid, groups), Role::acting);
  EXPECT_EQ(role_of(peer(1000, 1000, {7, 51}), daemon_uid, groups), Role::acting);
}

TEST(Roles, ObserversLook) {
  EXPECT_EQ(role_of(peer(1000, 60), daemon_uid, groups), Role::observer);
  EXPECT_EQ(role_of(peer(1000, 1000, {60}), daemon_uid, groups), Role::observer);
}

TEST(Roles, WhoIsInBothGroupsActs) {
  EXPECT_EQ(role_of(peer(1000, 60, {50}), daemon_uid, groups), Role::acting);
}

TEST(Roles, EverybodyElseIsNobody) {
  EXPECT_EQ(role_of(peer(1000, 1000), daemon_uid, groups), Role::nobody);
  EXPECT_EQ(role_of(peer(1000, 0, {0, 990}), daemon_uid, groups), Role::nobody) << "root's group is not root";
  EXPECT_EQ(role_of(peer(1000, 50, {60}), daemon_uid, {}), Role::nobody);
}

TEST(Roles, AGroupThatDoesNotExistGrantsNothing) {
  const RoleGroups found = look_up({{"no-such-group-anywhere", "root"}, {"another-that-is-not"}});
  EXPECT_EQ(found.operators, std::vector<gid_t>{0});
  EXPECT_TRUE(found.observers.empty());
}

TEST(Roles, AnEventNamesThePeerByNumberAndLogin) {
  EXPECT_EQ(name_of(peer(0, 0)), "uid 0 (root)");
  EXPECT_EQ(name_of(peer(3'999'999'999, 0)), "uid 3999999999");
}

}  // namespace
}  // namespace plimsoll::api

#include "daemon/sys/peer.hpp"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "tests/unit/sys/processes.hpp"

namespace plimsoll::sys {
namespace {

struct Pair {
  Fd ours;
  Fd theirs;
  Pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    ours = Fd(ends[0]);
    theirs = Fd(ends[1]);
  }
};

std::vector<gid_t> own_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  groups.resize(static_cast<std::size_t>(::getgroups(static_cast<int>(groups.size()), groups.data())));
  std::sort(groups.begin(), groups.end());
  return groups;
}

std::string wrong_about_ourselves() {
  const Pair pair;
  auto peer = peer_of(pair.ours.get());
  if (!peer) return peer.error().message();
  std::sort(peer->groups.begin(), peer->groups.end());
  const bool right = peer->pid == ::getpid() && peer->uid == ::geteuid() && peer->gid == ::getegid();
  return right && peer->groups == own_groups() ? "" : "not who we are";
}

TEST(Peer, IsTheProcessUserAndGroupsAtTheOtherEnd) {
  EXPECT_EQ(wrong_about_ourselves(), "");
}

TEST(Peer, HasAsManyGroupsAsThereAre) {
  in_own_process([]() -> std::string {
    std::vector<gid_t> many;
    for (gid_t gid = 1000; gid < 1300; ++gid) many.push_back(gid);
    // An ordinary user keeps those it has.
    if (::geteuid() == 0 && ::setgroups(many.size(), many.data()) != 0) return "setgroups";
    return wrong_about_ourselves();
  });
}

TEST(Peer, OfWhatIsNoSocketIsAnError) {
  const Pipe pipe;
  const auto peer = peer_of(pipe.read_end.get());
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().value(), ENOTSOCK);
}

TEST(GroupId, IsFoundByName) {
  const auto root = group_id("root");
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(*root, gid_t{0});
}

TEST(GroupId, OfAnUnknownNameIsEnoent) {
  const auto group = group_id("plimsoll-no-such-group");
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().value(), ENOENT);
}

TEST(UserName, IsTheLoginNameOrTheNumber) {
  EXPECT_EQ(user_name(0), "root");
  EXPECT_EQ(user_name(4'000'000'000), "uid 4000000000");
}

}  // namespace
}  // namespace plimsoll::sys

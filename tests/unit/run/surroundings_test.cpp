#include "daemon/run/surroundings.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/sys/io_priority.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

class PreparationTest : public ::testing::Test {
 protected:
  PreparationTest() {
    service.name = "web";
    settings.inherited = {"PATH=/bin", "HOME=/daemon", "TOKEN=daemon"};
    settings.say = [this](const std::string& of, const std::string& sentence) { said += of + ": " + sentence; };
  }
  Preparation& preparation() {
    if (!made) made.emplace(settings);
    return *made;
  }
  sys::SpawnRequest prepared() {
    sys::SpawnRequest request;
    const auto why = preparation().prepare(service, request);
    if (why) ADD_FAILURE() << why->step << ": " << why->message;
    return request;
  }
  std::string refusal() {
    sys::SpawnRequest request;
    const auto why = preparation().prepare(service, request);
    return why ? why->step + ": " + why->message : "none";
  }
  std::string variable(const sys::SpawnRequest& request, const std::string& name) {
    return look_up(request.environment, name).value_or("(none)");
  }

  Service service;
  Preparation::Settings settings;
  std::optional<Preparation> made;
  std::string said;
};

TEST_F(PreparationTest, NothingIsAskedForThatIsNotWritten) {
  const sys::SpawnRequest request = prepared();
  EXPECT_FALSE(request.user || request.group || request.groups || request.capabilities || request.umask);
  EXPECT_FALSE(request.nice || request.io_priority || request.oom_score_adj || request.no_new_privs);
  EXPECT_TRUE(request.limits.empty());
  EXPECT_EQ(request.environment, (Environment{"PATH=/bin", "HOME=/daemon", "TOKEN=daemon", "PLIMSOLL_SERVICE=web"}));
}

TEST_F(PreparationTest, OwnUserNeedsNoRightsAndBringsItsHome) {
  service.surroundings.edit().user = std::to_string(::geteuid());
  service.surroundings.edit().group = std::to_string(::getegid());
  service.surroundings.edit().groups.emplace();
  for (const gid_t group : *sys::own_groups()) service.surroundings.edit().groups->push_back(std::to_string(group));
  const sys::SpawnRequest request = prepared();
  EXPECT_FALSE(request.user || request.group || request.groups);
  if (const auto account = *sys::find_account(service.surroundings->user)) {
    EXPECT_EQ(variable(request, "HOME"), account->home);
    EXPECT_EQ(variable(request, "USER"), account->name);
    EXPECT_EQ(variable(request, "LOGNAME"), account->name);
    EXPECT_EQ(variable(request, "SHELL"), account->shell);
  }
}

TEST_F(PreparationTest, UserBringsItsGroupsUnlessTheyAreWritten) {
  const auto nobody = *sys::find_account("nobody");
  ASSERT_TRUE(nobody);
  service.surroundings.edit().user = "nobody";
  sys::SpawnRequest request = prepared();
  EXPECT_EQ(request.user, nobody->uid);
  EXPECT_EQ(request.group, nobody->gid);
  EXPECT_EQ(request.groups, sys::groups_of("nobody", nobody->gid));
  service.surroundings.edit().group = "4242";
  service.surroundings.edit().groups = {"root", "77"};
  request = prepared();
  EXPECT_EQ(request.group, 4242U);
  EXPECT_EQ(request.groups, (std::vector<gid_t>{0, 77}));
}

TEST_F(PreparationTest, NumberWithoutAnEntryNeedsAGroup) {
  service.surroundings.edit().user = "4294967001";
  EXPECT_EQ(refusal(), "user: user 4294967001 has no entry, so 'group' must be written");
  service.surroundings.edit().group = "4294967002";
  const sys::SpawnRequest request = prepared();
  EXPECT_EQ(request.user, 4294967001U);
  EXPECT_EQ(request.group, 4294967002U);
  EXPECT_EQ(request.groups, std::vector<gid_t>{4294967002U});
  EXPECT_EQ(variable(request, "HOME"), "/daemon");
}

TEST_F(PreparationTest, MissingAccountIsNamed) {
  service.surroundings.edit().user = "no-such-user";
  EXPECT_EQ(refusal(), "user: no user 'no-such-user'");
  service.surroundings.edit().user.clear();
  service.surroundings.edit().group = "no-such-group";
  EXPECT_EQ(refusal(), "group: no group 'no-such-group'");
  service.surroundings.edit().group.clear();
  service.surroundings.edit().groups = {"0", "no-such-group"};
  EXPECT_EQ(refusal(), "groups: no group 'no-such-group'");
}

TEST_F(PreparationTest, NumbersBecomeTheKernels) {
  Surroundings& around = service.surroundings.edit();
  around.umask = 027;
  around.nice = 3;
  around.ionice = IoPriority{IoClass::idle, 0};
  around.oom_score_adj = 100;
  around.rlimits = {{"nofile", {10, 20}}, {"core", {{}, 0}}};
  around.capabilities = 5;
  around.no_new_privs = true;
  const sys::SpawnRequest request = prepared();
  EXPECT_EQ(request.umask, 027U);
  EXPECT_EQ(request.nice, 3);
  EXPECT_EQ(request.io_priority, sys::io_priority(sys::IoPriorityClass::idle, 0));
  EXPECT_EQ(request.oom_score_adj, 100);
  EXPECT_EQ(request.capabilities, 5U);
  EXPECT_TRUE(request.no_new_privs);
  ASSERT_EQ(request.limits.size(), 2U);
  EXPECT_EQ(request.limits[0].resource, RLIMIT_CORE);
  EXPECT_EQ(request.limits[1].resource, RLIMIT_NOFILE);
  EXPECT_EQ(request.limits[1].hard, 20U);
}

TEST_F(PreparationTest, EveryLimitOfTheConfigurationHasItsNumber) {
  for (const RlimitName& row : rlimit_names()) service.surroundings.edit().rlimits[std::string{row.name}] = {1, 1};
  EXPECT_EQ(prepared().limits.size(), rlimit_names().size());
}

TEST_F(PreparationTest, RefusedLimitIsToldByItsName) {
  EXPECT_EQ(told({sys::SpawnStep::limits, EPERM, RLIMIT_NOFILE}).step, "rlimits.nofile");
  EXPECT_EQ(told({sys::SpawnStep::user, EPERM}).message, "Operation not permitted");
  EXPECT_EQ(told({sys::SpawnStep::user, EPERM}).step, "user");
}

TEST_F(PreparationTest, FilesAreReadAtEachStartTheLaterOneWinning) {
  const ScratchFolder folder;
  const std::string first = folder.write("first", "A=1\nB=1\nPATH=/opt\nPLIMSOLL_RUN=forged\n");
  const std::string second = folder.write("second", "B=2\nC=2\n");
  service.surroundings.edit().environment_file = {{first, false}, {second, false}, {folder / "missing", true}};
  service.environment = {{"C", "table"}};
  sys::SpawnRequest request = prepared();
  EXPECT_EQ(variable(request, "A") + variable(request, "B") + variable(request, "C"), "12table");
  EXPECT_EQ(variable(request, "PATH"), "/opt");
  EXPECT_EQ(variable(request, "PLIMSOLL_RUN"), "(none)");
  folder.write("first", "A=changed\n");
  EXPECT_EQ(variable(prepared(), "A"), "changed");
}

TEST_F(PreparationTest, MissingFileIsAFailureOfTheStartWithItsError) {
  service.surroundings.edit().environment_file = {{"/no/such/file", false}};
  EXPECT_EQ(refusal(), "environment_file: /no/such/file: No such file or directory");
  service.surroundings.edit().environment_file = {{"/", true}};
  EXPECT_EQ(refusal(), "environment_file: /: Is a directory") << "optional is only what may be missing";
}

TEST_F(PreparationTest, LinesThatAreNotTakenAreToldByNumberAndNotByText) {
  const ScratchFolder folder;
  const std::string file = folder.write("env", "A=1\nhunter2\nexport B=hunter2\n");
  service.surroundings.edit().environment_file = {{file, false}};
  prepared();
  EXPECT_EQ(said, "web: cannot take lines 2, 3 of " + file + ": not NAME=value; the rest of the file is used");
}

TEST_F(PreparationTest, HooksTakeTheTableThenTheFilesOfTheLastStartThenTheDaemonsOwn) {
  const ScratchFolder folder;
  service.surroundings.edit().environment_file = {{folder.write("env", "TOKEN=one\nTOKEN=file\nOTHER=file\n"), false}};
  service.environment = {{"OTHER", "table"}};
  EXPECT_EQ(preparation().look_up(service, "TOKEN"), "daemon") << "before the first start nothing was read";
  prepared();
  folder.write("env", "TOKEN=changed\n");
  EXPECT_EQ(preparation().look_up(service, "TOKEN"), "file") << "the app has this one";
  EXPECT_EQ(preparation().look_up(service, "OTHER"), "table");
  EXPECT_EQ(preparation().look_up(service, "HOME"), "/daemon");
  EXPECT_EQ(preparation().look_up(service, "MISSING"), std::nullopt);
  sys::SpawnRequest beside;
  EXPECT_FALSE(preparation().prepare_beside(service, beside));
  EXPECT_EQ(variable(beside, "TOKEN"), "file");
}

TEST_F(PreparationTest, UserOfAServiceIsItsOwnOrOurs) {
  EXPECT_EQ(preparation().user_of(service), ::geteuid());
  service.surroundings.edit().user = "4294967001";
  EXPECT_EQ(preparation().user_of(service), 4294967001U);
  service.surroundings.edit().user = "no-such-user";
  EXPECT_EQ(preparation().user_of(service), std::nullopt);
}

}  // namespace
}  // namespace plimsoll::run

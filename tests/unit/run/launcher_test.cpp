#include "daemon/run/launcher.hpp"

#include <sys/resource.h>
#include <algorithm>
#include <array>

#include "tests/unit/run/edge.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

class LauncherTest : public ::testing::Test {
 protected:
  LauncherTest() : life(*own_life(edge.proc, "test")) {
    service.name = "web";
    settings.life = life;
    prepared.inherited = {"PATH=/usr/bin:/bin", "LEVEL=info", "DROPPED=1"};
    prepared.say = [this](const std::string& of, const std::string& sentence) { said += of + ": " + sentence + "\n"; };
  }
  Launcher::Outcome launch(std::vector<std::string> command) {
    service.command = std::move(command);
    Preparation preparation(prepared);
    Launcher launcher(edge.loop, edge.members, edge.proc, preparation, settings);
    return launcher.launch(service, 5, {{out.write_end.get(), -1}, {}, -1});
  }
  /// Runs it and returns what it wrote.
  std::string said_by(const std::string& script) {
    const auto outcome = launch({"sh", "-c", script});
    const auto* spawned = std::get_if<core::SpawnSucceeded>(&outcome);
    if (spawned == nullptr) {
      ADD_FAILURE() << "not started";
      return {};
    }
    edge.wait_for<core::ProcessEnded>(spawned->main, "its end");
    std::array<char, 4096> text;
    const ssize_t size = ::read(out.read_end.get(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }

  Edge edge;
  Life life;
  Service service;
  Launcher::Settings settings;
  Preparation::Settings prepared;
  std::string said;  ///< sentences of the preparation
  Pipe out{O_CLOEXEC | O_NONBLOCK};
};

TEST_F(LauncherTest, MainProcessIsAMemberAndItsEndIsTold) {
  const auto outcome = launch({"sh", "-c", "exit 7"});
  const auto* spawned = std::get_if<core::SpawnSucceeded>(&outcome);
  ASSERT_NE(spawned, nullptr);
  EXPECT_EQ(spawned->service, "web");
  EXPECT_EQ(spawned->run, 5U);
  const Member* member = edge.members.find(spawned->main);
  ASSERT_NE(member, nullptr);
  EXPECT_TRUE(member->own_child);
  const auto ended = edge.wait_for<core::ProcessEnded>(spawned->main, "its end");
  EXPECT_EQ(ended.exit->code, 7);
  EXPECT_EQ(edge.members.reaped_unrecorded(), 0U);
}

TEST_F(LauncherTest, HandleOfProcessV2NeitherKillsNorReaps) {
  const auto outcome = launch({"sleep", "100000"});
  const auto main = std::get<core::SpawnSucceeded>(outcome).main;
  edge.turns(20);
  EXPECT_FALSE(edge.members.find(main)->ended);
  EXPECT_FALSE(edge.members.send_signal(main, SIGTERM));
  EXPECT_EQ(edge.wait_for<core::ProcessEnded>(main, "its end").exit->signal, SIGTERM);
}

TEST_F(LauncherTest, EnvironmentIsTheInheritedOneChangedAndTagged) {
  service.environment = {{"LEVEL", "debug"}, {"DROPPED", std::nullopt}};
  EXPECT_EQ(said_by("echo $LEVEL ${DROPPED-none} $PLIMSOLL_RUN"),
            "debug none " + to_text(RunTag{life, "web", 5}) + "\n");
}

TEST_F(LauncherTest, StdinIsEmptyAndTheSessionIsItsOwn) {
  EXPECT_EQ(said_by("cat; [ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo own"), "own\n");
}

TEST_F(LauncherTest, EntrypointInheritsSessionAndStdio) {
  settings.entrypoint = true;
  const std::string ours = std::to_string(::getsid(0));
  const auto outcome = launch({"sh", "-c", "[ $(cut -d' ' -f6 /proc/$$/stat) = " + ours + " ]"});
  const auto main = std::get<core::SpawnSucceeded>(outcome).main;
  EXPECT_EQ(edge.wait_for<core::ProcessEnded>(main, "its end").exit->code, 0);
}

TEST_F(LauncherTest, WorkingDirectoryAndDescriptorLimitAreTaken) {
  const ScratchFolder folder;
  service.working_directory = folder.path();
  prepared.descriptor_limit = 123;
  EXPECT_EQ(said_by("pwd; ulimit -Sn"), folder.path() + "\n123\n");
}

TEST_F(LauncherTest, FailureIsToldByStepAndError) {
  const auto outcome = launch({"/no/such/program"});
  const auto* failed = std::get_if<core::SpawnFailed>(&outcome);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->service, "web");
  EXPECT_EQ(failed->run, 5U);
  EXPECT_EQ(failed->step, "exec");
  EXPECT_EQ(failed->error, ENOENT);
  EXPECT_EQ(failed->message, "No such file or directory");
  EXPECT_EQ(edge.members.size(), 0U);
  EXPECT_EQ(sys::peek_ended_child().error().value(), ECHILD);
}

TEST_F(LauncherTest, WithoutDescriptorsNothingIsLeftRunning) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Preparation preparation(prepared);
  Launcher launcher(edge.loop, edge.members, edge.proc, preparation, settings);
  service.command = {"sleep", "100000"};
  // One more descriptor at a time, until there are enough: each failure on the way leaves nothing.
  bool started = false;
  const int next = ::dup(0);
  ::close(next);
  for (rlim_t limit = static_cast<rlim_t>(next); !started; ++limit) {
    const rlimit few{limit, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto outcome = launcher.launch(service, 1, {});
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    started = std::holds_alternative<core::SpawnSucceeded>(outcome);
    if (!started) {
      EXPECT_EQ(std::get<core::SpawnFailed>(outcome).error, EMFILE);
      edge.until([&] { return Edge::children().empty(); }, "nothing left");
      EXPECT_EQ(edge.members.size(), 0U);
    }
    ASSERT_LT(limit, static_cast<rlim_t>(next) + 20);
  }
}

}  // namespace
}  // namespace plimsoll::run

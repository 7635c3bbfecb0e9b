#include "daemon/run/leftovers.hpp"

#include <sys/inotify.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "daemon/sys/spawn.hpp"
#include "tests/unit/run/edge.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

class LeftoversTest : public ::testing::Test {
 protected:
  // A name of this run's own: another run of these tests beside it leaves the same things behind.
  LeftoversTest() : life(*own_life(edge.proc, "test-leftovers-" + std::to_string(::getpid()))) {}

  /// Of a daemon of our name that has lived: a process that is dead by now.
  Life dead_life() {
    const pid_t pid = Edge::fork_child([] {
      wait_for_ever();
      return 0;
    });
    Life dead = life;
    dead.process = Edge::id_of(pid);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return dead;
  }
  core::ProcessId left_behind(const std::string& tag) {
    sys::SpawnRequest request;
    request.argv = {"sleep", "100000"};
    request.environment = {"PATH=/usr/bin:/bin", "PLIMSOLL_RUN=" + tag};
    const auto outcome = sys::spawn(request);
    EXPECT_TRUE(outcome.ok);
    // spawn() is back when the exec has begun; until it is over there is no environment to be read.
    edge.until([&] { return !edge.proc.environ(outcome.spawned.pid)->empty(); }, "its environment");
    return Edge::id_of(outcome.spawned.pid);
  }
  core::LeftoversLookedFor look(const std::string& service) {
    return Leftovers(edge.proc, sources, life).look(service);
  }

  Edge edge;
  Sources sources;
  Life life;
};

TEST_F(LeftoversTest, ProcessOfADeadDaemonIsFoundForItsServiceAlone) {
  const Life dead = dead_life();
  const auto process = left_behind(to_text({dead, "web", 4}));
  const auto looked = look("web");
  EXPECT_EQ(looked.service, "web");
  ASSERT_EQ(looked.found.size(), 1U);
  EXPECT_EQ(looked.found[0].id, process);
  EXPECT_EQ(looked.found[0].comm, "sleep");
  EXPECT_EQ(looked.found[0].run, 4U);
  EXPECT_EQ(looked.found[0].daemon_pid, dead.process.pid);
  EXPECT_TRUE(look("api").found.empty());
}

TEST_F(LeftoversTest, ProcessOfALivingDaemonIsNone) {
  left_behind(to_text({life, "web", 4}));
  EXPECT_TRUE(look("web").found.empty());
}

TEST_F(LeftoversTest, AnotherNameBootOrNamespaceIsNone) {
  Life other = dead_life();
  other.daemon = "other";
  left_behind(to_text({other, "web", 1}));
  other = dead_life();
  other.boot_id[0] = other.boot_id[0] == 'a' ? 'b' : 'a';
  left_behind(to_text({other, "web", 1}));
  other = dead_life();
  ++other.pid_namespace;
  left_behind(to_text({other, "web", 1}));
  left_behind("nonsense");
  EXPECT_TRUE(look("web").found.empty());
}

TEST_F(LeftoversTest, AncestorOfOursIsSpared) {
  // The child looks for leftovers itself; its parent carries the tag, and is none for it.
  const Life dead = dead_life();
  const Pipe pipe;
  Edge::fork_child([&] {
    const std::string tag = "PLIMSOLL_RUN=" + to_text({dead, "web", 1});
    Edge::fork_child([&] {
      // Its name comes before its environment.
      const sys::ProcFs proc;
      while (proc.stat(::getppid())->comm != "sleep" || proc.environ(::getppid())->empty()) {
      }
      pipe.tell(static_cast<int>(look("web").found.size()));
      return 0;
    });
    const char* environment[] = {tag.c_str(), "PATH=/usr/bin:/bin", nullptr};
    ::execle("/bin/sleep", "sleep", "100000", nullptr, environment);
    return 127;
  });
  EXPECT_EQ(pipe.next(), 0);
  EXPECT_EQ(look("web").found.size(), 1U) << "for us it is one";
}

TEST_F(LeftoversTest, WithoutEnvironmentsNothingIsFoundAndNothingSignalled) {
  const auto process = left_behind(to_text({dead_life(), "web", 4}));
  sources.environ = false;
  EXPECT_TRUE(look("web").found.empty());
  EXPECT_EQ(Leftovers(edge.proc, sources, life).signal({process, SIGKILL, "web"}).value(), ESRCH);
}

/// A /proc of our own, in which is seen whose environment is opened.
class LeftoversOfOthers : public ::testing::Test {
 protected:
  LeftoversOfOthers() : life(*own_life(sys::ProcFs(), "test-leftovers")) {
    std::filesystem::create_directories(proc / std::to_string(::getpid()));
  }
  void add(pid_t pid, uid_t uid) {
    const std::string folder = std::to_string(pid);
    const std::string id = std::to_string(uid);
    proc.write(folder + "/status", "Name:\tx\nUid:\t" + id + "\t" + id + "\t" + id + "\t" + id + "\n");
    const std::string file = proc.write(folder + "/environ", "A=b");
    watched[::inotify_add_watch(opened.get(), file.c_str(), IN_OPEN)] = pid;
  }
  /// Whose environment was opened since it was last asked.
  std::set<pid_t> read() {
    std::set<pid_t> pids;
    alignas(inotify_event) std::array<char, 4096> bytes{};
    const ssize_t size = ::read(opened.get(), bytes.data(), bytes.size());
    for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(sizeof(inotify_event))) {
      inotify_event event{};
      std::memcpy(&event, bytes.data() + at, sizeof event);
      pids.insert(watched.at(event.wd));
    }
    return pids;
  }

  Life life;
  ScratchFolder proc;
  sys::Fd opened{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  std::map<int, pid_t> watched;
};

TEST_F(LeftoversOfOthers, EnvironmentIsReadOfOurOwnAndTheServicesUserAlone) {
  const uid_t ours = ::getuid();
  add(3'000'001, ours);
  add(3'000'002, ours + 1);
  add(3'000'003, ours + 2);
  Leftovers leftovers(sys::ProcFs(proc.path()), Sources{}, life);
  EXPECT_TRUE(leftovers.look("web").readable);
  EXPECT_EQ(read(), std::set<pid_t>{3'000'001});
  EXPECT_TRUE(leftovers.look("api", ours + 2).readable);
  EXPECT_TRUE(read().contains(3'000'003)) << "the walk that was for another service has not left it out";
  EXPECT_TRUE(Leftovers(sys::ProcFs(proc.path()), Sources{}, life).look("api", ours + 2).readable);
  EXPECT_EQ(read(), (std::set<pid_t>{3'000'001, 3'000'003}));
}

TEST_F(LeftoversTest, SignalReachesTheLeftover) {
  const auto process = left_behind(to_text({dead_life(), "web", 4}));
  EXPECT_FALSE(Leftovers(edge.proc, sources, life).signal({process, SIGTERM, "web"}));
  int status = 0;
  ASSERT_EQ(::waitpid(process.pid, &status, 0), process.pid);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST_F(LeftoversTest, NothingElseIsSignalled) {
  const Leftovers leftovers(edge.proc, sources, life);
  const auto process = left_behind(to_text({dead_life(), "web", 4}));
  EXPECT_EQ(leftovers.signal({process, SIGKILL, "api"}).value(), ESRCH) << "another service's";
  EXPECT_EQ(leftovers.signal({{process.pid, process.start_time + 1}, SIGKILL, "web"}).value(), ESRCH);
  const auto alive = left_behind(to_text({life, "web", 4}));
  EXPECT_EQ(leftovers.signal({alive, SIGKILL, "web"}).value(), ESRCH) << "a living daemon's";
  EXPECT_EQ(leftovers.signal({life.process, SIGKILL, "web"}).value(), ESRCH) << "ourselves";
  for (const auto& id : {process, alive}) EXPECT_FALSE(sys::has_ended(*sys::open_pidfd(id.pid)));
}

}  // namespace
}  // namespace plimsoll::run

#include "daemon/sys/socket_path.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "tests/unit/sys/processes.hpp"
#include "tests/unit/sys/scratch_folder.hpp"
#include "tests/unit/sys/sent_descriptor.hpp"

namespace plimsoll::sys {
namespace {

namespace fs = std::filesystem;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// 0 or the errno of connecting.
int connect_to(const std::string& path) {
  const Fd caller(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  const int done = ::connect(caller.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return done == 0 ? 0 : errno;
}

/// A bound socket of somebody who knows no lock.
Fd bound_without_lock(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

int error_of_opening(const std::string& path) {
  const auto socket = ListeningSocket::open(path);
  return socket ? 0 : socket.error().value();
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

TEST(SocketCandidates, ConfiguredIsTheOnlyOne) {
  ::setenv("PLIMSOLL_SOCKET", "/from/environment", 1);
  EXPECT_EQ(socket_candidates("/from/file", "main"), std::vector<std::string>{"/from/file"});
  EXPECT_EQ(socket_candidates("", "main"), std::vector<std::string>{"/from/environment"});
  ::unsetenv("PLIMSOLL_SOCKET");
}

TEST(SocketCandidates, AreTheUsualPlacesOtherwise) {
  ::setenv("PLIMSOLL_SOCKET", "", 1);
  const std::string own = "/tmp/plimsoll-" + std::to_string(::geteuid()) + "/api.sock";
  EXPECT_EQ(socket_candidates("", "api"), (std::vector<std::string>{"/run/plimsoll/api.sock", own}));
  ::unsetenv("PLIMSOLL_SOCKET");
}

TEST(ListeningSocket, AnswersAndIsGoneAtItsEnd) {
  const ScratchFolder folder;
  const std::string path = folder / "main.sock";
  {
    const auto socket = ListeningSocket::open(path);
    ASSERT_TRUE(socket.has_value()) << socket.error().message();
    EXPECT_EQ(socket->path(), path);
    EXPECT_EQ(mode_of(path), mode_t{0666});
    EXPECT_EQ(connect_to(path), 0);
    EXPECT_NE(::fcntl(socket->fd(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(socket->fd(), F_GETFD), FD_CLOEXEC);
  }
  EXPECT_TRUE(fs::is_empty(folder.path())) << "the lock's file too";
}

TEST(ListeningSocket, SecondIsAddressInUseAndTheFirstStays) {
  const ScratchFolder folder;
  const std::string path = folder / "main.sock";
  const auto first = ListeningSocket::open(path);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(error_of_opening(path), EADDRINUSE);
  EXPECT_EQ(error_of_opening(path), EADDRINUSE);
  EXPECT_EQ(connect_to(path), 0);
}

TEST(ListeningSocket, LockCountsAfterTheDescriptorWasGivenAway) {
  const ScratchFolder folder;
  auto first = ListeningSocket::open(folder / "main.sock");
  ASSERT_TRUE(first.has_value());
  const Fd given(first->release_fd());
  EXPECT_EQ(first->fd(), -1);
  EXPECT_EQ(error_of_opening(folder / "main.sock"), EADDRINUSE);
  EXPECT_EQ(connect_to(folder / "main.sock"), 0);
}

TEST(ListeningSocket, ThatOfAKilledDaemonIsReplaced) {
  const ScratchFolder folder;
  const std::string path = folder / "main.sock";
  const pid_t pid = fork_unbuffered();
  if (pid == 0) {
    const auto socket = ListeningSocket::open(path);
    ::raise(SIGKILL);
  }
  const auto pidfd = open_pidfd(pid);
  ASSERT_TRUE(pidfd.has_value());
  EXPECT_EQ(status_of(*pidfd).signal, SIGKILL);
  EXPECT_TRUE(fs::exists(path));
  EXPECT_EQ(connect_to(path), ECONNREFUSED);

  const auto next = ListeningSocket::open(path);
  ASSERT_TRUE(next.has_value()) << next.error().message();
  EXPECT_EQ(connect_to(path), 0);
}

TEST(ListeningSocket, DeadSocketWithoutALockIsReplaced) {
  const ScratchFolder folder;
  (void)bound_without_lock(folder / "main.sock");
  const auto next = ListeningSocket::open(folder / "main.sock");
  ASSERT_TRUE(next.has_value()) << next.error().message();
  EXPECT_EQ(connect_to(folder / "main.sock"), 0);
}

TEST(ListeningSocket, SomebodyWhoListensWithoutALockIsLeftAlone) {
  const ScratchFolder folder;
  const Fd other = bound_without_lock(folder / "main.sock");
  ASSERT_EQ(::listen(other.get(), 1), 0);
  EXPECT_EQ(error_of_opening(folder / "main.sock"), EADDRINUSE);
  EXPECT_EQ(connect_to(folder / "main.sock"), 0);
  EXPECT_FALSE(fs::exists(folder / "main.sock.lock"));
}

TEST(ListeningSocket, WhatIsNoSocketIsLeftAlone) {
  const ScratchFolder folder;
  folder.write("file", "precious");
  EXPECT_EQ(error_of_opening(folder / "file"), EEXIST);
  EXPECT_EQ(fs::file_size(folder / "file"), 8U);
  fs::create_directory(folder / "sub");
  EXPECT_EQ(error_of_opening(folder / "sub"), EEXIST);
  fs::create_symlink(folder / "nowhere", folder / "link");
  EXPECT_EQ(error_of_opening(folder / "link"), EEXIST);
}

TEST(ListeningSocket, LockFileThatIsALinkIsRefused) {
  const ScratchFolder folder;
  fs::create_symlink(folder / "victim", folder / "main.sock.lock");
  EXPECT_EQ(error_of_opening(folder / "main.sock"), ELOOP);
  EXPECT_FALSE(fs::exists(folder / "victim"));
}

TEST(ListeningSocket, PathMustFit) {
  const ScratchFolder folder;
  EXPECT_EQ(error_of_opening(folder / std::string(108, 'x')), ENAMETOOLONG);
  EXPECT_EQ(error_of_opening(""), EINVAL);
  const std::string longest = folder / std::string(107 - folder.path().size() - 1, 'x');
  ASSERT_EQ(longest.size(), 107U);
  EXPECT_EQ(error_of_opening(longest), 0);
}

TEST(ListeningSocket, MakesItsFolderForEverybodyWhateverTheUmask) {
  const ScratchFolder folder;
  const mode_t before = ::umask(077);
  const auto socket = ListeningSocket::open(folder / "run/main.sock");
  ::umask(before);
  ASSERT_TRUE(socket.has_value()) << socket.error().message();
  EXPECT_EQ(mode_of(folder / "run"), mode_t{0755});
  EXPECT_EQ(mode_of(folder / "run/main.sock"), mode_t{0666});
  EXPECT_EQ(error_of_opening(folder / "a/b/main.sock"), ENOENT) << "one folder, not a tree";
}

TEST(ListeningSocket, MovedFromUnlinksNothing) {
  const ScratchFolder folder;
  auto first = ListeningSocket::open(folder / "main.sock");
  ASSERT_TRUE(first.has_value());
  std::optional<ListeningSocket> source(std::move(*first));
  const ListeningSocket target(std::move(*source));
  source.reset();
  EXPECT_EQ(connect_to(folder / "main.sock"), 0);
  EXPECT_EQ(error_of_opening(folder / "main.sock"), EADDRINUSE);
}

TEST(ListeningSocket, AssignmentGivesUpTheOldPathAndKeepsTheNew) {
  const ScratchFolder folder;
  auto first = ListeningSocket::open(folder / "first.sock");
  auto second = ListeningSocket::open(folder / "second.sock");
  ASSERT_TRUE(first && second);
  *first = std::move(*second);
  EXPECT_FALSE(fs::exists(folder / "first.sock"));
  EXPECT_FALSE(fs::exists(folder / "first.sock.lock"));
  EXPECT_EQ(connect_to(folder / "second.sock"), 0);
  EXPECT_EQ(first->path(), folder / "second.sock");
}

TEST(ListeningSocket, LeavesAPathThatSomebodyTookOverAfterACleanUp) {
  const ScratchFolder folder;
  const std::string path = folder / "main.sock";
  std::optional<ListeningSocket> first;
  {
    auto opened = ListeningSocket::open(path);
    ASSERT_TRUE(opened.has_value());
    first.emplace(std::move(*opened));
  }
  fs::remove(path);
  fs::remove(path + ".lock");
  const auto second = ListeningSocket::open(path);
  ASSERT_TRUE(second.has_value());
  first.reset();
  EXPECT_EQ(connect_to(path), 0);
  EXPECT_EQ(error_of_opening(path), EADDRINUSE);
}

/// Root becomes a user that nobody is, so that /tmp/plimsoll-UID is nobody's yet; an ordinary user stays who it is.
bool become_nobody_known() {
  const auto uid = static_cast<uid_t>(2'000'000 + ::getpid());
  return ::geteuid() != 0 || ::setresuid(uid, uid, uid) == 0;
}

TEST(PrivateFolder, IsMadeForItsUserAloneAndRefusedWhenOthersCanWriteIt) {
  in_own_process([]() -> std::string {
    if (!become_nobody_known()) return "setresuid";
    const std::string folder = "/tmp/plimsoll-" + std::to_string(::geteuid());
    const std::string path = folder + "/unit-" + std::to_string(::getpid()) + ".sock";
    const bool was_there = fs::exists(folder);
    if (const int error = error_of_opening(path)) return strerror(error);
    if (mode_of(folder) != 0700) return "not 0700";
    if (was_there) return "";  // a daemon of this user's own is not to be disturbed
    for (const mode_t mode : {mode_t{0720}, mode_t{0702}}) {
      ::chmod(folder.c_str(), mode);
      const int error = error_of_opening(path);
      ::chmod(folder.c_str(), 0700);
      if (error != EPERM) return "taken though others can write it";
    }
    fs::remove(folder);
    return "";
  });
}

TEST(PrivateFolder, IsNoLinkAndNoFile) {
  in_own_process([]() -> std::string {
    if (!become_nobody_known()) return "setresuid";
    const std::string folder = "/tmp/plimsoll-" + std::to_string(::geteuid());
    if (fs::exists(folder)) return "";  // as above
    fs::create_symlink("/tmp", folder);
    const int link = error_of_opening(folder + "/unit.sock");
    fs::remove(folder);
    { const std::ofstream file(folder); }
    const int file = error_of_opening(folder + "/unit.sock");
    fs::remove(folder);
    return link == ENOTDIR && file == ENOTDIR ? "" : "taken though it is no folder";
  });
}

TEST(ChosenFolder, OfAThirdUserIsRefusedAndRootsWillDo) {
  const ScratchFolder folder;
  if (::geteuid() == 0) {  // nobody else can give a folder away
    ASSERT_EQ(::chown(folder.path().c_str(), 12345, 12345), 0);
    EXPECT_EQ(error_of_opening(folder / "main.sock"), EPERM);
  }
  in_own_process([]() -> std::string {
    if (!become_nobody_known()) return "setresuid";
    const std::string path = "/tmp/plimsoll-unit-" + std::to_string(::getpid()) + ".sock";
    const int error = error_of_opening(path);
    return error == 0 ? "" : strerror(error);
  });
}

TEST(ListeningSocket, TakesNoDescriptorsOfItsClients) {
  constexpr int passes_rights = 83;
  const ScratchFolder folder;
  const auto socket = ListeningSocket::open(folder / "main.sock");
  ASSERT_TRUE(socket);
  int value = -1;
  socklen_t size = sizeof value;
  if (::getsockopt(socket->fd(), SOL_SOCKET, passes_rights, &value, &size) != 0) {
    ASSERT_EQ(errno, ENOPROTOOPT);
    GTEST_SKIP() << "SO_PASSRIGHTS came with Linux 6.16: here they are taken";
  }
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(socket->path());
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(send_descriptor(client.get(), "x", client.get()), EPERM) << "before it is accepted";
  const Fd accepted(::accept4(socket->fd(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  EXPECT_EQ(send_descriptor(client.get(), "x", client.get()), EPERM) << "afterwards";
  EXPECT_EQ(::send(client.get(), "GET", 3, MSG_NOSIGNAL), 3);
}

}  // namespace
}  // namespace plimsoll::sys

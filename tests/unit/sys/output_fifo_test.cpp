#include "daemon/sys/output_fifo.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/unit/sys/processes.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::sys {
namespace {

namespace fs = std::filesystem;

/// Where nothing can be written, for root neither.
constexpr const char* unwritable = "/proc/plimsoll/main.d";

struct stat status_of_path(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  return found;
}

ino_t inode_of(const Fd& fd) {
  struct stat found {};
  EXPECT_EQ(::fstat(fd.get(), &found), 0);
  return found.st_ino;
}

bool can_be_read_now(const Fd& fd) {
  pollfd ask{fd.get(), POLLIN, 0};
  return ::poll(&ask, 1, 0) == 1;
}

class Output : public testing::TestWithParam<bool> {
 protected:
  [[nodiscard]] Result<OutputFifo> open() const {
    return OutputFolder(GetParam() ? folder_ / "main.d" : unwritable).open("web.out");
  }

 private:
  ScratchFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Sys, Output, testing::Bool(),
                         [](const auto& named) { return named.param ? "Fifo" : "PipeWhereNothingCanBeWritten"; });

TEST_P(Output, EndsAreWhatTheySay) {
  const auto output = open();
  ASSERT_TRUE(output.has_value()) << output.error().message();
  const int ours = ::fcntl(output->read_end.get(), F_GETFL);
  const int childs = ::fcntl(output->child_end.get(), F_GETFL);
  EXPECT_NE(ours & O_NONBLOCK, 0);
  EXPECT_EQ(ours & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(childs & O_NONBLOCK, 0);
  EXPECT_EQ(childs & O_ACCMODE, O_RDWR);
  EXPECT_EQ(::fcntl(output->read_end.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(output->child_end.get(), F_GETFD), FD_CLOEXEC);
}

TEST_P(Output, WhatTheChildWritesIsRead) {
  auto output = open();
  ASSERT_TRUE(output.has_value());
  SpawnRequest request = request_of({"sh", "-c", "echo line; echo second >&2"});
  request.stdout_fd = output->child_end.get();
  request.stderr_fd = output->child_end.get();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok);
  output->child_end = Fd();
  EXPECT_EQ(read_to_end(output->read_end), "line\nsecond\n");
  EXPECT_EQ(status_of(outcome.spawned.pidfd).code, 0);
}

TEST_P(Output, EmptyOneDoesNotBlockUs) {
  const auto output = open();
  ASSERT_TRUE(output.has_value());
  char byte = 0;
  EXPECT_EQ(::read(output->read_end.get(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_P(Output, WriterSeesNoBrokenPipeAfterTheReadEndClosed) {
  auto output = open();
  ASSERT_TRUE(output.has_value());
  Pipe go;
  SpawnRequest request = request_of({"sh", "-c", "read line; echo \"$line\""});
  request.stdin_fd = go.read_end.get();
  request.stdout_fd = output->child_end.get();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok);
  output->child_end = Fd();
  output->read_end = Fd();
  ASSERT_EQ(::write(go.write_end.get(), "late\n", 5), 5);
  const auto status = status_of(outcome.spawned.pidfd);
  EXPECT_FALSE(status.signaled) << status.signal;
  EXPECT_EQ(status.code, 0);
}

TEST_P(Output, ChildCanOpenItsStdoutAgain) {
  auto output = open();
  ASSERT_TRUE(output.has_value());
  SpawnRequest request = request_of({"sh", "-c", "echo again > /proc/self/fd/1"});
  request.stdout_fd = output->child_end.get();
  const auto outcome = spawn(request);
  ASSERT_TRUE(outcome.ok);
  EXPECT_EQ(read_exactly(output->read_end, 6), "again\n");
  EXPECT_EQ(status_of(outcome.spawned.pidfd).code, 0);
}

TEST(OutputFifo, IsForItsUserAlone) {
  const ScratchFolder folder;
  const mode_t before = ::umask(0277);
  const auto output = OutputFolder(folder / "main.d").open("web.out");
  ::umask(before);
  ASSERT_TRUE(output.has_value()) << output.error().message();
  const auto fifo = status_of_path(folder / "main.d/web.out");
  EXPECT_TRUE(S_ISFIFO(fifo.st_mode));
  EXPECT_EQ(fifo.st_mode & 07777, mode_t{0600});
  EXPECT_EQ(status_of_path(folder / "main.d").st_mode & 07777, mode_t{0700});
}

TEST(OutputFifo, IsTakenAgainByTheNextRun) {
  const ScratchFolder folder;
  const auto first = OutputFolder(folder / "main.d").open("web.out");
  const auto second = OutputFolder(folder / "main.d").open("web.out");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(inode_of(first->child_end), inode_of(second->read_end));
}

TEST(OutputFifo, FolderThatIsRemovedIsMadeAgain) {
  const ScratchFolder folder;
  OutputFolder held(folder / "main.d");
  ASSERT_TRUE(held.open("web.out").has_value());
  fs::remove_all(folder / "main.d");
  const auto output = held.open("web.err");
  ASSERT_TRUE(output.has_value()) << output.error().message();
  EXPECT_EQ(status_of_path(folder / "main.d/web.err").st_ino, inode_of(output->read_end));
  EXPECT_EQ(status_of_path(folder / "main.d").st_mode & 07777, mode_t{0700});
}

TEST(OutputFifo, FolderThatIsAnothersByThenIsNotUsed) {
  const ScratchFolder folder;
  OutputFolder held(folder / "main.d");
  ASSERT_TRUE(held.open("web.out").has_value());
  fs::remove_all(folder / "main.d");
  fs::create_directory(folder / "elsewhere");
  fs::create_symlink(folder / "elsewhere", folder / "main.d");
  const auto output = held.open("web.err");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().value(), EEXIST);
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST(OutputFifo, OneThatOthersCanReadIsReplaced) {
  const ScratchFolder folder;
  fs::create_directory(folder / "main.d");
  const std::string path = folder / "main.d/web.out";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  const Fd old(::open(path.c_str(), O_RDWR | O_CLOEXEC));  // held, so that its inode number is not given to the new one
  const auto output = OutputFolder(folder / "main.d").open("web.out");
  ASSERT_TRUE(output.has_value()) << output.error().message();
  EXPECT_NE(inode_of(output->read_end), inode_of(old));
  EXPECT_EQ(status_of_path(path).st_mode & 07777, mode_t{0600});
}

TEST(OutputFifo, FileOrLinkOfOursInTheWayIsReplaced) {
  const ScratchFolder folder;
  folder.write("main.d/file.out", "old");
  folder.write("target", "kept");
  fs::create_symlink(folder / "target", folder / "main.d/link.out");
  for (const char* name : {"file.out", "link.out"}) {
    const auto output = OutputFolder(folder / "main.d").open(name);
    ASSERT_TRUE(output.has_value()) << output.error().message();
    EXPECT_TRUE(S_ISFIFO(status_of_path(folder / "main.d" + "/" + name).st_mode)) << name;
  }
  EXPECT_EQ(fs::file_size(folder / "target"), 4U);
}

TEST(OutputFifo, FolderInTheWayIsAnError) {
  const ScratchFolder folder;
  fs::create_directories(folder / "main.d/web.out");
  const auto output = OutputFolder(folder / "main.d").open("web.out");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().value(), EISDIR);
}

TEST(OutputFifo, FolderThatIsALinkOrAFileIsAnError) {
  const ScratchFolder folder;
  fs::create_symlink(folder.path(), folder / "link.d");
  folder.write("file.d", "");
  for (const char* name : {"link.d", "file.d"}) {
    const auto output = OutputFolder(folder / name).open("web.out");
    ASSERT_FALSE(output) << name;
    EXPECT_EQ(output.error().value(), EEXIST) << name;
  }
  EXPECT_FALSE(fs::exists(folder / "web.out"));
}

TEST(OutputFifo, WhatIsAnotherUsersIsNeverTaken) {
  const ScratchFolder folder;
  // "/usr" is root's: to root itself it is made another's, in a folder of our own.
  std::string foreign = "/usr";
  if (::geteuid() == 0) {
    foreign = folder / "foreign.d";
    fs::create_directory(foreign);
    ASSERT_EQ(::chown(foreign.c_str(), 12345, 12345), 0);
    // A folder that is open to others, and what another put into it.
    const std::string open_one = folder / "open.d";
    fs::create_directory(open_one);
    ASSERT_EQ(::chmod(open_one.c_str(), 0777), 0);
    const std::string planted = open_one + "/planted.out";
    ASSERT_EQ(::mkfifo(planted.c_str(), 0600), 0);
    ASSERT_EQ(::chown(planted.c_str(), 12345, 12345), 0);
    const auto output = OutputFolder(open_one).open("planted.out");
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().value(), EEXIST);
  }
  const auto output = OutputFolder(foreign).open("web.out");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().value(), EEXIST);
}

TEST(OutputFifo, OneThatWasGivenToAServicesUserIsTakenAgainAndDrained) {
  const ScratchFolder folder;
  const auto first = OutputFolder(folder / "main.d").open("web.out");
  ASSERT_TRUE(first.has_value());
  // Without root it stays ours; then this is the common case.
  const uid_t user = ::geteuid() == 0 ? 12345 : ::geteuid();
  ASSERT_EQ(::fchown(first->child_end.get(), user, static_cast<gid_t>(-1)), 0);
  ASSERT_EQ(::write(first->child_end.get(), "left\n", 5), 5);
  EXPECT_EQ(*drain_fifos(folder / "main.d"), "left\n");
  const auto second = OutputFolder(folder / "main.d").open("web.out");
  ASSERT_TRUE(second.has_value());
  struct stat one {};
  struct stat other {};
  ASSERT_EQ(::fstat(first->child_end.get(), &one), 0);
  ASSERT_EQ(::fstat(second->child_end.get(), &other), 0);
  EXPECT_EQ(one.st_ino, other.st_ino);
}

TEST(DrainFifos, ReadsWhatAnEarlierDaemonLeft) {
  const ScratchFolder folder;
  auto first = OutputFolder(folder / "main.d").open("a.out");
  auto second = OutputFolder(folder / "main.d").open("b.err");
  ASSERT_TRUE(first && second);
  first->read_end = Fd();
  second->read_end = Fd();
  ASSERT_EQ(::write(first->child_end.get(), "one\n", 4), 4);
  ASSERT_EQ(::write(second->child_end.get(), "two\n", 4), 4);
  folder.write("main.d/c.out", "no FIFO\n");
  const auto drained = drain_fifos(folder / "main.d");
  ASSERT_TRUE(drained.has_value());
  EXPECT_EQ(*drained, "one\ntwo\n");
  EXPECT_EQ(*drain_fifos(folder / "main.d"), "");
}

TEST(DrainFifos, MakesRoomInAFullOne) {
  const ScratchFolder folder;
  const auto output = OutputFolder(folder / "main.d").open("a.out");
  ASSERT_TRUE(output.has_value());
  // Written through a description of our own that does not block, until it is full.
  const Fd writer(::open((folder / "main.d/a.out").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  const std::string piece(4096, 'x');
  std::size_t written = 0;
  for (ssize_t n = 0; n >= 0; n = ::write(writer.get(), piece.data(), piece.size())) {
    written += static_cast<std::size_t>(n);
  }
  ASSERT_EQ(errno, EAGAIN);
  const auto drained = drain_fifos(folder / "main.d");
  ASSERT_TRUE(drained.has_value());
  EXPECT_EQ(drained->size(), written);
  EXPECT_FALSE(can_be_read_now(output->read_end));
  EXPECT_EQ(::write(writer.get(), piece.data(), piece.size()), 4096);
}

TEST(DrainFifos, FolderThatIsNotThereHoldsNothing) {
  const ScratchFolder folder;
  const auto drained = drain_fifos(folder / "missing.d");
  ASSERT_TRUE(drained.has_value());
  EXPECT_EQ(*drained, "");
}

}  // namespace
}  // namespace plimsoll::sys

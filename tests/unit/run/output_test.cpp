#include "daemon/run/output.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/unit/run/edge.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

void put(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    ASSERT_GT(count, 0) << errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string read_what_is_there(int fd) {
  std::string text;
  std::array<char, 65536> piece;
  pollfd ask{fd, POLLIN, 0};
  while (::poll(&ask, 1, 0) == 1) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

class OutputTest : public ::testing::Test {
 protected:
  OutputTest()
      : out(edge.loop, out_pipe.write_end.get(), [this](const LineSink::Loss& loss) { dropped += loss.lines; }),
        err(edge.loop, err_pipe.write_end.get(), [](const LineSink::Loss&) {}),
        outputs(edge.loop, out, err) {
    const auto opened = outputs.open(folder / "main.d", "web");
    EXPECT_TRUE(opened.has_value());
    if (opened) output = *opened;
  }
  void wait_for(int fd, std::string& text, std::size_t size) {
    edge.until([&] { return (text += read_what_is_there(fd)).size() >= size; }, "output");
  }

  Edge edge;
  ScratchFolder folder;
  Pipe out_pipe;
  Pipe err_pipe;
  std::uint64_t dropped = 0;
  LineSink out;
  LineSink err;
  Outputs outputs;
  Output* output = nullptr;
};

TEST(OutputFolder, StandsBesideTheSocket) {
  EXPECT_EQ(Outputs::folder_of("/run/plimsoll/main.sock"), "/run/plimsoll/main.d");
  EXPECT_EQ(Outputs::folder_of("/tmp/control"), "/tmp/control.d");
}

TEST_F(OutputTest, EachStreamGoesItsOwnWayByteForByte) {
  const std::string bytes("one\n\x01\xff\0two\r\n", 12);
  put(output->child_ends().stdout_fd, bytes);
  put(output->child_ends().stderr_fd, "talk\n");
  std::string said;
  std::string talked;
  wait_for(out_pipe.read_end.get(), said, bytes.size());
  wait_for(err_pipe.read_end.get(), talked, 5);
  EXPECT_EQ(said, bytes);
  EXPECT_EQ(talked, "talk\n");
}

TEST_F(OutputTest, LineIsHeldUntilItIsWhole) {
  put(output->child_ends().stdout_fd, "whole\nhal");
  std::string said;
  wait_for(out_pipe.read_end.get(), said, 6);
  edge.turns(10);
  EXPECT_EQ(said + read_what_is_there(out_pipe.read_end.get()), "whole\n");
  put(output->child_ends().stdout_fd, "f\n");
  said.clear();
  wait_for(out_pipe.read_end.get(), said, 5);
  EXPECT_EQ(said, "half\n");
}

TEST_F(OutputTest, ServicesHaveFifosOfTheirOwnAndKeepThem) {
  const auto other = outputs.open(folder / "main.d", "db");
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(outputs.find("db"), *other);
  EXPECT_EQ(outputs.find("web"), output);
  EXPECT_EQ(outputs.find("none"), nullptr);
  EXPECT_EQ(*outputs.open(folder / "main.d", "web"), output);
  put(output->child_ends().stdout_fd, "web's\nhalf");
  put((*other)->child_ends().stdout_fd, "db's\nother");
  std::string said;
  wait_for(out_pipe.read_end.get(), said, 11);
  EXPECT_NE(said.find("web's\n"), std::string::npos);
  EXPECT_NE(said.find("db's\n"), std::string::npos);
  outputs.runs_ended();
  said = read_what_is_there(out_pipe.read_end.get());
  EXPECT_NE(said.find("half\n"), std::string::npos);
  EXPECT_NE(said.find("other\n"), std::string::npos);
}

TEST_F(OutputTest, WhatIsStillInTheFifosAtTheEndIsPassedOnOfEachServiceAndStream) {
  const auto other = outputs.open(folder / "main.d", "db");
  const auto quiet = outputs.open(folder / "main.d", "quiet");
  ASSERT_TRUE(other && quiet);
  // The loop does not run: nothing of it was read before.
  put(output->child_ends().stderr_fd, "web, whole\nand half");
  put((*other)->child_ends().stdout_fd, "db");
  outputs.runs_ended();
  EXPECT_EQ(read_what_is_there(out_pipe.read_end.get()), "db\n");
  EXPECT_EQ(read_what_is_there(err_pipe.read_end.get()), "web, whole\nand half\n");
}

TEST_F(OutputTest, LastLineOfARunIsPassedOnThoughItIsNotWhole) {
  put(output->child_ends().stdout_fd, "last words");
  output->run_ended();
  EXPECT_EQ(read_what_is_there(out_pipe.read_end.get()), "last words\n");
  put(output->child_ends().stdout_fd, "next run\n");
  std::string said;
  wait_for(out_pipe.read_end.get(), said, 9);
  EXPECT_EQ(said, "next run\n");
}

TEST_F(OutputTest, EndlessLineIsPassedOnInPieces) {
  const std::string endless(200'000, 'x');
  const pid_t writer = Edge::fork_child([&] {
    put(output->child_ends().stdout_fd, endless + "\n");
    return 0;
  });
  std::string said;
  wait_for(out_pipe.read_end.get(), said, endless.size() + 1);
  EXPECT_EQ(said, endless + "\n");
  edge.until([&] { return !edge.proc.stat(writer); }, "the writer's end");
}

TEST_F(OutputTest, FloodWithNobodyReadingBlocksNeitherUsNorTheServiceAndLosesWholeLines) {
  constexpr int lines = 60'000;  // of 100 bytes: 6 MB into 1 MiB and what a pipe takes
  const auto line_of = [](int number) {
    std::string line = std::to_string(number);
    return line + std::string(99 - line.size(), '.') + "\n";
  };
  const auto writer = edge.add_child([&] {
    std::string text;
    for (int i = 0; i < lines; ++i) text += line_of(i);
    put(output->child_ends().stdout_fd, text);
    return 0;
  });
  EXPECT_EQ(edge.wait_for<core::ProcessEnded>(writer, "the writer's end").exit->code, 0);
  edge.until([&] { return dropped > 0; }, "word of what was dropped");
  EXPECT_LE(out.waiting(), 1U << 20);
  std::string said;
  edge.until([&] { return (said += read_what_is_there(out_pipe.read_end.get())).ends_with(line_of(lines - 1)); },
             "the last line");
  edge.until([&] { return said.size() / 100 + dropped == lines; }, "every line said or counted");
  ASSERT_EQ(said.size() % 100, 0U);
  int last = -1;
  for (std::size_t at = 0; at < said.size(); at += 100) {
    const int number = std::stoi(said.substr(at, 10));
    ASSERT_EQ(said.substr(at, 100), line_of(number));
    ASSERT_GT(number, last);
    last = number;
  }
}

TEST_F(OutputTest, ReaderThatWentAwayStopsWritingAndNotReading) {
  out_pipe.read_end = sys::Fd();
  const auto writer = edge.add_child([&] {
    put(output->child_ends().stdout_fd, std::string(500'000, 'x') + "\n");
    return 0;
  });
  EXPECT_EQ(edge.wait_for<core::ProcessEnded>(writer, "the writer's end").exit->code, 0);
  EXPECT_TRUE(out.closed());
  EXPECT_EQ(dropped, 0U);
}

TEST_F(OutputTest, SameFifoServesTheNextRunAndCanBeOpenedByName) {
  const auto run = [&](const char* script) {
    const auto shell = edge.add_child([&] {
      ::dup2(output->child_ends().stdout_fd, 1);
      ::execl("/bin/sh", "sh", "-c", script, nullptr);
      return 127;
    });
    edge.wait_for<core::ProcessEnded>(shell, "the shell's end");
    output->run_ended();
  };
  run("echo first; echo again > /dev/stdout");
  run("echo second");
  std::string said;
  wait_for(out_pipe.read_end.get(), said, 19);
  EXPECT_EQ(said, "first\nagain\nsecond\n");
}

TEST_F(OutputTest, WhatWasLostIsToldAgainWhenTheReaderIsBack) {
  const std::string line = std::string(99, 'x') + "\n";
  std::uint64_t lines = 0;
  std::uint64_t times = 0;
  LineSink sink(edge.loop, out_pipe.write_end.get(), [&](const LineSink::Loss& loss) {
    lines += loss.lines;
    ++times;
    EXPECT_EQ(loss.error, 0);
  });
  std::uint64_t written = 0;
  const auto flood = [&] {
    for (int i = 0; i < 30'000; ++i, ++written) sink.write(line);
  };
  flood();
  edge.until([&] { return times == 1; }, "the first word");
  for (int i = 0; i < 20; ++i) {
    flood();
    edge.turns(5);
  }
  EXPECT_EQ(times, 1U) << "not again while it lasts";
  std::string said;
  edge.until(
      [&] {
        said += read_what_is_there(out_pipe.read_end.get());
        return times == 2;
      },
      "the last word");
  said += read_what_is_there(out_pipe.read_end.get());
  EXPECT_EQ(said.size() / line.size() + lines, written);
}

TEST(LineSink, FullDiskIsTheReasonThatIsTold) {
  Edge edge;
  const sys::Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  std::optional<LineSink::Loss> told;
  LineSink sink(
      edge.loop, full.get(), [&](const LineSink::Loss& loss) { told = loss; }, 1000);
  for (int i = 0; i < 100; ++i) sink.write(std::string(99, 'x') + "\n");
  edge.until([&] { return told.has_value(); }, "word of it");
  EXPECT_GT(told->lines, 0U);
  EXPECT_EQ(told->error, ENOSPC);
  EXPECT_FALSE(sink.closed());
}

TEST(LineSink, SharedFlagsOfOurStdoutAreLeftAlone) {
  Edge edge;
  const Pipe pipe;
  LineSink sink(edge.loop, pipe.write_end.get(), [](const LineSink::Loss&) {});
  sink.write("x\n");
  EXPECT_EQ(::fcntl(pipe.write_end.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(LineSink, SocketIsWrittenToWithoutBlocking) {
  Edge edge;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const sys::Fd reader(ends[0]);
  const sys::Fd writer(ends[1]);
  LineSink sink(edge.loop, writer.get(), [](const LineSink::Loss&) {});
  std::string expected;
  for (int i = 0; i < 8'000; ++i) {
    const std::string line = std::string(100, 'y') + "\n";
    sink.write(line);
    expected += line;
  }
  EXPECT_GT(sink.waiting(), 0U) << "more than a socket takes";
  EXPECT_EQ(::fcntl(writer.get(), F_GETFL) & O_NONBLOCK, 0) << "the services may have it, too";
  std::string said;
  edge.until([&] { return (said += read_what_is_there(reader.get())).size() >= expected.size(); }, "all of it");
  EXPECT_EQ(said, expected);
  EXPECT_EQ(sink.waiting(), 0U);
}

TEST(LineSink, LastLinesWaitForASlowReaderAndNoLongerThanTheyMay) {
  Edge edge;
  Pipe pipe;
  LineSink sink(edge.loop, pipe.write_end.get(), [](const LineSink::Loss&) {});
  const std::string flood = std::string(200'000, 'x') + "\n";
  sink.write(flood);
  ASSERT_GT(sink.waiting(), 0u);
  sink.drain(std::chrono::milliseconds{20});
  EXPECT_GT(sink.waiting(), 0u) << "nobody reads, and it comes back all the same";
  std::string got;
  std::thread reader([&] {
    std::array<char, 4096> piece{};
    for (ssize_t count = 1; got.size() < flood.size() && count > 0;) {
      count = ::read(pipe.read_end.get(), piece.data(), piece.size());
      if (count > 0) got.append(piece.data(), static_cast<std::size_t>(count));
    }
  });
  sink.drain(std::chrono::seconds{60});
  reader.join();
  EXPECT_EQ(sink.waiting(), 0u);
  EXPECT_EQ(got, flood);
}

TEST(LineSink, FileIsWrittenBehindWhatIsThere) {
  Edge edge;
  const ScratchFolder folder;
  const std::string path = folder.write("log", "before\n");
  const sys::Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  LineSink sink(edge.loop, file.get(), [](const LineSink::Loss&) {});
  sink.write("after\n");
  std::ifstream read(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(read), {}), "before\nafter\n");
}

}  // namespace
}  // namespace plimsoll::run

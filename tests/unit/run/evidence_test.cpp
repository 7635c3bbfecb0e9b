#include "daemon/run/evidence.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/run/edge.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A listening socket on a port of the kernel's choice, which is told.
int listen_and_tell(const Pipe& pipe) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, plain, size) != 0 || ::listen(fd, 8) != 0 || ::getsockname(fd, plain, &size) != 0) ::_exit(98);
  pipe.tell(ntohs(address.sin_port));
  return fd;
}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? fd : -1;
}

class EvidenceTest : public ::testing::Test {
 protected:
  core::ProcessId engine() {
    return Edge::id_of(Edge::fork_child([&] {
      listen_and_tell(pipe);
      wait_for_ever();
      return 0;
    }));
  }
  core::ProcessId client(int port) {
    const pid_t pid = Edge::fork_child([&] {
      pipe.tell(connect_to(port) >= 0 ? 1 : 0);
      wait_for_ever();
      return 0;
    });
    EXPECT_EQ(pipe.next(), 1);
    return Edge::id_of(pid);
  }
  core::ProcessId bystander() {
    return Edge::id_of(Edge::fork_child([] {
      wait_for_ever();
      return 0;
    }));
  }
  core::EvidenceLookedAt look(core::ProcessId of, std::vector<core::ProcessId> members) {
    return Evidence(sys::ProcFs(), sources).look({of, std::move(members)});
  }

  Edge edge;
  Sources sources;
  Pipe pipe;
};

TEST_F(EvidenceTest, MemberThatHoldsAConnectionIsNamed) {
  const auto server = engine();
  const int port = pipe.next();
  const auto idle = bystander();
  const auto connected = client(port);
  const auto seen = look(server, {idle, connected});
  EXPECT_EQ(seen.engine, server);
  EXPECT_TRUE(seen.port_known);
  EXPECT_EQ(seen.connected, connected);
  EXPECT_EQ(seen.source, "descriptors");
}

TEST_F(EvidenceTest, ConnectionOfOneThatIsNoMemberIsNone) {
  const auto server = engine();
  const int port = pipe.next();
  client(port);
  const auto seen = look(server, {bystander()});
  EXPECT_TRUE(seen.port_known);
  EXPECT_FALSE(seen.connected);
}

TEST_F(EvidenceTest, EngineItselfIsNoClientOfItsOwn) {
  const pid_t pid = Edge::fork_child([&] {
    Pipe inner;
    listen_and_tell(inner);
    const int port = inner.next();
    if (connect_to(port) < 0) ::_exit(97);
    pipe.tell(port);
    wait_for_ever();
    return 0;
  });
  pipe.next();
  const auto server = Edge::id_of(pid);
  EXPECT_FALSE(look(server, {server, bystander()}).connected);
}

TEST_F(EvidenceTest, EngineThatListensNowhereHasNobodyConnected) {
  const auto seen = look(bystander(), {bystander()});
  EXPECT_TRUE(seen.port_known);
  EXPECT_FALSE(seen.connected);
  EXPECT_EQ(seen.source, "descriptors");
}

TEST_F(EvidenceTest, WithoutPortsNothingIsKnown) {
  sources.ports = false;
  const auto server = engine();
  const auto seen = look(server, {client(pipe.next())});
  EXPECT_FALSE(seen.port_known);
  EXPECT_FALSE(seen.connected);
  EXPECT_EQ(seen.source, "nothing readable");
}

TEST_F(EvidenceTest, WithoutDescriptorsAndAPortOnTheCommandLineNothingIsKnown) {
  sources.fds = false;
  const auto server = engine();
  const auto seen = look(server, {client(pipe.next())});
  EXPECT_FALSE(seen.port_known);
  EXPECT_EQ(seen.source, "nothing readable");
}

/// Listens, then becomes a program with that port on its command line, the socket kept.
core::ProcessId engine_with_argument(const Pipe& pipe, bool listens) {
  return Edge::id_of(Edge::fork_child([&] {
    const Pipe inner;
    const int fd = listen_and_tell(inner);
    const std::string port = std::to_string(inner.next());
    if (listens) ::fcntl(fd, F_SETFD, 0);
    pipe.tell(std::stoi(port));
    ::execl("/bin/sh", "query-engine", "-c", "while :; do sleep 1000; done", "query-engine", "-p", port.c_str(),
            nullptr);
    return 127;
  }));
}

TEST_F(EvidenceTest, WithoutDescriptorsAnyClientOfThePortOnTheCommandLineCounts) {
  sources.fds = false;
  const auto server = engine_with_argument(pipe, true);
  const int port = pipe.next();
  edge.until([&] { return edge.proc.cmdline(server.pid)->size() == 6; }, "the exec");
  EXPECT_TRUE(look(server, {bystander()}).port_known);
  EXPECT_FALSE(look(server, {bystander()}).connected);
  const auto connected = client(port);
  const auto seen = look(server, {connected});
  EXPECT_EQ(seen.connected, core::nobody) << "somebody of the service, it cannot be said who";
  EXPECT_EQ(seen.source, "/proc/net/tcp");
}

TEST_F(EvidenceTest, PortOnTheCommandLineAtWhichNobodyListensIsNone) {
  sources.fds = false;
  const auto server = engine_with_argument(pipe, false);
  pipe.next();
  edge.until([&] { return edge.proc.cmdline(server.pid)->size() == 6; }, "the exec");
  EXPECT_FALSE(look(server, {bystander()}).port_known);
}

TEST_F(EvidenceTest, ProcessThatIsGoneIsNoEngineAndNoMember) {
  const auto server = engine();
  const int port = pipe.next();
  auto other_life = client(port);
  other_life.start_time -= 1;
  EXPECT_FALSE(look(server, {other_life}).connected);
  auto gone = server;
  gone.start_time -= 1;
  EXPECT_FALSE(look(gone, {bystander()}).port_known);
}

}  // namespace
}  // namespace plimsoll::run

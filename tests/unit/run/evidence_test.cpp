#include "daemon/run/evidence.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstring>

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
  EXPECT_EQ(seen.source, "connections");
}

TEST_F(EvidenceTest, PortOnTheCommandLineAtWhichNobodyListensIsNone) {
  sources.fds = false;
  const auto server = engine_with_argument(pipe, false);
  pipe.next();
  edge.until([&] { return edge.proc.cmdline(server.pid)->size() == 6; }, "the exec");
  // The kernel puts off the last of a close to the moment when the program begins to run.
  edge.until([&] { return !look(server, {}).port_known; }, "that nobody listens");
}

TEST_F(EvidenceTest, ClientWithASocketOfIpv6ThatSpeaksIpv4Counts) {
  const auto server = engine();
  const int port = pipe.next();
  const pid_t pid = Edge::fork_child([&] {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    pipe.tell(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 1 : errno);
    wait_for_ever();
    return 0;
  });
  const int outcome = pipe.next();
  if (outcome == EAFNOSUPPORT) GTEST_SKIP() << "no IPv6 here";
  ASSERT_EQ(outcome, 1);
  const auto connected = Edge::id_of(pid);
  EXPECT_EQ(look(server, {connected}).connected, connected);
}

/// A network of its own with a loopback, for the process that calls it.
bool leave_our_network() {
  if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  const sys::Fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP;
  return ::ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0;
}

TEST_F(EvidenceTest, EngineInAnotherNetworkIsLookedAtInThatOne) {
  const pid_t server = Edge::fork_child([&] {
    pipe.tell(leave_our_network() ? 1 : 0);
    const int listener = listen_and_tell(pipe);
    const pid_t inside = ::fork();
    if (inside == 0) {
      sockaddr_in address{};
      socklen_t size = sizeof address;
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
      ::close(listener);
      pipe.tell(connect_to(ntohs(address.sin_port)) >= 0 ? ::getpid() : 0);
      wait_for_ever();
    }
    wait_for_ever();
    return 0;
  });
  ASSERT_EQ(pipe.next(), 1) << "a network of its own";
  const int port = pipe.next();
  const auto inside = Edge::id_of(pipe.next());
  EXPECT_EQ(look(Edge::id_of(server), {inside}).connected, inside);
  EXPECT_EQ(Evidence(sys::ProcFs(), sources).listening_port(Edge::id_of(server)).value(), port);
  ::kill(inside.pid, SIGKILL);
}

/// A /proc of our own with an engine, a member, and a table of connections: other machines are not at hand.
class EvidenceOfATable : public ::testing::Test {
 protected:
  static constexpr core::ProcessId engine{100, 5};
  static constexpr core::ProcessId member{200, 6};

  EvidenceOfATable() {
    add(engine, 10);
    add(member, 20);
  }
  void add(core::ProcessId id, int socket) {
    const std::string folder = std::to_string(id.pid);
    std::string stat = folder + " (name) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(id.start_time);
    for (int field = 23; field <= 52; ++field) stat += " 0";
    proc.write(folder + "/stat", stat + "\n");
    std::filesystem::create_directories(proc / (folder + "/fd"));
    std::filesystem::create_symlink("socket:[" + std::to_string(socket) + "]", proc / (folder + "/fd/3"));
  }
  static std::string line(const std::string& local, const std::string& remote, const std::string& state, int inode) {
    return "0: " + local + " " + remote + " " + state + " 0:0 0:0 0 0 0 " + std::to_string(inode) + " 1\n";
  }
  /// The engine's socket on port 4466 of `address`, and the member's connection.
  bool counts(const std::string& address, const std::string& local, const std::string& remote,
              const std::string& others = "") {
    const bool four = address.size() == 8;
    const std::string listens = line(address + ":1172", (four ? "00000000" : std::string(32, '0')) + ":0000", "0A", 10);
    proc.write("100/net/tcp", (four ? listens : "") + line(local, remote, "01", 20) + others);
    proc.write("100/net/tcp6", four ? "" : listens);
    const auto seen = Evidence(sys::ProcFs(proc.path()), Sources{}).look({engine, {member}});
    EXPECT_TRUE(seen.port_known);
    return seen.connected == member;
  }

  ScratchFolder proc;
  const std::string any = "00000000";
  const std::string any_of_six = std::string(32, '0');
};

TEST_F(EvidenceOfATable, AnotherMachinesPortOfTheSameNumberIsNone) {
  EXPECT_FALSE(counts(any, "0500000A:C001", "0600000A:1172"));
  EXPECT_FALSE(counts(any_of_six, "0500000A:C001", "0600000A:1172"));
  const std::string of_another = line("0500000A:1172", "0700000A:C002", "01", 0);
  EXPECT_FALSE(counts(any, "0500000A:C001", "0600000A:1172", of_another));
}

TEST_F(EvidenceOfATable, ConnectionWithinThisMachineCountsThoughItsFarSideIsNotToBeSeen) {
  EXPECT_TRUE(counts(any, "0100007F:C001", "0100007F:1172"));
  EXPECT_TRUE(counts("0100007F", "0100007F:C001", "0100007F:1172"));
  EXPECT_TRUE(counts(any_of_six, "0100007F:C001", "0100007F:1172"));
  EXPECT_TRUE(counts(any, "0500000A:C001", "0500000A:1172")) << "the machine's own address";
}

TEST_F(EvidenceOfATable, PortOfTheSameNumberAtAnotherAddressOfThisMachineIsNone) {
  EXPECT_FALSE(counts("0500000A", "0100007F:C001", "0100007F:1172"));
}

TEST_F(EvidenceOfATable, ConnectionToATranslatedAddressCountsByItsFarSide) {
  const std::string accepted = line("0500000A:1172", "0500000A:C001", "01", 11);
  EXPECT_TRUE(counts(any, "0500000A:C001", "0100600A:1172", accepted));
  const std::string waiting = line("0500000A:1172", "0500000A:C001", "01", 0);
  EXPECT_TRUE(counts(any, "0500000A:C001", "0100600A:1172", waiting)) << "not accepted yet";
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

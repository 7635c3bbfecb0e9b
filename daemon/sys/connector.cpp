#include "daemon/sys/connector.hpp"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace plimsoll::sys {
namespace {

// Where things are in a datagram: netlink's header, the connector's, and the event.
constexpr std::size_t message_at = sizeof(nlmsghdr);
constexpr std::size_t event_at = message_at + sizeof(cn_msg);
constexpr std::size_t pids_at = event_at + offsetof(proc_event, event_data);
static_assert(sizeof(nlmsghdr) == 16 && sizeof(cn_msg) == 20 && offsetof(proc_event, event_data) == 16);

// By number: the header of a newer kernel has an enum of its own for them.
constexpr std::uint32_t what_none = 0x0;
constexpr std::uint32_t what_fork = 0x1;
constexpr std::uint32_t what_exec = 0x2;
constexpr std::uint32_t what_sid = 0x80;
constexpr std::uint32_t what_exit = 0x80000000U;

/// Forks of a thousand containers that start at once.
constexpr int buffer_size = 16 * 1024 * 1024;
constexpr std::size_t batch = 64;
constexpr std::size_t longest = 256;  ///< bytes of a datagram; 76 is what the kernel sends

/// Little pieces of a datagram, each read only if it is there.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  std::optional<T> at(std::size_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  /// The n-th 32-bit word of the event's own part.
  [[nodiscard]] std::optional<std::int32_t> word(std::size_t n) const {
    return at<std::int32_t>(pids_at + n * sizeof(std::int32_t));
  }

 private:
  std::string_view bytes_;
};

std::optional<ProcessNews> parse_pids(const Reader& reader, std::uint32_t what, std::uint64_t at) {
  const auto thread = reader.word(0);
  const auto process = reader.word(1);
  if (!thread || !process) return std::nullopt;
  if (what == what_fork) {
    const auto child_thread = reader.word(2);
    const auto child = reader.word(3);
    if (!child_thread || !child || *child_thread != *child) return std::nullopt;
    return ProcessNews{at, Forked{*thread, *process, *child}};
  }
  if (what == what_exec) return ProcessNews{at, Execed{*process}};
  if (what == what_sid) return ProcessNews{at, SessionMade{*process}};
  const auto status = reader.word(2);
  if (what != what_exit || !status || *thread != *process) return std::nullopt;
  return ProcessNews{at, Exited{*process, from_wait_word(*status)}};
}

constexpr sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
/// BPF loads words in network order; the kernel wrote them in its own.
constexpr std::uint32_t as_loaded(std::uint32_t value) {
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(value) : value;
}
constexpr sock_filter skip_unless(std::uint32_t value, int otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, as_loaded(value), 0, static_cast<std::uint8_t>(otherwise));
}
constexpr sock_filter skip_if(std::uint32_t value, int then) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, as_loaded(value), static_cast<std::uint8_t>(then), 0);
}

/// Processes are let through, threads and all other kinds are not.
error_code attach_filter(int fd) {
  const std::array<sock_filter, 16> program{
      load(event_at),
      skip_if(what_none, 13),
      skip_if(what_exec, 12),
      skip_if(what_sid, 11),
      skip_unless(what_fork, 4),
      // A fork: the child is a process if its pid is its thread group's.
      load(pids_at + 8),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      load(pids_at + 12),
      BPF_STMT(BPF_JMP | BPF_JA, 4),
      // An exit: so is who ends.
      skip_unless(what_exit, 4),
      load(pids_at),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      load(pids_at + 4),
      // Both: are the two words the same?
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xFFFF),
  };
  const sock_fprog filter{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 ? error_code{} : last_error();
}

void widen_buffer(int fd) {
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_size, sizeof buffer_size) == 0) return;
  // Without CAP_NET_ADMIN: as much as net.core.rmem_max lets us have.
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof buffer_size);
}

error_code subscribe(int fd) {
  std::array<std::byte, event_at + sizeof(std::uint32_t)> request{};
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(request.size());
  header.nlmsg_type = NLMSG_DONE;
  header.nlmsg_pid = static_cast<std::uint32_t>(::getpid());
  cn_msg message{};
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  message.len = sizeof(std::uint32_t);
  const std::uint32_t listen = PROC_CN_MCAST_LISTEN;
  std::memcpy(request.data(), &header, sizeof header);
  std::memcpy(request.data() + message_at, &message, sizeof message);
  std::memcpy(request.data() + event_at, &listen, sizeof listen);
  return ::send(fd, request.data(), request.size(), 0) < 0 ? last_error() : error_code{};
}

/// Anybody with the right can write to a group; only the kernel has the port 0. A socket without addresses is a test's.
bool from_kernel(const sockaddr_nl& sender, socklen_t length) {
  return length < sizeof(sockaddr_nl) || sender.nl_family != AF_NETLINK || sender.nl_pid == 0;
}

/// Room for one recvmmsg(2).
struct Inbox {
  std::array<std::array<char, longest>, batch> bytes;
  std::array<sockaddr_nl, batch> senders{};
  std::array<iovec, batch> places{};
  std::array<mmsghdr, batch> headers{};

  int receive(int fd) {
    for (std::size_t i = 0; i < batch; ++i) {
      places[i] = {bytes[i].data(), longest};
      headers[i] = {};
      headers[i].msg_hdr.msg_name = &senders[i];
      headers[i].msg_hdr.msg_namelen = sizeof(sockaddr_nl);
      headers[i].msg_hdr.msg_iov = &places[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    return ::recvmmsg(fd, headers.data(), batch, MSG_DONTWAIT, nullptr);
  }
};

}  // namespace

std::optional<ProcessNews> parse_process_news(std::string_view datagram) {
  const Reader reader(datagram);
  const auto header = reader.at<nlmsghdr>(0);
  const auto connector = reader.at<cb_id>(message_at);
  if (!header || !connector || header->nlmsg_type != NLMSG_DONE || header->nlmsg_len > datagram.size()) {
    return std::nullopt;
  }
  if (connector->idx != CN_IDX_PROC || connector->val != CN_VAL_PROC) return std::nullopt;
  const auto what = reader.at<std::uint32_t>(event_at);
  const auto at = reader.at<std::uint64_t>(event_at + offsetof(proc_event, timestamp_ns));
  if (!what || !at) return std::nullopt;
  if (*what != what_none) return parse_pids(reader, *what, *at);
  const auto error = reader.word(0);
  if (!error) return std::nullopt;
  return ProcessNews{*at, Subscribed{*error}};
}

Result<Connector> Connector::open() {
  Fd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  if (!socket) return last_error();
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  widen_buffer(socket.get());
  if (const auto error = attach_filter(socket.get())) return error;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return last_error();
  if (const auto error = subscribe(socket.get())) return error;
  return Connector(std::move(socket));
}

Result<Connector::News> Connector::take(std::size_t most) {
  News news;
  Inbox inbox;
  while (news.events.size() < most) {
    const int count = inbox.receive(socket_.get());
    if (count < 0) {
      if (errno == EAGAIN) return news;
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return last_error();
      news.lost = true;
      continue;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto& header = inbox.headers[i];
      // A netlink socket has no end; that of a test has.
      if (header.msg_len == 0) return error_of(ENOTCONN);
      if (!from_kernel(inbox.senders[i], header.msg_hdr.msg_namelen)) continue;
      if (auto one = parse_process_news({inbox.bytes[i].data(), header.msg_len})) news.events.push_back(*one);
    }
    // recvmmsg() goes on until nothing is there.
    if (static_cast<std::size_t>(count) < batch) return news;
  }
  news.more = true;
  return news;
}

Result<pid_t> fork_and_reap() {
  const pid_t child = ::vfork();
  if (child < 0) return last_error();
  if (child == 0) ::_exit(0);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return child;
}

}  // namespace plimsoll::sys

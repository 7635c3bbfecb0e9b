#include "daemon/sys/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "daemon/sys/fd.hpp"

namespace plimsoll::sys {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

std::optional<std::int64_t> positive(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value <= 0) return std::nullopt;
  return value;
}

}  // namespace

Notifier Notifier::from_environment() {
  Notifier notifier(take_variable("NOTIFY_SOCKET"));
  const auto period = positive(take_variable("WATCHDOG_USEC"));
  const std::string pid = take_variable("WATCHDOG_PID");
  // Variables that a parent of ours forgot to remove name that parent.
  const bool ours = pid.empty() || positive(pid) == std::int64_t{::getpid()};
  if (period && ours) notifier.watchdog_ = std::chrono::microseconds(*period / 2);
  return notifier;
}

error_code Notifier::send(std::string_view state) const {
  if (address_.empty()) return {};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (address_.front() != '/' && address_.front() != '@') return error_of(EAFNOSUPPORT);
  if (address_.size() >= sizeof to.sun_path) return error_of(ENAMETOOLONG);
  std::memcpy(to.sun_path, address_.data(), address_.size());
  std::size_t length = offsetof(sockaddr_un, sun_path) + address_.size();
  if (address_.front() == '@') {
    to.sun_path[0] = '\0';  // abstract: the length says where the name ends
  } else {
    ++length;
  }
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return last_error();
  const ssize_t sent = ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(length));
  return sent < 0 ? last_error() : error_code();
}

}  // namespace plimsoll::sys

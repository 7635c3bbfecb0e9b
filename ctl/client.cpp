#include "ctl/client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

namespace plimsoll::ctl {
namespace {

constexpr std::size_t longest_head = 64 * 1024;
constexpr std::size_t longest_body = 256 * 1024 * 1024;
/// A length that is told is not yet sent.
constexpr std::size_t reserved_at_most = 1024 * 1024;
constexpr timeval send_timeout{5, 0};  // for connect() too, when the daemon does not accept
/// The daemon sends a comment every 30 s: silence for longer than this means that it hangs.
constexpr std::chrono::seconds longest_silence{90};

/// 0, or the errno of the attempt.
int try_connect(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send_timeout, sizeof send_timeout);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return errno;
  return 0;
}

/// Under /tmp anybody may have made that folder first: believe only root and ourselves there.
bool is_trusted(int fd, const std::string& path) {
  if (!path.starts_with("/tmp/")) return true;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::getuid();
}

std::string reason(int number) {
  if (number == ENOENT) return "there is none";
  if (number == ECONNREFUSED) return "nobody listens";
  if (number == EAGAIN) return "somebody listens, but did not accept for 5 s";
  return std::strerror(number);
}

bool same_word(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + 32) : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

template <class T>
std::optional<T> read_number(std::string_view text) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<Head> read_head(std::string_view text) {
  constexpr std::string_view version = "HTTP/1.1 ";
  if (!text.starts_with(version) || !text.ends_with("\r\n\r\n")) return std::nullopt;
  Head head;
  const auto status = read_number<int>(text.substr(version.size(), 3));
  if (!status || *status < 100 || *status > 599) return std::nullopt;
  head.status = *status;
  text.remove_prefix(text.find("\r\n") + 2);
  while (text != "\r\n") {
    const std::string_view line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    if (colon == line.npos || colon == 0) return std::nullopt;
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (same_word(line.substr(0, colon), "transfer-encoding")) return std::nullopt;
    if (!same_word(line.substr(0, colon), "content-length")) continue;
    head.length = read_number<std::size_t>(value);
    if (!head.length || *head.length > longest_body) return std::nullopt;
  }
  return head;
}

std::vector<std::string> socket_candidates(const std::string& given, const std::string& from_environment,
                                           const std::string& name, unsigned uid) {
  if (!given.empty()) return {given};
  if (!from_environment.empty()) return {from_environment};
  return {"/run/plimsoll/" + name + ".sock", "/tmp/plimsoll-" + std::to_string(uid) + "/" + name + ".sock"};
}

std::vector<std::string> sockets_beside(const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  for (const std::string& path : paths) {
    std::error_code none;  // a folder that is not there, or not ours to read, has none
    const std::size_t before = found.size();
    for (std::filesystem::directory_iterator at(std::filesystem::path(path).parent_path(), none), end; at != end;
         at.increment(none)) {
      if (at->path().extension() == ".sock" && at->is_socket(none)) found.push_back(at->path().string());
    }
    std::sort(found.begin() + static_cast<std::ptrdiff_t>(before), found.end());
  }
  return found;
}

std::vector<std::string> listened_at(const std::vector<std::string>& sockets) {
  std::vector<std::string> living;
  for (const std::string& path : sockets) {
    const Client client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), path);
    const int number = try_connect(client.descriptor(), path);
    if (number != ECONNREFUSED && number != ENOENT) living.push_back(path);
  }
  return living;
}

std::string percent_encoded(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    out += '%';
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 0xF];
  }
  return out;
}

std::vector<std::string> StreamReader::add(std::string_view bytes) {
  std::vector<std::string> events;
  for (const char c : bytes) {
    if (c != '\n') {
      line_ += c;
      continue;
    }
    if (line_.starts_with("data: ")) data_ += line_.substr(6);
    if (line_.empty() && !data_.empty()) events.push_back(std::exchange(data_, {}));
    line_.clear();
  }
  return events;
}

std::variant<Client, Failure> Client::connect(const std::vector<std::string>& candidates) {
  Failure failure{no_daemon, "no daemon can be reached; tried"};
  for (const std::string& path : candidates) {
    Client client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), path);
    const int number = client.fd_ < 0 ? errno : try_connect(client.fd_, path);
    const bool trusted = number != 0 || is_trusted(client.fd_, path);
    if (number == 0 && trusted) return client;
    failure.message += "\n  " + path + ": " + (trusted ? reason(number) : "belongs to another user");
    if (number == EACCES || number == EPERM || !trusted) failure.exit = refused;
  }
  failure.message += "\n--socket PATH names another, --name NAME another daemon";
  return failure;
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), buffer_(std::move(other.buffer_)) {}

Client::~Client() {
  if (fd_ >= 0) ::close(fd_);
}

Failure Client::gone(const std::string& what) const {
  return {failed, "the daemon at " + path_ + " " + what};
}

std::optional<Failure> Client::send(const std::string& request) {
  std::string_view rest = request;
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return std::nullopt;  // it may have said why before it closed
    } else if (errno != EINTR) {
      return gone("takes no request: " + reason(errno));
    }
  }
  return std::nullopt;
}

std::variant<bool, Failure> Client::receive(Deadline deadline, int until_closed) {
  char chunk[16 * 1024];  // more would be memory that nobody has touched yet: that costs more than a call
  while (true) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return gone("did not answer in time");
    // What is there already is taken without asking whether it is.
    const ssize_t count = ::recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
    if (count > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(count));
      return true;
    }
    if (count == 0 || errno == ECONNRESET) return false;
    if (errno != EINTR && errno != EAGAIN) return gone(std::string("cannot be read: ") + std::strerror(errno));
    pollfd fds[2] = {{fd_, POLLIN, 0}, {until_closed, 0, 0}};
    const int ready = ::poll(fds, 2, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return gone(std::string("cannot be waited for: ") + std::strerror(errno));
    if (ready > 0 && (fds[1].revents & (POLLERR | POLLHUP))) return false;
  }
}

std::variant<Head, Failure> Client::receive_head(Deadline deadline) {
  while (true) {
    const std::size_t end = buffer_.find("\r\n\r\n");
    if (end != buffer_.npos) {
      const std::optional<Head> head = read_head(std::string_view(buffer_).substr(0, end + 4));
      buffer_.erase(0, end + 4);
      if (!head) return gone("does not speak our HTTP; is it plimsolld?");
      return *head;
    }
    if (buffer_.size() > longest_head) return gone("does not speak our HTTP; is it plimsolld?");
    const auto more = receive(deadline);
    if (const auto* failure = std::get_if<Failure>(&more)) return *failure;
    if (!std::get<bool>(more)) return gone("closed the connection without an answer");
  }
}

std::variant<Response, Failure> Client::receive_body(const Head& head, Deadline deadline, const Take& take) {
  Response response{head.status, {}};
  const bool in_pieces = take && head.status == 200;
  if (!in_pieces) response.body.reserve(std::min(head.length.value_or(0), reserved_at_most));
  std::size_t received = 0;
  while (true) {
    const std::size_t missing = head.length.value_or(buffer_.npos) - received;
    const std::string_view piece = std::string_view(buffer_).substr(0, missing);
    received += piece.size();
    if (in_pieces) take(piece);
    if (!in_pieces) response.body += piece;
    buffer_.erase(0, piece.size());
    if (received == head.length) return response;
    if (received > longest_body) return gone("sends an endless answer");
    const auto more = receive(deadline);
    if (const auto* failure = std::get_if<Failure>(&more)) return *failure;
    if (std::get<bool>(more)) continue;
    if (head.length) return gone("closed the connection in the middle of its answer");
    return response;
  }
}

std::variant<Response, Failure> Client::exchange(const std::string& request, Milliseconds within, const Take& take) {
  const Deadline deadline = std::chrono::steady_clock::now() + within;
  if (const auto failure = send(request)) return *failure;
  const auto head = receive_head(deadline);
  if (const auto* failure = std::get_if<Failure>(&head)) return *failure;
  return receive_body(std::get<Head>(head), deadline, take);
}

std::variant<Response, Failure> Client::get(const std::string& target, Milliseconds within, const Take& take) {
  return exchange("GET " + target + " HTTP/1.1\r\nHost: plimsoll\r\n\r\n", within, take);
}

std::variant<Response, Failure> Client::post(const std::string& target, const std::string& body, Milliseconds within) {
  return exchange("POST " + target +
                      " HTTP/1.1\r\nHost: plimsoll\r\nContent-Type: application/json\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body,
                  within);
}

std::variant<std::monostate, Response, Failure> Client::follow(const std::string& target, int until_closed,
                                                               const std::function<bool(const std::string&)>& take) {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  if (const auto failure = send("GET " + target + " HTTP/1.1\r\nHost: plimsoll\r\nAccept: text/event-stream\r\n\r\n"))
    return *failure;
  const auto head = receive_head(now() + longest_silence);
  if (const auto* failure = std::get_if<Failure>(&head)) return *failure;
  const bool is_stream = std::get<Head>(head).status == 200 && !std::get<Head>(head).length;
  StreamReader reader;
  while (true) {
    if (is_stream) {
      for (const std::string& event : reader.add(std::exchange(buffer_, {})))
        if (!take(event)) return std::monostate();
    } else if (buffer_.size() >= std::get<Head>(head).length.value_or(longest_body)) {
      return Response{std::get<Head>(head).status, buffer_};
    }
    const auto more = receive(now() + longest_silence, until_closed);
    if (const auto* failure = std::get_if<Failure>(&more)) return *failure;
    if (std::get<bool>(more)) continue;
    if (!is_stream) return Response{std::get<Head>(head).status, buffer_};
    return std::monostate();
  }
}

}  // namespace plimsoll::ctl

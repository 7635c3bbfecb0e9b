// The other end of the control socket: one blocking connection, one request at a time. Plain sockets and a strict
// reader of the little of HTTP/1.1 that the daemon sends: a status, a length or an end. Every wait has a deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace plimsoll::ctl {

/// What a shell sees.
enum Exit : int { done = 0, failed = 1, usage = 2, not_well = 3, no_daemon = 4, refused = 5, bad_config = 78 };

struct Failure {
  Exit exit = failed;
  std::string message;
};

struct Response {
  int status = 0;
  std::string body;
};

/// The head of a response, up to and with its empty line.
struct Head {
  int status = 0;
  std::optional<std::size_t> length;  ///< nothing: until the connection ends
};
/// Nothing: this is not what our daemon sends.
std::optional<Head> read_head(std::string_view text);

/// The same places in the same order as the daemon: `given`, else `from_environment` ($PLIMSOLL_SOCKET), each alone if
/// not empty; else /run/plimsoll/NAME.sock and /tmp/plimsoll-UID/NAME.sock.
std::vector<std::string> socket_candidates(const std::string& given, const std::string& from_environment,
                                           const std::string& name, unsigned uid);

/// Sockets of daemons, whatever their names, in the folders of these paths; in the order of the paths, then of names.
std::vector<std::string> sockets_beside(const std::vector<std::string>& paths);

/// Those at which somebody listens, as far as that can be told: not what a daemon that was killed has left behind.
std::vector<std::string> listened_at(const std::vector<std::string>& sockets);

/// "a b" -> "a%20b", for one part of a path or a query.
std::string percent_encoded(std::string_view text);

/// Takes server-sent events apart, however they are cut into pieces.
class StreamReader {
 public:
  /// The `data` of each event that `bytes` completes. Comments and ids are dropped.
  std::vector<std::string> add(std::string_view bytes);

 private:
  std::string line_;
  std::string data_;
};

class Client {
 public:
  using Milliseconds = std::chrono::milliseconds;
  using Take = std::function<void(std::string_view piece)>;

  /// The first candidate at which a daemon listens. The message names every one that was tried.
  static std::variant<Client, Failure> connect(const std::vector<std::string>& candidates);
  /// Over a connection that is there already; owns it.
  Client(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();

  /// `take`, if there is one, gets the body of a 200 in pieces as it comes in; the response has none then.
  std::variant<Response, Failure> get(const std::string& target, Milliseconds within, const Take& take = {});
  std::variant<Response, Failure> post(const std::string& target, const std::string& body, Milliseconds within);
  /// Gives each event's JSON to `take` until that returns false, `until_closed` (a descriptor that somebody reads, or
  /// -1) has no reader any more, or the stream ends. A Response: refused with it.
  std::variant<std::monostate, Response, Failure> follow(const std::string& target, int until_closed,
                                                         const std::function<bool(const std::string&)>& take);
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return fd_; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  std::variant<Response, Failure> exchange(const std::string& request, Milliseconds within, const Take& take = {});
  std::variant<Response, Failure> receive_body(const Head& head, Deadline deadline, const Take& take);
  std::optional<Failure> send(const std::string& request);
  std::variant<Head, Failure> receive_head(Deadline deadline);
  /// More bytes into buffer_; false at the end of the stream.
  std::variant<bool, Failure> receive(Deadline deadline, int until_closed = -1);
  [[nodiscard]] Failure gone(const std::string& what) const;

  int fd_ = -1;
  std::string path_;
  std::string buffer_;  ///< received, not yet used
};

}  // namespace plimsoll::ctl

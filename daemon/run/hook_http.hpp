// A hook by HTTP: asked over a fresh connection each time, as a connection that is kept would reach the same worker
// again. 2xx is done; 409 means "not mine" and is asked again after 20 ms, doubling to 500 ms, until the deadline; any
// other answer has failed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/event.hpp"
#include "daemon/run/loop.hpp"

namespace plimsoll::run {

struct HttpRequest {
  std::string method;
  std::string unix_path;  ///< else host and port
  std::string host;       ///< an IP literal or "localhost": 127.0.0.1, then ::1
  std::string port;
  std::string target;  ///< begins with '/'
  std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpOutcome {
  core::HookResult result = core::HookResult::failed;
  int wrong_answers = 0;
  std::string detail;
  bool asked = true;  ///< false: we are out of descriptors or memory, nobody was asked
};

/// One asking, from its construction to its outcome; destroying it before means that nobody wants to know any more.
class HttpAsking {
 public:
  /// `on_outcome` comes once, in a later turn, at `timeout` from now at the latest.
  HttpAsking(Loop& loop, HttpRequest request, std::chrono::milliseconds timeout,
             std::function<void(HttpOutcome)> on_outcome);
  ~HttpAsking();
  HttpAsking(const HttpAsking&) = delete;
  HttpAsking& operator=(const HttpAsking&) = delete;

 private:
  friend struct Asking;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace plimsoll::run

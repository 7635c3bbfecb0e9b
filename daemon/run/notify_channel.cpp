#include "daemon/run/notify_channel.hpp"

#include <set>
#include <utility>

namespace plimsoll::run {
namespace {

using namespace std::chrono_literals;

/// In one turn of the loop.
constexpr int most_at_once = 64;
/// An app that is well sends a few a minute. What is beyond this waits in the kernel's queue, and its sender with it.
constexpr int most_in_window = 500;
constexpr std::chrono::seconds window{1};
/// After a turn, when strangers have sent more than that too: 64 datagrams a rest are read, and cost next to nothing.
constexpr std::chrono::milliseconds rest_of_strangers{10};
constexpr std::chrono::seconds between_complaints{60};

}  // namespace

NotifyChannel::NotifyChannel(Loop& loop, sys::NotifySocket socket, std::function<bool(const sys::Notification&)> take,
                             std::function<void(const std::string&)> trouble)
    : socket_(std::move(socket)),
      take_(std::move(take)),
      trouble_(std::move(trouble)),
      watch_(loop, socket_.fd()),
      rest_(loop) {
  listen();
}

void NotifyChannel::listen() {
  watch_.on_readable([this] { on_readable(); });
}

void NotifyChannel::on_readable() {
  const auto now = Clock::now();
  if (now - window_began_ > window) {
    window_began_ = now;
    in_window_ = of_strangers_ = 0;
  }
  if (take_some(now) && of_strangers_ >= most_in_window) pause_until(now + rest_of_strangers);
}

/// False: it rests already.
bool NotifyChannel::take_some(Clock::time_point now) {
  std::set<pid_t> strangers;
  for (int i = 0; i < most_at_once; ++i) {
    if (in_window_ >= most_in_window) {
      complain("more than " + std::to_string(most_in_window) +
               " notifications in a second, the others wait (and who sends them)");
      pause_until(window_began_ + window + 1ms);
      return false;
    }
    const auto taken = socket_.take();
    if (!taken) {
      complain("cannot read its notify socket: " + taken.error().message() + ", tried again in a second");
      pause_until(now + window);
      return false;
    }
    if (!*taken) break;
    const pid_t sender = (*taken)->sender;
    if (!strangers.contains(sender) && take_(**taken)) {
      ++in_window_;
    } else {
      ++of_strangers_;
      strangers.insert(sender);
    }
  }
  return true;
}

void NotifyChannel::pause_until(Clock::time_point then) {
  watch_.cancel();
  rest_.set(then, [this] { listen(); });
}

void NotifyChannel::complain(const std::string& sentence) {
  if (complained_.due(Clock::now(), between_complaints)) trouble_(sentence);
}

}  // namespace plimsoll::run

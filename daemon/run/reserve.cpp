#include "daemon/run/reserve.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <string_view>
#include <utility>

namespace plimsoll::run {
namespace {

constexpr int pause_milliseconds = 20;

// What operator new calls has no argument.
void* held = nullptr;
bool waiting_said = false;

/// Without memory, and without waiting for a reader.
void say_by_hand(std::string_view text) {
  pollfd ask{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ask, 1, 0) != 1) return;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Reserve::Reserve(std::size_t size) : size_(size) {
  held = std::malloc(size_);
  std::set_new_handler(on_shortage);
}

Reserve::~Reserve() {
  std::set_new_handler(nullptr);
  std::free(std::exchange(held, nullptr));
}

bool Reserve::refill() {
  if (held == nullptr) held = std::malloc(size_);
  if (held != nullptr) waiting_said = false;
  return held != nullptr;
}

void Reserve::on_shortage() {
  if (held != nullptr) return std::free(std::exchange(held, nullptr));
  if (!std::exchange(waiting_said, true))
    say_by_hand("plimsolld: the kernel gives no memory, and the reserve is used up: it waits until there is some\n");
  ::poll(nullptr, 0, pause_milliseconds);
}

}  // namespace plimsoll::run

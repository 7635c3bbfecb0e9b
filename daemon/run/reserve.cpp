#include "daemon/run/reserve.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <string_view>
#include <utility>

namespace plimsoll::run {
namespace {

constexpr int pause_milliseconds = 20;

// What operator new calls has no argument.
void* held = nullptr;
std::size_t size_held = 0;
bool waiting_said = false;

/// Of the kernel, not of the heap: pages that nobody touches are none, while the heap gives out what it has used
/// before.
void put_aside(std::size_t size) {
  void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return;
  held = mapped;
  size_held = size;
}

void give_back() {
  if (held != nullptr) ::munmap(std::exchange(held, nullptr), size_held);
}

/// Without memory, and without waiting for a reader.
void say_by_hand(std::string_view text) {
  pollfd ask{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ask, 1, 0) != 1) return;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Reserve::Reserve(std::size_t size) : size_(size) {
  put_aside(size_);
  std::set_new_handler(on_shortage);
}

Reserve::~Reserve() {
  std::set_new_handler(nullptr);
  give_back();
}

bool Reserve::refill() {
  if (held == nullptr) put_aside(size_);
  if (held != nullptr) waiting_said = false;
  return held != nullptr;
}

void Reserve::on_shortage() {
  if (held != nullptr) return give_back();
  if (!std::exchange(waiting_said, true))
    say_by_hand("plimsolld: the kernel gives no memory, and the reserve is used up: it waits until there is some\n");
  ::poll(nullptr, 0, pause_milliseconds);
}

}  // namespace plimsoll::run

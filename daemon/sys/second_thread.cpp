#include "daemon/sys/second_thread.hpp"

#include <system_error>
#include <thread>

namespace plimsoll::sys {

int on_second_thread(const std::function<int()>& act) {
  int result = 0;
  std::thread second;
  try {
    second = std::thread([&act, &result] { result = act(); });
  } catch (const std::system_error&) {
    return act();
  }
  second.join();
  return result;
}

}  // namespace plimsoll::sys

// A datagram of the process connector: the kernel writes it, and whoever could take its place.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/sys/connector.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace plimsoll::sys;
  const auto news = parse_process_news({reinterpret_cast<const char*>(bytes), size});
  if (!news) return 0;
  // Whatever is told has its headers and at least one word behind them.
  if (size < 56) std::abort();
  if (std::holds_alternative<Exited>(news->what)) {
    const WaitStatus& status = std::get<Exited>(news->what).status;
    if (status.signaled ? status.code != 0 : status.signal != 0) std::abort();
  }
  return 0;
}

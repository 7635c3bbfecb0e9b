// /proc text as a stranger could shape it: a process chooses its own comm, argv and environment.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/sys/procfs.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace plimsoll::sys;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);

  if (const auto stat = parse_stat(text)) require(text.find("(" + stat->comm + ")") != std::string_view::npos);
  (void)parse_statm_resident(text);
  for (const char* name : {"VmHWM", "Rss", ""}) {
    if (const auto amount = parse_kb_line(text, name)) require(*amount % 1024 == 0);
  }
  std::size_t length = 0;
  for (const auto& word : parse_words(text)) length += word.size() + 1;
  require(length == size || length == size + 1);
  for (const pid_t pid : parse_children(text)) require(pid > 0);
  for (const auto& line : parse_tcp(text)) require(line.state >= 0);
  return 0;
}

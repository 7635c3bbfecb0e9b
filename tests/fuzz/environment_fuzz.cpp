// A file of variables as a stranger could write it: what is taken from it is usable, and written out again in quotes it
// reads the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/sys/environment_file.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (std::string_view{"\"\\`$"}.find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text + "\"";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace plimsoll::sys;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const EnvironmentText read = parse_environment(text);

  std::string again;
  for (const auto& [name, value] : read.variables) {
    require(!name.empty() && name.find_first_of("= \t\r\n") == std::string::npos);
    require(value.size() <= size);
    again += name + "=" + quoted(value) + "\n";
  }
  require(read.variables.size() <= static_cast<std::size_t>(std::count(text.begin(), text.end(), '=')));
  require(std::is_sorted(read.not_taken.begin(), read.not_taken.end()));
  require(read.not_taken.empty() || read.not_taken.back() <= 1 + std::count(text.begin(), text.end(), '\n'));
  const EnvironmentText reread = parse_environment(again);
  require(reread.variables == read.variables && reread.not_taken.empty());
  return 0;
}

// Configuration text of any kind: it loads or it is refused, the same way twice, and what loads comes back from its
// own print. A text that begins with '!' has its first line taken as an override.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace {

using plimsoll::config::Loaded;

[[noreturn]] void fail(const char* what, const std::string& text) {
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

std::string all_problems(const Loaded& loaded) {
  std::string text;
  for (const auto& problem : loaded.problems) text += to_text(problem) + "\n";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string text{reinterpret_cast<const char*>(bytes), size};
  std::vector<std::string> overrides;
  if (text.starts_with('!')) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    overrides.push_back(text.substr(1, end - 1));
    text.erase(0, end);
  }
  const Loaded loaded = plimsoll::config::load_text(text, "fuzz", overrides);
  if (all_problems(loaded) != all_problems(plimsoll::config::load_text(text, "fuzz", overrides))) {
    fail("refused in two ways", text);
  }
  if (!loaded.ok()) return 0;
  const std::string printed = plimsoll::config::to_toml(loaded.plan);
  const Loaded again = plimsoll::config::load_text(printed, "printed");
  if (!again.ok()) fail("its print is refused", all_problems(again) + printed);
  if (!(again.plan == loaded.plan)) fail("its print is another plan", printed);
  (void)plimsoll::config::describe(loaded.plan, plimsoll::WallSeconds{std::chrono::seconds{1'774'700'000}});
  return 0;
}

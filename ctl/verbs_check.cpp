#include "config/config.hpp"
#include "ctl/line.hpp"

namespace plimsoll::ctl {
namespace {

std::string problems_json(const std::vector<config::Problem>& problems) {
  std::string out = "{\"schema\":1,\"ok\":" + std::string(problems.empty() ? "true" : "false") + ",\"problems\":[";
  for (const config::Problem& problem : problems) {
    if (out.back() != '[') out += ',';
    out += "{\"file\":" + wire::json_text(problem.file) + ",\"line\":" + std::to_string(problem.line) +
           ",\"column\":" + std::to_string(problem.column) + ",\"text\":" + wire::json_text(problem.text) + "}";
  }
  return out + "]}\n";
}

}  // namespace

Exit run_check(const Options& options, Console& console) {
  const config::Loaded loaded = config::load_file(options.file);
  if (options.json) {
    console.put(problems_json(loaded.problems));
  } else if (loaded.ok()) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    std::string text = config::describe(loaded.plan, now);
    if (!text.ends_with('\n')) text += '\n';
    console.put(text);
  } else {
    std::string text;
    for (const config::Problem& problem : loaded.problems) text += config::to_text(problem) + "\n";
    console.put(text);
  }
  return loaded.ok() ? done : bad_config;
}

}  // namespace plimsoll::ctl

#include "config/surroundings_toml.hpp"

namespace plimsoll::config {
namespace {

using plimsoll::to_text;

std::string limit_text(std::uint64_t limit, RlimitUnit unit) {
  if (limit == Rlimit::infinity) return quoted("infinity");
  switch (unit) {
    case RlimitUnit::count: return std::to_string(limit);
    case RlimitUnit::bytes: return quoted(to_text(Bytes{limit}));
    case RlimitUnit::seconds: return quoted(to_text(Duration{limit * 1'000}));
    case RlimitUnit::microseconds: return quoted(to_text(Duration{limit / 1'000}));
  }
  return {};
}

std::string rlimits_text(const std::map<std::string, Rlimit>& limits) {
  Inline table;
  for (const RlimitName& row : rlimit_names()) {
    const auto limit = limits.find(std::string{row.name});
    if (limit == limits.end()) continue;
    const auto& [soft, hard] = limit->second;
    if (soft && soft == hard) {
      table.add(row.name, limit_text(*soft, row.unit));
      continue;
    }
    Inline pair;
    if (soft) pair.add("soft", limit_text(*soft, row.unit));
    if (hard) pair.add("hard", limit_text(*hard, row.unit));
    table.add(row.name, pair.text());
  }
  return table.text();
}

std::string ionice_text(const IoPriority& priority) {
  const std::string level = std::to_string(priority.level);
  switch (priority.class_) {
    case IoClass::realtime: return Inline{}.add("class", quoted("realtime")).add("level", level).text();
    case IoClass::best_effort: return Inline{}.add("class", quoted("best-effort")).add("level", level).text();
    case IoClass::idle: return Inline{}.add("class", quoted("idle")).text();
  }
  return {};
}

std::string octal(int mask) {
  std::string digits = "000";
  for (std::size_t i = 3; i-- > 0; mask /= 8) digits[i] = static_cast<char>('0' + mask % 8);
  return digits;
}

void write_account(Page& page, const Surroundings& around) {
  if (!around.user.empty()) page.line("user", quoted(around.user));
  if (!around.group.empty()) page.line("group", quoted(around.group));
  if (around.groups) page.line("groups", list_of(*around.groups));
}

}  // namespace

void write_surroundings(Page& page, const Surroundings& around) {
  const auto* names = std::get_if<std::vector<std::string>>(&around.inherit);
  page.line("inherit", names != nullptr ? list_of(*names) : flag(std::get<bool>(around.inherit)));
  if (!around.environment_file.empty()) {
    std::vector<std::string> paths;
    for (const EnvironmentFile& file : around.environment_file) paths.push_back((file.optional ? "-" : "") + file.path);
    page.line("environment_file", list_of(paths));
  }
  write_account(page, around);
  if (around.umask) page.line("umask", quoted(octal(*around.umask)));
  if (around.nice) page.line("nice", std::to_string(*around.nice));
  if (around.ionice) page.line("ionice", ionice_text(*around.ionice));
  if (around.oom_score_adj) page.line("oom_score_adj", std::to_string(*around.oom_score_adj));
  if (!around.rlimits.empty()) page.line("rlimits", rlimits_text(around.rlimits));
  page.line("session", quoted(around.session == Session::own ? "own" : "group"));
  page.line("no_new_privs", flag(around.no_new_privs));
  if (around.capabilities) page.line("capabilities", list_of(names_of(*around.capabilities)));
}

}  // namespace plimsoll::config

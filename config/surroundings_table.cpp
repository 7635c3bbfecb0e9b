// The keys of a service that say what its processes find around them. Values of variables are secrets: what is wrong
// with one is told without it.
#include <algorithm>
#include <charconv>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

/// The daemon's own, which mark its runs.
bool is_ours(std::string_view name) {
  return name == "PLIMSOLL_RUN" || name == "PLIMSOLL_SERVICE";
}

bool names_a_variable(std::string_view name) {
  return !name.empty() && name.find_first_of(std::string_view{"=\0", 2}) == std::string_view::npos;
}

void read_variable(Reader& table, const Member& variable, Service& into) {
  // Not by refuse(), which shows the value.
  const auto refuse = [&](const std::string& rule) {
    table.findings().add(variable.value.place, table.path_of(variable.key) + ": " + rule);
  };
  if (!names_a_variable(variable.key)) refuse("must have the name of an environment variable");
  if (is_ours(variable.key)) refuse("must not be set (the daemon marks its runs with it)");
  std::string text;
  if (const bool* flag = std::get_if<bool>(&variable.value.is); flag != nullptr && !*flag) {
    into.environment.edit()[variable.key] = std::nullopt;
  } else if (const Rule broken = understand(variable.value, text)) {
    const bool quotable = !std::holds_alternative<List>(variable.value.is) &&
                          !std::holds_alternative<Table>(variable.value.is) &&
                          !std::holds_alternative<std::string>(variable.value.is);
    refuse(*broken + (quotable ? " (quote it), or false to unset it" : ""));
  } else {
    into.environment.edit()[variable.key] = std::move(text);
  }
}

void read_environment(Reader& parent, Service& into) {
  std::optional<Reader> table = parent.table("environment");
  if (!table) return;
  for (const Member& variable : table->written().members) read_variable(*table, variable, into);
}

void read_inherit(Reader& table, Inherit& into) {
  const Value* value = table.take("inherit");
  if (value == nullptr) return;
  bool all = true;
  std::vector<std::string> names;
  if (!understand(*value, all)) {
    into = all;
  } else if (!understand(*value, names) && std::all_of(names.begin(), names.end(), names_a_variable)) {
    into = std::move(names);
  } else {
    table.refuse("inherit", "must be true, false or a list of names of variables");
  }
}

void read_environment_files(Reader& table, std::vector<EnvironmentFile>& into) {
  const Value* value = table.take("environment_file");
  if (value == nullptr) return;
  std::vector<std::string> paths(1);
  if (understand(*value, paths.front()) && understand(*value, paths)) {
    return table.refuse("environment_file", "must be an absolute path or a list of them");
  }
  for (std::string& path : paths) {
    const bool optional = path.starts_with('-');
    if (optional) path.erase(0, 1);
    table.require(path.starts_with('/'), "environment_file",
                  "must be an absolute path, with '-' before it if it may be missing");
    into.push_back({std::move(path), optional});
  }
}

constexpr const char* account_rule = "must be a name or a number";

/// A whole number stands for its digits.
bool understand_account(const Value& value, std::string& into) {
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value.is)) {
    into = std::to_string(*number);
  } else if (understand(value, into)) {
    return false;
  }
  const bool is_number = std::all_of(into.begin(), into.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return !into.starts_with('-');
  // The highest number means "nobody, leave it" to the kernel.
  constexpr std::uint32_t none = ~std::uint32_t{0};
  std::uint32_t number = none;
  std::from_chars(into.data(), into.data() + into.size(), number);
  return number != none;
}

void read_accounts(Reader& table, Surroundings& into) {
  for (const auto& [key, account] : {std::pair{"user", &into.user}, std::pair{"group", &into.group}}) {
    const Value* value = table.take(key);
    if (value != nullptr && !understand_account(*value, *account)) table.refuse(key, account_rule);
  }
  const Value* value = table.take("groups");
  if (value == nullptr) return;
  const List* list = std::get_if<List>(&value->is);
  if (list == nullptr) return table.refuse("groups", "must be a list of groups");
  into.groups.emplace();
  for (const Value& element : *list) {
    into.groups->emplace_back();
    if (understand_account(element, into.groups->back())) continue;
    return table.refuse("groups", std::string{"each "} + account_rule);
  }
}

void read_whole(Reader& table, std::string_view key, int from, int to, std::optional<int>& into) {
  if (!table.read(key, into)) return;
  table.require(*into >= from && *into <= to, key, "must be " + std::to_string(from) + " to " + std::to_string(to));
}

/// In quotes only: TOML's 22 is not what umask(1) calls 22.
void read_umask(Reader& table, std::optional<int>& into) {
  const Value* value = table.take("umask");
  if (value == nullptr) return;
  const std::string* text = std::get_if<std::string>(&value->is);
  int mask = -1;
  if (text != nullptr && text->size() >= 3 && text->size() <= 4) {
    const auto read = std::from_chars(text->data(), text->data() + text->size(), mask, 8);
    if (read.ptr != text->data() + text->size()) mask = -1;
  }
  if (mask < 0 || mask > 0777) return table.refuse("umask", "must be three octal digits in quotes such as \"027\"");
  into = mask;
}

void read_ionice(Reader& parent, std::optional<IoPriority>& into) {
  std::optional<Reader> table = parent.table("ionice");
  if (!table) return;
  IoPriority priority;
  const bool has_class = table->read_word<IoClass>(
      "class", priority.class_,
      {{"realtime", IoClass::realtime}, {"best-effort", IoClass::best_effort}, {"idle", IoClass::idle}});
  if (!table->has("class")) table->lacks("must have 'class'");
  if (priority.class_ == IoClass::idle) priority.level = 0;
  if (table->read("level", priority.level)) {
    const bool leveled = has_class && priority.class_ != IoClass::idle;
    table->require(leveled || !has_class, "level", "must not be written, the class \"idle\" has none");
    table->require(priority.level >= 0 && priority.level <= 7, "level", "must be 0 (first) to 7");
  }
  table->finish();
  into = priority;
}

const char* rule_of(RlimitUnit unit) {
  switch (unit) {
    case RlimitUnit::count: return "must be a whole number or \"infinity\"";
    case RlimitUnit::bytes: return "must be a size such as 400MiB or \"infinity\"";
    case RlimitUnit::seconds: return "must be a duration of whole seconds or \"infinity\"";
    case RlimitUnit::microseconds: return "must be a duration or \"infinity\"";
  }
  return "";
}

std::optional<std::uint64_t> duration_limit(const Value& value, RlimitUnit unit) {
  Duration duration{};
  if (understand(value, duration)) return std::nullopt;
  const auto count = static_cast<std::uint64_t>(duration.count());
  if (unit == RlimitUnit::microseconds) return count * 1'000;
  return count % 1'000 == 0 && count > 0 ? std::optional{count / 1'000} : std::nullopt;
}

std::optional<std::uint64_t> limit_of(const Value& value, RlimitUnit unit) {
  if (const std::string* text = std::get_if<std::string>(&value.is); text != nullptr && *text == "infinity") {
    return Rlimit::infinity;
  }
  switch (unit) {
    case RlimitUnit::count: {
      const std::int64_t* number = std::get_if<std::int64_t>(&value.is);
      return number != nullptr && *number >= 0 ? std::optional{static_cast<std::uint64_t>(*number)} : std::nullopt;
    }
    case RlimitUnit::bytes: {
      Bytes size;
      return understand(value, size) ? std::nullopt : std::optional{size.count};
    }
    case RlimitUnit::seconds:
    case RlimitUnit::microseconds: return duration_limit(value, unit);
  }
  return std::nullopt;
}

Rlimit read_pair(Reader& table, RlimitUnit unit) {
  Rlimit limit;
  for (const auto& [key, bound] : {std::pair{"soft", &limit.soft}, std::pair{"hard", &limit.hard}}) {
    const Value* value = table.take(key);
    if (value == nullptr) continue;
    *bound = limit_of(*value, unit);
    if (!*bound) table.refuse(key, rule_of(unit));
  }
  if (!table.has("soft") && !table.has("hard")) table.lacks("must have 'soft' or 'hard'");
  if (limit.soft && limit.hard) table.require(*limit.soft <= *limit.hard, "soft", "must not be above hard");
  table.finish();
  return limit;
}

void read_rlimits(Reader& parent, std::map<std::string, Rlimit>& into) {
  std::optional<Reader> table = parent.table("rlimits");
  if (!table) return;
  for (const RlimitName& row : rlimit_names()) {
    const Value* value = table->take(row.name);
    if (value == nullptr) continue;
    const std::string name{row.name};
    if (const Table* pair = std::get_if<Table>(&value->is)) {
      Reader inner{*pair, value->place, table->path_of(name), table->findings()};
      into[name] = read_pair(inner, row.unit);
    } else if (const auto limit = limit_of(*value, row.unit)) {
      into[name] = {limit, limit};
    } else {
      table->refuse(name, std::string{rule_of(row.unit)} + ", or { soft, hard }");
    }
  }
  table->finish();
}

void read_capabilities(Reader& table, std::optional<CapabilitySet>& into) {
  std::vector<std::string> names;
  if (!table.read("capabilities", names)) return;
  CapabilitySet set = 0;
  for (const std::string& name : names) {
    const std::optional<int> number = capability_number(name);
    if (!number) return table.refuse("capabilities", "must name capabilities such as CAP_NET_BIND_SERVICE");
    set |= CapabilitySet{1} << static_cast<unsigned>(*number);
  }
  into = set;
}

}  // namespace

void read_surroundings(Reader& table, Service& into) {
  if (table.read("working_directory", into.working_directory)) {
    table.require(into.working_directory.starts_with('/'), "working_directory", "must be an absolute path");
  }
  read_environment(table, into);
  Surroundings around;
  read_inherit(table, around.inherit);
  read_environment_files(table, around.environment_file);
  read_accounts(table, around);
  read_umask(table, around.umask);
  read_whole(table, "nice", -20, 19, around.nice);
  read_ionice(table, around.ionice);
  read_whole(table, "oom_score_adj", -1000, 1000, around.oom_score_adj);
  read_rlimits(table, around.rlimits);
  table.read_word<Session>("session", around.session, {{"own", Session::own}, {"group", Session::group}});
  table.read("no_new_privs", around.no_new_privs);
  read_capabilities(table, around.capabilities);
  into.surroundings = std::move(around);
}

}  // namespace plimsoll::config

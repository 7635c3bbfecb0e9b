#include <algorithm>
#include <utility>

#include "config/files.hpp"
#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

/// An engine that the daemon launches itself is up before its app: the app requires it.
void bind_engines(std::vector<Service>& services) {
  for (const Service& engine : services) {
    if (engine.engine_of.empty()) continue;
    for (Service& app : services) {
      const bool required = std::find(app.required.begin(), app.required.end(), engine.name) != app.required.end();
      if (app.name == engine.engine_of && !required) app.required.push_back(engine.name);
    }
  }
}

void read_services(Reader& root, Zones& zones, Plan& into) {
  std::optional<Reader> services = root.table("services");
  if (!services) return;
  std::vector<std::string> names;
  std::map<std::string, Place> ordered_at;
  for (const Member& member : services->written().members) names.push_back(member.key);
  for (const Member& member : services->written().members) {
    if (!is_name(member.key)) root.findings().add(member.place, services->path_of(member.key) + ": " + name_rule);
    std::optional<Reader> table = services->table(member);
    if (!table) continue;
    into.services.push_back(read_service(*table, member.key, names, zones));
    for (const char* key : {"requires", "after", "engine_of"}) {
      if (table->has(key)) ordered_at.emplace(member.key, table->take(key)->place);
    }
  }
  bind_engines(into.services);
  into.services = in_order_of_need(std::move(into.services), ordered_at, root.findings());
  share_alike(into.services);
  // A copy, made while what was read is still there, lies in one piece behind it; else each page of what is freed then
  // would keep something of the plan.
  into.services = std::vector<Service>(into.services);
}

Loaded load_table(const Table& table, Findings findings, std::vector<std::string> files) {
  Loaded loaded;
  loaded.files = std::move(files);
  Reader root{table, Place{0, 1, 1}, {}, findings};
  if (std::optional<Reader> daemon = root.table("daemon")) read_daemon(*daemon, loaded.plan.daemon);
  Zones zones;
  read_services(root, zones, loaded.plan);
  root.finish();
  loaded.problems = std::move(findings).in_order();
  return loaded;
}

/// A table of `[daemon]`, or of one service, is whole in one file: who reads it there has read all of it.
void add_member(Table& base, const Member& member, const std::string& path, Findings& findings) {
  const Member* before = base.find(member.key);
  if (before == nullptr) {
    base.members.push_back(member);
    return;
  }
  findings.add(member.place,
               path + ": is in " + findings.place_text(before->place) + " too; a table stands in one file, whole");
}

void add_file(Table& base, const Table& more, Findings& findings) {
  for (const Member& member : more.members) {
    const auto found = std::find_if(base.members.begin(), base.members.end(),
                                    [&](const Member& one) { return one.key == member.key; });
    Table* const before =
        found != base.members.end() && member.key == "services" ? std::get_if<Table>(&found->value.is) : nullptr;
    const Table* const services = std::get_if<Table>(&member.value.is);
    if (before == nullptr || services == nullptr) {
      add_member(base, member, member.key, findings);
      continue;
    }
    for (const Member& service : services->members) {
      add_member(*before, service, "services." + spelled_key(service.key), findings);
    }
  }
}

/// Each file's TOML by itself. What is no TOML is told alone, of every file.
std::variant<std::vector<Value>, std::vector<Problem>> parse_files(const std::vector<File>& files) {
  std::vector<Value> values;
  std::vector<Problem> malformed;
  for (const File& file : files) {
    std::variant<Value, Problem> written = parse_toml(file.text, file.path, static_cast<int>(values.size()));
    if (const Problem* problem = std::get_if<Problem>(&written)) malformed.push_back(*problem);
    values.push_back(malformed.empty() ? std::get<Value>(std::move(written)) : Value{});
  }
  if (!malformed.empty()) return malformed;
  return values;
}

Loaded load_files(const std::vector<File>& files, const std::vector<std::string>& overrides) {
  std::variant<std::vector<Value>, std::vector<Problem>> parsed = parse_files(files);
  if (auto* problems = std::get_if<std::vector<Problem>>(&parsed)) return {{}, std::move(*problems), {}};
  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const File& file : files) paths.push_back(file.path);
  Findings findings{paths};
  auto& values = std::get<std::vector<Value>>(parsed);
  Table table = std::get<Table>(std::move(values.front().is));
  for (std::size_t i = 1; i < values.size(); ++i) add_file(table, std::get<Table>(values[i].is), findings);
  std::vector<Problem> malformed;
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    std::variant<Value, Problem> over = parse_override(overrides[i], static_cast<int>(files.size() + i));
    if (const Problem* problem = std::get_if<Problem>(&over)) {
      malformed.push_back(*problem);
    } else {
      merge(table, std::get<Table>(std::move(std::get<Value>(over).is)));
    }
  }
  if (!malformed.empty()) return {{}, std::move(malformed), {}};
  return load_table(table, std::move(findings), std::move(paths));
}

}  // namespace

std::string to_text(const Problem& problem) {
  if (problem.line == 0) return problem.file + ": " + problem.text;
  return problem.file + ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " + problem.text;
}

Loaded load_text(std::string_view text, const std::string& name, const std::vector<std::string>& overrides) {
  return load_files({{name, std::string{text}}}, overrides);
}

Loaded load_file(const std::string& path, const std::vector<std::string>& overrides) {
  std::variant<std::vector<File>, std::vector<Problem>> read = read_files(path);
  if (auto* problems = std::get_if<std::vector<Problem>>(&read)) return {{}, std::move(*problems), {}};
  return load_files(std::get<std::vector<File>>(read), overrides);
}

}  // namespace plimsoll::config

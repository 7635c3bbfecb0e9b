#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_file = 4 * 1024 * 1024;

/// An engine that the daemon launches itself is up before its app: the app requires it.
void bind_engines(std::vector<Service>& services) {
  for (const Service& engine : services) {
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
    std::optional<Reader> table = services->table(member.key);
    if (!table) continue;
    into.services.push_back(read_service(*table, member.key, names, zones));
    for (const char* key : {"requires", "after", "engine_of"}) {
      if (table->has(key)) ordered_at.emplace(member.key, table->take(key)->place);
    }
  }
  bind_engines(into.services);
  into.services = in_order_of_need(std::move(into.services), ordered_at, root.findings());
}

Loaded load_table(const Table& table, const std::string& name) {
  Loaded loaded;
  Findings findings{name};
  Reader root{table, Place{0, 1, 1}, {}, findings};
  if (std::optional<Reader> daemon = root.table("daemon")) read_daemon(*daemon, loaded.plan.daemon);
  Zones zones;
  read_services(root, zones, loaded.plan);
  root.finish();
  loaded.problems = std::move(findings).in_order();
  return loaded;
}

Loaded failed(const std::string& file, const std::string& text) {
  return {{}, {{file, 0, 0, text}}};
}

struct Closing {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// The file's text; false when it cannot be read, errno says why.
bool read_text(const std::string& path, std::string& into) {
  const std::unique_ptr<std::FILE, Closing> file{std::fopen(path.c_str(), "re")};
  if (!file) return false;
  std::array<char, 16 * 1024> chunk{};
  for (std::size_t got = 0; (got = std::fread(chunk.data(), 1, chunk.size(), file.get())) > 0;) {
    into.append(chunk.data(), got);
    if (into.size() > longest_file) {
      errno = EFBIG;
      return false;
    }
  }
  return std::ferror(file.get()) == 0;
}

/// A file that would add to this one, or nothing.
std::string first_of_conf_d(const std::string& path) {
  std::error_code error;
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator{fs::path{path}.parent_path() / "conf.d", error}) {
    if (entry.path().extension() == ".toml") found.push_back(entry.path().string());
  }
  return found.empty() ? std::string{} : *std::min_element(found.begin(), found.end());
}

}  // namespace

std::string to_text(const Problem& problem) {
  if (problem.line == 0) return problem.file + ": " + problem.text;
  return problem.file + ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " + problem.text;
}

Loaded load_text(std::string_view text, const std::string& name, const std::vector<std::string>& overrides) {
  std::variant<Value, Problem> written = parse_toml(text, name, 0);
  if (const Problem* problem = std::get_if<Problem>(&written)) return {{}, {*problem}};
  Table& table = std::get<Table>(std::get<Value>(written).is);
  std::vector<Problem> malformed;
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    std::variant<Value, Problem> over = parse_override(overrides[i], static_cast<int>(i) + 1);
    if (const Problem* problem = std::get_if<Problem>(&over)) {
      malformed.push_back(*problem);
    } else {
      merge(table, std::get<Table>(std::move(std::get<Value>(over).is)));
    }
  }
  if (!malformed.empty()) return {{}, std::move(malformed)};
  return load_table(table, name);
}

Loaded load_file(const std::string& path, const std::vector<std::string>& overrides) {
  std::string text;
  if (!read_text(path, text)) return failed(path, "cannot be read: " + std::generic_category().message(errno));
  if (const std::string other = first_of_conf_d(path); !other.empty()) {
    return failed(other, "a conf.d beside the file is not yet supported");
  }
  return load_text(text, path, overrides);
}

}  // namespace plimsoll::config

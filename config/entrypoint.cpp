// `plimsolld -- CMD`: the plan of a container that brought no file. It says what design and docs promise for
// this mode in the language of the file, so that --print-config shows the whole truth.
#include <cassert>

#include "config/config.hpp"
#include "config/reader.hpp"

namespace plimsoll::config {
namespace {

/// CMD's basename as a name: what a name cannot have becomes '-'.
std::string name_of(const std::string& program) {
  std::string name = program.substr(program.find_last_of('/') + 1).substr(0, 64);
  for (char& c : name) {
    if (!is_name({&c, 1})) c = '-';
  }
  return name.empty() ? "main" : name;
}

// One restart in half an hour, and only after the app had its time to heal itself: without a file there is nobody
// who knows more about it. That is the ladder of the container's lines too (`on_hard`'s default).
constexpr std::string_view service_text = R"toml(
command   = ["set below"]
essential = true
restart   = "never"
heal      = "90s"
container = { soft = "80%", for = "2m", hard = "92%", free = "64MiB" }
budget    = { acts = 1, per = "30m" }
engines.prisma = { preset = "prisma", on_lost = ["restart"] }
)toml";

}  // namespace

Plan entrypoint_plan(const std::vector<std::string>& command, bool observe) {
  assert(!command.empty());
  const std::string name = name_of(command.front());
  const std::string text = "daemon.name = \"" + name + "\"\n[services.\"" + name + "\"]" + std::string{service_text};
  Loaded loaded = load_text(text, "--", {});
  assert(loaded.ok());
  // Put in place afterwards: an argument may be bytes that TOML cannot hold.
  loaded.plan.services.front().command = command;
  loaded.plan.daemon.mode = observe ? Mode::observe : Mode::act;
  loaded.plan.entrypoint = true;
  return std::move(loaded.plan);
}

}  // namespace plimsoll::config

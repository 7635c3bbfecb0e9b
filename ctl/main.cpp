// The command line, made from the table of verbs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "ctl/verbs.hpp"

namespace {

using plimsoll::ctl::Options;
using plimsoll::ctl::Verb;

void add_verb(CLI::App& app, const Verb& verb, Options& options, const Verb*& chosen) {
  namespace ctl = plimsoll::ctl;
  CLI::App* command = app.add_subcommand(std::string(verb.name), std::string(verb.help));
  command->fallthrough();
  command->callback([&verb, &chosen] { chosen = &verb; });
  if (verb.takes & ctl::takes_hook) command->add_option("HOOK", options.hook, "the hook's name")->required();
  if (verb.takes & ctl::takes_service)
    command->add_option("NAME", options.service,
                        "the service; may be left out to act where there is only one, and to look at all");
  if (verb.takes & ctl::takes_file) command->add_option("FILE", options.file, "the file to check")->required();
  if (verb.takes & ctl::takes_rule) command->add_option("--rule", options.rule, "engines of this rule only");
  if (verb.takes & ctl::takes_pid)
    command->add_option("--pid", options.pid, "of the engine with this pid only")->check(CLI::Range(1, 1 << 22));
  if (verb.takes & ctl::takes_for)
    command->add_option("--for", options.for_, "how long, such as 1h; else until `release`");
  if (verb.takes & ctl::takes_except)
    command->add_option("--except", options.except, "`hard`: ladders of hard lines still run");
  if (verb.takes & ctl::takes_follow) command->add_flag("-f,--follow", options.follow, "go on as they come");
  if (verb.takes & ctl::takes_since)
    command->add_option("--since", options.since, "after the event with this id, or not older than such as 10m");
  if (verb.takes & ctl::takes_force)
    command->add_flag("--force", options.force, "in spite of leftovers or a stuck tree");
  if (verb.takes & ctl::takes_dry_run)
    command->add_flag("--dry-run", options.dry_run, "say what it would do to each service, and do nothing");
  if (verb.takes & ctl::takes_count)
    command->add_option("-n", options.count, "only the last so many (of why: 5)")->check(CLI::Range(1, 1'000'000));
}

/// The verbs to set up: those that are written on the command line; all, where none is or help is asked for. To set up
/// all of them would be half of what `status NAME` does.
std::vector<const Verb*> verbs_of(std::span<char*> words) {
  std::vector<const Verb*> all;
  std::vector<const Verb*> named;
  const auto written = [&](std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  for (const Verb& verb : plimsoll::ctl::verbs()) {
    all.push_back(&verb);
    if (written(verb.name)) named.push_back(&verb);
  }
  return named.empty() || written("-h") || written("--help") ? all : named;
}

}  // namespace

int main(int argc, char** argv) {
  namespace ctl = plimsoll::ctl;
  Options options;
  const Verb* chosen = &ctl::verbs().front();
  CLI::App app(
      "See and steer plimsolld. Without a verb: status. Exit codes: 0 done (status: well), 1 failed, 2 usage,\n"
      "3 not running or not well, 4 no daemon, 5 refused.",
      "plimsollctl");
  app.require_subcommand(0, 1);
  app.add_option("--socket", options.socket, "the daemon's socket; else $PLIMSOLL_SOCKET, else by its name");
  app.add_option("--name", options.name, "the daemon's name (main; to look, that of the only one)");
  app.set_version_flag("--version", "plimsollctl " PLIMSOLL_VERSION);
  app.add_flag("--json", options.json, "the daemon's answer as it is");
  app.add_flag("--no-wait", options.no_wait, "do not wait for the outcome of a command");
  for (const Verb* verb : verbs_of({argv, static_cast<std::size_t>(argc)})) add_verb(app, *verb, options, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ctl::done : ctl::usage;
  }
  ctl::Console console;
  options.acts = (chosen->takes & ctl::acts) != 0;
  return chosen->run(options, console);
}

// plimsolld: the command line. Everything it decides is which of its few ways to run was asked for.

#include <malloc.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "daemon/run/daemon.hpp"
#include "daemon/sys/program_pages.hpp"
#include "daemon/sys/second_thread.hpp"

namespace {

constexpr int bad_usage = 64;
constexpr int bad_config = 78;  // EX_CONFIG

struct Arguments {
  std::string config = "/etc/plimsoll/plimsoll.toml";
  std::string check;
  bool print_config = false;
  bool observe = false;
  std::vector<std::string> overrides;
  std::vector<std::string> without;
  std::vector<std::string> rewrites;
  std::vector<std::string> exit_ok;
  bool to_group = false;
  std::vector<std::string> command;
};

bool switch_off(plimsoll::run::Sources& sources, const std::string& name) {
  const std::map<std::string, bool*> known{{"connector", &sources.connector},
                                           {"exit_info", &sources.exit_info},
                                           {"exe", &sources.exe},
                                           {"environ", &sources.environ},
                                           {"fds", &sources.fds},
                                           {"ports", &sources.ports}};
  const auto found = known.find(name);
  if (found == known.end()) return false;
  *found->second = false;
  return true;
}

int report(const plimsoll::config::Loaded& loaded) {
  for (const auto& problem : loaded.problems) std::cerr << plimsoll::config::to_text(problem) << '\n';
  return bad_config;
}

int check(const Arguments& arguments) {
  const auto loaded = plimsoll::config::load_file(arguments.check, arguments.overrides);
  if (!loaded.ok()) return report(loaded);
  std::cout << plimsoll::config::describe(loaded.plan,
                                          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  return 0;
}

/// `-- CMD`: the plan made of the command; with --set, as if its printed form had been the file.
plimsoll::config::Loaded entrypoint(const Arguments& arguments, const plimsoll::run::Forwarding& forwarding) {
  plimsoll::config::Loaded loaded;
  loaded.plan = plimsoll::config::entrypoint_plan(arguments.command, arguments.observe);
  // SIGTERM begins the stop; what the command gets then is what it is rewritten to.
  if (const int signal = forwarding.rewritten(SIGTERM); signal != 0) loaded.plan.services.front().stop.signal = signal;
  if (arguments.overrides.empty()) return loaded;
  loaded = plimsoll::config::load_text(plimsoll::config::to_toml(loaded.plan), "command line", arguments.overrides);
  loaded.plan.entrypoint = true;
  return loaded;
}

/// The daemon lives on a thread of its own, so that orphans are apart from what it forks.
int run(std::shared_ptr<const plimsoll::Plan> plan, plimsoll::run::Options options) {
  // One heap for both: the first thread has filled it with the plan, and sleeps from here on.
  ::mallopt(M_ARENA_MAX, 1);
  if (const auto error = plimsoll::run::Signals::block(plan->entrypoint)) {
    std::cerr << "plimsolld: cannot block signals: " << error.message() << "; it does not start\n";
    return 1;
  }
  plimsoll::sys::give_back_program_pages();  // most of what ran so far never runs again
  return plimsoll::sys::on_second_thread([&] {
    // Never destroyed, and led to until the end, so that it is no leak: four descriptors a service are closed by the
    // kernel in one go when the process ends, and nobody waits for each of them.
    static plimsoll::run::Daemon* daemon = nullptr;
    daemon = new plimsoll::run::Daemon(plan, std::move(options));
    return daemon->run();
  });
}

int supervise(const Arguments& arguments) {
  plimsoll::run::Options options;
  for (const std::string& name : arguments.without) {
    if (switch_off(options.sources, name)) continue;
    std::cerr << "plimsolld: --without knows connector, exit_info, exe, environ, fds and ports, not '" << name << "'\n";
    return bad_usage;
  }
  auto forwarding = plimsoll::run::read_forwarding(arguments.rewrites, arguments.exit_ok, arguments.to_group);
  if (const std::string* wrong = std::get_if<std::string>(&forwarding)) {
    std::cerr << "plimsolld: " << *wrong << '\n';
    return bad_usage;
  }
  options.forwarding = std::get<plimsoll::run::Forwarding>(std::move(forwarding));
  plimsoll::config::Loaded loaded;
  if (arguments.command.empty()) {
    loaded = plimsoll::config::load_file(arguments.config, arguments.overrides);
    options.config = arguments.config;
  } else {
    loaded = entrypoint(arguments, options.forwarding);
  }
  if (!loaded.ok()) return report(loaded);
  if (arguments.observe) loaded.plan.daemon.mode = plimsoll::Mode::observe;
  if (arguments.print_config) {
    std::cout << plimsoll::config::to_toml(loaded.plan);
    return 0;
  }
  options.overrides = arguments.overrides;
  options.observe = arguments.observe;
  return run(std::make_shared<const plimsoll::Plan>(std::move(loaded.plan)), std::move(options));
}

/// What stands behind `--` is the command, whole: CLI11 must not look into it.
std::vector<std::string> take_command(int& argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string{argv[i]} != "--") continue;
    std::vector<std::string> command(argv + i + 1, argv + argc);
    argc = i;
    return command;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  bool separator = false;
  for (int i = 1; i < argc; ++i) separator = separator || std::string{argv[i]} == "--";
  arguments.command = take_command(argc, argv);
  CLI::App app{
      "Process supervisor and memory watchdog for applications with a database engine of their own.\n"
      "`plimsolld -- CMD ARG…` supervises one command without a file."};
  app.name("plimsolld");
  const auto* config = app.add_option("--config", arguments.config, "The configuration")->capture_default_str();
  const auto* check_option = app.add_option(
      "--check", arguments.check, "Read that file, say what is wrong with it or when its cycles run, and end");
  app.add_flag("--print-config", arguments.print_config,
               "Print the whole configuration, every default written out, and end");
  app.add_flag("--observe", arguments.observe, "Withhold every intervention, and record what would have been done");
  app.add_option("--set", arguments.overrides,
                 "KEY=VALUE in place of what the file says, such as services.api.memory.hard=1GiB")
      ->allow_extra_args(false);
  app.add_option("--without", arguments.without,
                 "Sources of evidence not to use: connector,exit_info,exe,environ,fds,ports")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--rewrite", arguments.rewrites,
                 "`-- CMD`: pass on another signal than what comes, such as TERM:INT or 15:2; HUP:0 drops it")
      ->allow_extra_args(false);
  app.add_flag("--to-group", arguments.to_group, "`-- CMD`: pass signals on to all of the command's process group");
  app.add_option("--exit-ok", arguments.exit_ok,
                 "`-- CMD`: end with 0 where the command ends with that code, such as 143")
      ->allow_extra_args(false);
  app.set_version_flag("--version", "plimsolld " PLIMSOLL_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : bad_usage;
  }
  if (separator && arguments.command.empty()) {
    std::cerr << "plimsolld: there is no command behind '--'\n";
    return bad_usage;
  }
  if (separator && config->count() + check_option->count() > 0) {
    std::cerr << "plimsolld: a command behind '--' is supervised without a file; --set takes single keys\n";
    return bad_usage;
  }
  const bool forwards = !arguments.rewrites.empty() || !arguments.exit_ok.empty() || arguments.to_group;
  if (forwards && !separator) {
    std::cerr << "plimsolld: --rewrite, --to-group and --exit-ok are for a command behind '--'\n";
    return bad_usage;
  }
  return arguments.check.empty() ? supervise(arguments) : check(arguments);
}

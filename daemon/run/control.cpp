// What comes from outside: signals, commands over the socket, a new configuration, the service manager's watchdog.

#include <time.h>
#include <unistd.h>

#include <csignal>

#include "config/config.hpp"
#include "daemon/core/changes.hpp"
#include "daemon/core/turn.hpp"
#include "daemon/run/daemon.hpp"
#include "daemon/run/view.hpp"
#include "daemon/sys/program_pages.hpp"

namespace plimsoll::run {
namespace {

std::optional<core::CommandAct> act_of(const std::string& act) {
  static const std::map<std::string, core::CommandAct> acts{
      {"start", core::CommandAct::start},     {"stop", core::CommandAct::stop},
      {"restart", core::CommandAct::restart}, {"reconnect", core::CommandAct::reconnect},
      {"hook", core::CommandAct::hook},       {"hold", core::CommandAct::hold},
      {"release", core::CommandAct::release}};
  const auto found = acts.find(act);
  return found == acts.end() ? std::nullopt : std::optional{found->second};
}

config::Loaded load_again(const Options& options) {
  config::Loaded loaded = config::load_file(options.config, options.overrides);
  if (options.observe) loaded.plan.daemon.mode = Mode::observe;
  sys::give_back_program_pages();  // those that read it are not needed until the next time
  return loaded;
}

std::string monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000);
}

const char* on_off(bool on) {
  return on ? "yes" : "off";
}

/// A line for the daemon if something of it changes, and one for each service.
std::string changes_text(const core::World& world, const Plan& next) {
  std::string text;
  std::string keys;
  for (const std::string& key : core::daemon_changes(*world.plan, next)) keys += (keys.empty() ? "" : ", ") + key;
  if (!keys.empty()) text += "\n  the daemon takes it live (" + keys + ")";
  for (const core::ServiceChange& change : core::changes(world, next)) text += "\n  " + core::to_sentence(change);
  return text.empty() ? " nothing, there is no service" : text;
}

}  // namespace

void Daemon::note(core::Level level, const std::string& sentence) {
  tell_all();
  journal_.note(level, sentence);
}

/// False: another daemon has the socket, and two must not supervise the same services. A socket that cannot be had for
/// another reason costs control only.
bool Daemon::listen() {
  std::string why;
  for (const std::string& path : sys::socket_candidates(plan_->daemon.socket, plan_->daemon.name)) {
    auto opened = sys::ListeningSocket::open(path);
    if (opened) {
      socket_ = std::move(*opened);
      break;
    }
    why += (why.empty() ? "" : "; ") + path + ": " + opened.error().message();
    if (opened.error().value() == EADDRINUSE && !plan_->entrypoint) {
      note(core::Level::error, "cannot start: another daemon has " + path);
      return false;
    }
  }
  if (!socket_) {
    if (!std::exchange(no_control_said_, true))
      note(core::Level::warning, "cannot open a control socket: " + why + "; running without control, tried again");
    listen_later();
    return true;
  }
  if (std::exchange(no_control_said_, false)) note(core::Level::info, "control at " + socket_->path());
  // Law 11: a leftover whose pipe is full could not end.
  if (const auto left = sys::drain_fifos(Outputs::folder_of(socket_->path())); left && !left->empty())
    out_.write(*left);
  server_ = std::make_unique<api::Server>(loop_.context(), socket_->release_fd(), backend(),
                                          api::Roles{plan_->daemon.operators, plan_->daemon.observers});
  return true;
}

/// A full disk or another daemon in the way goes away some day.
void Daemon::listen_later() {
  constexpr std::chrono::seconds pause{5};
  listen_alarm_.set_after(pause, [this] {
    if (!exit_code_ && !listen()) listen_later();
  });
}

void Daemon::on_signal(Signals::Caught caught) {
  if (caught.number == SIGCHLD) {
    if (plan_->entrypoint) follow_stopped_command();
    return members_.on_sigchld();
  }
  const std::string who =
      signal_name(caught.number) + (caught.sender != 0 ? " from process " + std::to_string(caught.sender) : "");
  if (plan_->entrypoint) return on_signal_of_command(caught, who);
  if (caught.number == SIGHUP) return reload(who, false, [](const wire::Answer&) {});
  notifier_.send("STOPPING=1");
  dispatch(core::StopRequested{who});
}

/// Everything that is wrong with what it read, as one text; empty: nothing.
std::string Daemon::why_not(const config::Loaded& loaded) const {
  std::string why;
  for (const config::Problem& problem : loaded.problems) why += (why.empty() ? "" : "\n") + config::to_text(problem);
  if (why.empty() && loaded.plan.daemon.name != plan_->daemon.name)
    why = "daemon.name cannot change while the daemon runs";
  if (why.empty() && loaded.plan.daemon.socket != plan_->daemon.socket)
    why = "daemon.socket cannot change while the daemon runs";
  return why;
}

void Daemon::reload(const std::string& by, bool dry_run, std::function<void(wire::Answer)> answer) {
  if (plan_->entrypoint) return answer({409, "there is no configuration file to read again"});
  if (dry_run) return answer(rehearse_reload());
  notifier_.send("RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds());
  config::Loaded loaded = load_again(options_);
  if (const std::string why = why_not(loaded); !why.empty()) {
    core::Entry said;
    said.kind = core::EventKind::config;
    said.level = core::Level::error;
    said.why = "cannot reload, the plan stays as it is: " + why;
    say(said);
    notifier_.send("READY=1");
    return answer({422, said.why});
  }
  const std::string what = changes_text(world_, loaded.plan);
  plan_ = std::make_shared<const Plan>(std::move(loaded.plan));
  if (server_) server_->set_roles({plan_->daemon.operators, plan_->daemon.observers});
  dispatch(core::PlanReplaced{plan_, by});
  notifier_.send("READY=1");
  answer({200, "reloaded:" + what});
}

wire::Answer Daemon::rehearse_reload() const {
  config::Loaded loaded = load_again(options_);
  if (const std::string why = why_not(loaded); !why.empty()) return {422, "a reload would be refused: " + why};
  return {200, "a reload would do this:" + changes_text(world_, loaded.plan)};
}

void Daemon::take_command(wire::Command command, std::string by, std::function<void(wire::Answer)> answer) {
  if (command.act == "reload") return reload(by, command.dry_run, std::move(answer));
  const auto act = act_of(command.act);
  if (!act) return answer({400, "no such act: " + command.act});
  core::CommandGiven given;
  given.id = next_command_++;
  given.act = *act;
  given.service = std::move(command.service);
  given.hook = std::move(command.hook);
  given.rule = std::move(command.rule);
  if (command.pid) given.pid = static_cast<int>(*command.pid);
  if (command.for_milliseconds) given.for_ = Duration{static_cast<Duration::rep>(*command.for_milliseconds)};
  given.except_hard = command.except_hard;
  given.force = command.force;
  given.wait = command.wait;
  given.by = std::move(by);
  answers_.emplace(given.id, std::move(answer));
  dispatch(std::move(given));
}

api::Backend Daemon::backend() {
  api::Backend backend;
  backend.status = [this] { return status(); };
  backend.status_json = [this] {
    const View view(world_, members_, now());
    return view.status_json(about(view));
  };
  backend.brief_status = [this](const api::Put& put) {
    const View view(world_, members_, now());
    view.brief_json(about(view), put);
  };
  backend.status_of = [this](std::string_view name) -> std::optional<wire::Status> {
    const View view(world_, members_, now());
    auto service = view.one(name);
    if (!service) return std::nullopt;
    return wire::Status{about(view), {std::move(*service)}};
  };
  backend.daemon = [this] { return about(View(world_, members_, now())); };
  backend.service = [this](std::string_view name) { return View(world_, members_, now()).service(name); };
  backend.events = [this](std::uint64_t after) { return journal_.since(after); };
  backend.ledger = [this](std::string_view service) { return View(world_, members_, now()).ledger(service); };
  backend.command = [this](wire::Command command, std::string by, std::function<void(wire::Answer)> answer) {
    take_command(std::move(command), std::move(by), std::move(answer));
  };
  backend.trouble = [this](const std::string& sentence) { note(core::Level::warning, sentence); };
  return backend;
}

wire::Status Daemon::status() {
  const View view(world_, members_, now());
  wire::Status status;
  status.daemon = about(view);
  status.services = view.services();
  return status;
}

wire::Daemon Daemon::about(const View& view) const {
  wire::Daemon daemon;
  daemon.name = plan_->daemon.name;
  daemon.version = PLIMSOLL_VERSION;
  daemon.pid = ::getpid();
  daemon.config = options_.config;
  daemon.sources = sources();
  if (const auto found = container_.read()) daemon.container = wire::Container{found->limit, found->used};
  view.fill(daemon);
  return daemon;
}

std::map<std::string, std::string> Daemon::sources() const {
  const std::string census = feed_.works() ? "connector and walk" : "walk";
  return {{"census", census_.trouble().empty() ? census : census + ", incomplete"},
          {"connector", feed_.state()},
          {"exit_info", on_off(options_.sources.exit_info)},
          {"exe", on_off(options_.sources.exe)},
          {"environ", on_off(options_.sources.environ)},
          {"fds", on_off(options_.sources.fds)},
          {"ports", on_off(options_.sources.ports)},
          {"statm", statm_.exact ? "exact" : "up to " + to_human(world_.machine.statm_bound) + " low"}};
}

void Daemon::tell_watchdog() {
  const auto interval = notifier_.watchdog_interval();
  if (!interval) return;
  notifier_.send("WATCHDOG=1");
  watchdog_.set_after(*interval, [this] { tell_watchdog(); });
}

}  // namespace plimsoll::run

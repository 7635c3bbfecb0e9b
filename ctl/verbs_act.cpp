#include "config/plan/units.hpp"
#include "ctl/line.hpp"

namespace plimsoll::ctl {
namespace {

/// "2026-11-22 06:12:33 UTC", when the hold that was asked for ends: by the daemon's clock.
std::string end_of_hold(Console& console, Line& line) {
  const auto body = line.get("/v1/daemon");
  const auto daemon = body ? line.read(*body, wire::daemon_from_json) : std::nullopt;
  if (!daemon || !daemon->hold || !daemon->hold->until) return {};
  return moment_text(*daemon->hold->until) + " (" + distance_text(*daemon->hold->until, console.look()) + ")";
}

/// Sends the command and tells its outcome.
Exit carry_out(const wire::Command& command, const std::string& target, const Options& options, Console& console,
               Line& line) {
  const auto response = line.post(target, wire::to_json(command));
  if (!response) return line.exit();
  if (options.json) {
    console.put(response->body + "\n");
    return exit_of(response->status);
  }
  if (exit_of(response->status) != done) {
    line.fail(*response);
    return line.exit();
  }
  const auto parsed = wire::answer_from_json(response->status, response->body);
  const auto* answer = std::get_if<wire::Answer>(&parsed);
  if (!answer) return done;
  std::string text = clean_lines(answer->message);
  if (command.for_milliseconds) {
    const std::string end = end_of_hold(console, line);
    if (!end.empty()) text += ", until " + end;
  }
  console.put(text + "\n");
  return done;
}

Exit act_on_service(wire::Command command, const Options& options, Console& console) {
  Line line(options, console);
  const auto service = line.service();
  if (!service) return line.exit();
  command.service = *service;
  command.wait = !options.no_wait;
  return carry_out(command, "/v1/services/" + percent_encoded(*service) + "/actions", options, console, line);
}

Exit act_on_daemon(wire::Command command, const Options& options, Console& console) {
  Line line(options, console);
  command.wait = !options.no_wait;
  return carry_out(command, "/v1/" + command.act, options, console, line);
}

wire::Command command_for(const char* act) {
  wire::Command command;
  command.act = act;
  return command;
}

}  // namespace

Exit run_start(const Options& options, Console& console) {
  wire::Command command = command_for("start");
  command.force = options.force;
  return act_on_service(std::move(command), options, console);
}

Exit run_stop(const Options& options, Console& console) {
  return act_on_service(command_for("stop"), options, console);
}
Exit run_restart(const Options& options, Console& console) {
  return act_on_service(command_for("restart"), options, console);
}

Exit run_reconnect(const Options& options, Console& console) {
  wire::Command command = command_for("reconnect");
  command.rule = options.rule;
  command.pid = options.pid;
  return act_on_service(std::move(command), options, console);
}

Exit run_do(const Options& options, Console& console) {
  wire::Command command = command_for("hook");
  command.hook = options.hook;
  command.pid = options.pid;
  return act_on_service(std::move(command), options, console);
}

Exit run_hold(const Options& options, Console& console) {
  wire::Command command = command_for("hold");
  if (!options.except.empty() && options.except != "hard") {
    console.say("--except: must be hard");
    return usage;
  }
  command.except_hard = !options.except.empty();
  if (!options.for_.empty()) {
    const Read<Duration> duration = read_duration(options.for_);
    if (const auto* misread = std::get_if<Misread>(&duration)) {
      console.say("--for: " + misread->rule);
      return usage;
    }
    command.for_milliseconds = static_cast<std::uint64_t>(std::get<Duration>(duration).count());
  }
  return act_on_daemon(std::move(command), options, console);
}

Exit run_release(const Options& options, Console& console) {
  return act_on_daemon(command_for("release"), options, console);
}
Exit run_reload(const Options& options, Console& console) {
  wire::Command command = command_for("reload");
  command.dry_run = options.dry_run;
  return act_on_daemon(std::move(command), options, console);
}

}  // namespace plimsoll::ctl

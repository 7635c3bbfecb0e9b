#include "daemon/core/lifecycle.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "daemon/core/cycles.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/sentences.hpp"
#include "daemon/core/stopping.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

ServiceLife& life_of(Turn& turn, const std::string& service) {
  return turn.world.services.at(service);
}

const std::string* missing_requirement(const World& world, const ServiceLife& life) {
  for (const std::string& name : life.plan->required) {
    const auto found = world.services.find(name);
    if (found == world.services.end() || !is_up(found->second)) return &name;
  }
  return nullptr;
}

bool has_running_dependent(const World& world, const std::string& service) {
  return std::any_of(world.services.begin(), world.services.end(), [&](const auto& item) {
    const ServiceLife& life = item.second;
    const bool runs =
        is_up(life) || life.state == ServiceState::stopping || (life.state == ServiceState::starting && life.spawning);
    return runs &&
           std::find(life.plan->required.begin(), life.plan->required.end(), service) != life.plan->required.end();
  });
}

// --- Starting
// ------------------------------------------------------------------------------------------------------------------

void look_for_leftovers(Turn& turn, const std::string& service, ServiceLife& life) {
  if (life.looking_for_leftovers || turn.now.steady < life.leftovers_deadline) return;
  life.looking_for_leftovers = true;
  turn.emit(LookForLeftovers{service});
}

void try_to_spawn(Turn& turn, const std::string& service, ServiceLife& life) {
  if (life.spawning) return;
  if (const std::string* missing = missing_requirement(turn.world, life)) {
    life.note = "waits for " + *missing;
    return;
  }
  if (!life.leftovers_clear && !life.force) {
    if (life.leftovers_deadline == never) life.leftovers_deadline = turn.now.steady;
    return look_for_leftovers(turn, service, life);
  }
  ++life.run;
  life.spawning = true;
  life.force = false;
  life.note.clear();
  turn.emit(Spawn{service, life.run});
}

/// Law 11: what an earlier daemon's run left behind.
void signal_leftovers(Turn& turn, const std::string& service, ServiceLife& life, int signal) {
  for (const auto& one : life.leftovers) turn.emit(SignalLeftover{one.id, signal, service});
}

std::string name_leftovers(const std::vector<LeftoversLookedFor::One>& found) {
  std::string text;
  for (const auto& one : found) {
    text += (text.empty() ? "" : ", ") + std::to_string(one.id.pid) + " (" + one.comm + ", of daemon " +
            std::to_string(one.daemon_pid) + ")";
  }
  return text;
}

void say_leftovers(Turn& turn, const std::string& service, const LeftoversLookedFor& looked, bool ending) {
  const std::string who = "processes of an earlier daemon still run: " + name_leftovers(looked.found);
  Entry said = entry(
      EventKind::service_state, service,
      who + (ending ? "; they are asked to end first" : "; the service waits for their end (start --force goes on)"));
  said.level = Level::warning;
  record(turn, said);
  if (!ending) return;
  Intervention& ledger = open_intervention(turn, service, Cause::leftover, who);
  ledger.pid = looked.found.front().id.pid;
  close_intervention(turn, ledger.id, LadderEnd::worked);
}

// --- The end of a run
// ------------------------------------------------------------------------------------------------------------

bool was_success(const Exit& exit) {
  return exit.kind == ExitKind::exited && exit.code == 0;
}

bool gives_up(Turn& turn, ServiceLife& life) {
  if (!life.plan->give_up) return false;
  life.restarts_at.push_back(turn.now.steady);
  const Steady from = turn.now.steady - life.plan->give_up->within;
  while (!life.restarts_at.empty() && life.restarts_at.front() < from) life.restarts_at.pop_front();
  return static_cast<int>(life.restarts_at.size()) > life.plan->give_up->after;
}

/// A run that lived long enough starts the backoff's series anew.
void forgive(const Turn& turn, ServiceLife& life) {
  if (turn.now.steady - life.ready_at >= life.plan->backoff.forgive) life.failures = 0;
}

/// What the restart policy makes of an end that nobody asked for.
Afterwards by_policy(Turn& turn, ServiceLife& life, const Exit& exit) {
  const bool success = was_success(exit);
  const bool again =
      life.plan->restart == RestartPolicy::always || (life.plan->restart == RestartPolicy::on_failure && !success);
  if (!again) return success ? Afterwards::stay_stopped : Afterwards::fail;
  return gives_up(turn, life) ? Afterwards::fail : Afterwards::back_off;
}

std::string followed_by(Afterwards afterwards) {
  switch (afterwards) {
    case Afterwards::stay_stopped: return "its restart policy lets it rest";
    case Afterwards::start: return "the next run follows";
    case Afterwards::back_off: return "it starts again after its backoff";
    case Afterwards::fail: return "its restart policy does not start it again";
    case Afterwards::forget: return "it left the plan";
  }
  return {};
}

}  // namespace

void set_state(Turn& turn, const std::string& service, ServiceState state, std::string why) {
  ServiceLife& life = life_of(turn, service);
  life.state = state;
  life.since = turn.now.steady;
  life.deadline = never;
  turn.changed = true;
  Entry said = entry(EventKind::service_state, service, std::move(why));
  if (life.main != nobody) said.pid = life.main.pid;
  const bool bad = state == ServiceState::failed || state == ServiceState::stuck;
  said.level = bad ? Level::error : state == ServiceState::backoff ? Level::warning : Level::info;
  if (state == ServiceState::backoff || state == ServiceState::failed || state == ServiceState::stopped)
    said.exit = life.last_exit;
  record(turn, said);
}

void take_spawn(Turn& turn, const SpawnSucceeded& spawned) {
  const auto found = turn.world.services.find(spawned.service);
  if (found == turn.world.services.end()) return;
  ServiceLife& life = found->second;
  life.spawning = false;
  life.main = spawned.main;
  life.ready_at = turn.now.steady;
  life.expected_end = false;
  life.engine_missing_since.reset();
  life.tree = {};
  Process main;
  main.id = spawned.main;
  main.service = spawned.service;
  main.run = spawned.run;
  main.session = spawned.main.pid;
  main.provenance = Provenance::spawned;
  main.first_seen = main.born = turn.now.steady;
  turn.world.processes.insert_or_assign(spawned.main, std::move(main));
  set_state(turn, spawned.service, ServiceState::ready,
            "ready: run " + std::to_string(spawned.run) + ", pid " + std::to_string(spawned.main.pid));
  start_cycle_clocks(turn, spawned.service);
  watch_new(turn);
}

void take_spawn_failure(Turn& turn, const SpawnFailed& failed) {
  const auto found = turn.world.services.find(failed.service);
  if (found == turn.world.services.end()) return;
  ServiceLife& life = found->second;
  life.spawning = false;
  life.last_exit = Exit{ExitKind::spawn_failed, failed.error, 0, turn.now.wall};
  const Afterwards afterwards = life.wanted ? by_policy(turn, life, *life.last_exit) : Afterwards::stay_stopped;
  Entry said = entry(EventKind::service_state, failed.service,
                     "cannot start: " + failed.step + ": " + failed.message + "; " + followed_by(afterwards));
  said.level = Level::error;
  said.exit = life.last_exit;
  record(turn, said);
  life.cause = StopCause::main_ended;
  after_the_end(turn, failed.service, afterwards);
}

void take_leftovers(Turn& turn, const LeftoversLookedFor& looked) {
  const auto found = turn.world.services.find(looked.service);
  if (found == turn.world.services.end() || !found->second.looking_for_leftovers) return;
  ServiceLife& life = found->second;
  const bool first = life.leftovers.empty();
  life.looking_for_leftovers = false;
  life.leftovers = looked.found;
  turn.changed = true;
  if (looked.found.empty()) {
    life.leftovers_clear = true;
    life.note.clear();
    return;
  }
  const bool ending = life.plan->leftovers == LeftoverPolicy::end;
  life.note = "leftovers of an earlier daemon: " + name_leftovers(looked.found);
  life.leftovers_deadline = turn.now.steady + 500ms;
  if (first) {
    say_leftovers(turn, looked.service, looked, ending);
    life.deadline = turn.now.steady + life.plan->stop.grace;
    if (ending) signal_leftovers(turn, looked.service, life, life.plan->stop.signal);
  } else if (ending && turn.now.steady >= life.deadline) {
    signal_leftovers(turn, looked.service, life, 9);
  }
}

void main_ended(Turn& turn, Process& main) {
  ServiceLife& life = life_of(turn, main.service);
  life.last_exit = main.death->exit.value_or(Exit{ExitKind::exited, 0, 0, turn.now.wall});
  if (!is_up(life)) return;
  forgive(turn, life);
  const bool by_rung = life.expected_end;
  const Afterwards afterwards = by_rung ? Afterwards::start : by_policy(turn, life, *life.last_exit);
  if (afterwards == Afterwards::start || afterwards == Afterwards::back_off) ++life.restarts;
  end_run(turn, main.service, by_rung ? StopCause::rung : StopCause::main_ended, afterwards,
          "main process " + std::to_string(main.id.pid) + " " + to_sentence(*life.last_exit) + " after " +
              short_duration(turn.now.steady - life.ready_at) + "; " + followed_by(afterwards));
}

void end_run(Turn& turn, const std::string& service, StopCause cause, Afterwards afterwards, const std::string& why) {
  ServiceLife& life = life_of(turn, service);
  if (life.state == ServiceState::stopping || life.state == ServiceState::stuck) {
    life.cause = cause;
    life.afterwards = afterwards;
    return;
  }
  if (!is_up(life)) return;
  life.cause = cause;
  life.afterwards = afterwards;
  life.killing = false;
  life.main_asked = false;
  life.awaiting_look = false;
  life.look_again = never;
  preempt_ladders(turn, service);
  set_state(turn, service, ServiceState::stopping, why);
  life.deadline = turn.now.steady + life.plan->stop.grace;
}

void restart_run(Turn& turn, const std::string& service, StopCause cause, Afterwards afterwards) {
  ServiceLife& life = life_of(turn, service);
  life.expected_end = true;
  if (is_up(life) && cause == StopCause::rung) ++life.restarts;
  end_run(turn, service, cause, afterwards, "stopping for a restart");
}

void restart_with_backoff(Turn& turn, const std::string& service, const std::string& why) {
  ServiceLife& life = life_of(turn, service);
  if (!is_up(life)) return;
  forgive(turn, life);
  const Afterwards afterwards = gives_up(turn, life) ? Afterwards::fail : Afterwards::back_off;
  if (afterwards == Afterwards::back_off) ++life.restarts;
  end_run(turn, service, StopCause::rung, afterwards, why + "; " + followed_by(afterwards));
}

void replace_run(Turn& turn, const std::string& service) {
  ServiceLife& life = life_of(turn, service);
  const bool rests =
      life.state == ServiceState::failed || life.state == ServiceState::stopped || life.state == ServiceState::backoff;
  if (!rests) return restart_run(turn, service, StopCause::reload, Afterwards::start);
  if (!life.wanted) return;
  life.failures = 0;
  life.restarts_at.clear();
  life.cause = StopCause::none;
  set_state(turn, service, ServiceState::starting, "starting, its command has changed");
}

void after_the_end(Turn& turn, const std::string& service, Afterwards afterwards) {
  ServiceLife& life = life_of(turn, service);
  if (!life.wanted && afterwards != Afterwards::forget) afterwards = Afterwards::stay_stopped;
  const bool for_good = afterwards == Afterwards::fail || (afterwards == Afterwards::stay_stopped && life.wanted);
  switch (afterwards) {
    case Afterwards::forget:
      record(turn, entry(EventKind::service_state, service, "stopped, and out of the plan"));
      forget_slots(turn.world, service);
      turn.world.services.erase(service);
      turn.changed = true;
      return;
    case Afterwards::stay_stopped: set_state(turn, service, ServiceState::stopped, "stopped"); break;
    case Afterwards::fail:
      set_state(
          turn, service, ServiceState::failed,
          "failed: " + (life.last_exit ? to_sentence(*life.last_exit) : "cannot start") + ", and is not started again");
      break;
    case Afterwards::start:
      life.leftovers_clear = true;
      set_state(turn, service, ServiceState::starting, "starting again");
      break;
    case Afterwards::back_off: {
      const Backoff& backoff = life.plan->backoff;
      const double wait =
          static_cast<double>(backoff.first.count()) * std::pow(backoff.factor, std::min(life.failures++, 60));
      const Duration delay{static_cast<Duration::rep>(std::min(wait, static_cast<double>(backoff.max.count())))};
      set_state(turn, service, ServiceState::backoff, "starts again in " + to_text(delay));
      life.deadline = turn.now.steady + delay;
      break;
    }
  }
  if (!for_good || !life.plan->essential || turn.world.stopping) return;
  // Its own code; 82 when it was the policy that gave up on it.
  const bool gave_up =
      life.plan->give_up && afterwards == Afterwards::fail && life.plan->restart != RestartPolicy::never;
  turn.world.exit_code = gave_up ? 82 : exit_code_of(life.last_exit);
  Entry said = entry(EventKind::daemon, service, "essential, and ended for good: everything is stopped");
  if (*turn.world.exit_code != 0) said.level = Level::error;
  record(turn, said);
  stop_everything(turn);
}

int exit_code_of(const std::optional<Exit>& exit) {
  if (!exit) return 0;
  switch (exit->kind) {
    case ExitKind::exited: return exit->code;
    case ExitKind::signaled:
    case ExitKind::oom_killed: return 128 + exit->signal;
    case ExitKind::spawn_failed: return exit->code == ENOENT ? 127 : 126;
  }
  return 1;
}

void stop_everything(Turn& turn) {
  if (turn.world.stopping) return;
  turn.world.stopping = true;
  turn.world.stop_deadline = turn.now.steady + turn.world.plan->daemon.stop_within;
  for (auto& [name, life] : turn.world.services) life.wanted = false;
  turn.changed = true;
}

namespace {

void settle_service(Turn& turn, const std::string& name, ServiceLife& life) {
  switch (life.state) {
    case ServiceState::stopped:
      if (life.retiring) return after_the_end(turn, name, Afterwards::forget);
      if (life.wanted && life.cause != StopCause::main_ended) set_state(turn, name, ServiceState::starting, "starting");
      return;
    case ServiceState::failed:
      if (life.retiring) after_the_end(turn, name, Afterwards::forget);
      return;
    case ServiceState::backoff:
      if (!life.wanted) return set_state(turn, name, ServiceState::stopped, "stopped while it waited to start again");
      if (turn.now.steady >= life.deadline) set_state(turn, name, ServiceState::starting, "starting again");
      return;
    case ServiceState::starting:
      if (!life.wanted && !life.spawning)
        return set_state(turn, name, ServiceState::stopped, "stopped before it was started");
      if (life.wanted) try_to_spawn(turn, name, life);
      return;
    case ServiceState::ready:
    case ServiceState::late: {
      if (life.wanted) return;
      // At the last moment of a shutdown nobody waits for another.
      if (has_running_dependent(turn.world, name) && turn.now.steady < turn.world.stop_deadline) return;
      const Afterwards afterwards = life.retiring ? Afterwards::forget : Afterwards::stay_stopped;
      return end_run(turn, name, turn.world.stopping ? StopCause::shutdown : StopCause::operator_, afterwards,
                     "stopping");
    }
    case ServiceState::stopping:
    case ServiceState::stuck: return settle_stop(turn, name, life);
  }
}

}  // namespace

void settle_services(Turn& turn) {
  // Names first: a service that left the plan is erased on the way.
  std::vector<std::string> names;
  names.reserve(turn.world.services.size());
  for (const auto& [name, life] : turn.world.services) names.push_back(name);
  for (const std::string& name : names) settle_service(turn, name, life_of(turn, name));
  if (!turn.world.stopping || turn.world.quit_said || !all_stopped(turn.world)) return;
  turn.world.quit_said = true;
  turn.emit(Quit{quit_code(turn.world)});
}

int quit_code(const World& world) {
  const bool stuck = std::any_of(world.services.begin(), world.services.end(),
                                 [](const auto& item) { return item.second.state == ServiceState::stuck; });
  if (stuck) return 81;
  if (world.exit_code) return *world.exit_code;
  if (world.plan->entrypoint && !world.services.empty()) return exit_code_of(world.services.begin()->second.last_exit);
  return 0;
}

namespace {

Steady service_deadline(const World& world, const ServiceLife& life) {
  switch (life.state) {
    case ServiceState::stopped:
    case ServiceState::failed: return never;
    case ServiceState::stuck: return life.awaiting_look ? life.look_again : never;
    case ServiceState::backoff: return life.deadline;
    case ServiceState::starting: {
      const bool looks = !life.spawning && !life.looking_for_leftovers && !life.leftovers_clear &&
                         missing_requirement(world, life) == nullptr;
      return looks ? life.leftovers_deadline : never;
    }
    case ServiceState::ready:
    case ServiceState::late: return world.stopping ? world.stop_deadline : never;
    case ServiceState::stopping:
      // With no member left it is a look that moves it on.
      if (life.awaiting_look) return life.look_again;
      return std::min(life.deadline, world.stopping && !life.killing ? world.stop_deadline : never);
  }
  return never;
}

}  // namespace

Steady services_deadline(const World& world) {
  Steady first = never;
  for (const auto& [name, life] : world.services) first = std::min(first, service_deadline(world, life));
  return first;
}

bool all_stopped(const World& world) {
  return std::all_of(world.services.begin(), world.services.end(), [](const auto& item) {
    const ServiceState state = item.second.state;
    return state == ServiceState::stopped || state == ServiceState::failed || state == ServiceState::stuck;
  });
}

}  // namespace plimsoll::core

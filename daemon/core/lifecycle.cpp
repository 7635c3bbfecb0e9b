#include "daemon/core/lifecycle.hpp"

#include <algorithm>

#include "daemon/core/asking.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/launching.hpp"
#include "daemon/core/order.hpp"
#include "daemon/core/policy.hpp"
#include "daemon/core/readiness.hpp"
#include "daemon/core/sentences.hpp"
#include "daemon/core/stopping.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

ServiceLife& life_of(Turn& turn, const std::string& service) {
  return turn.world.services.at(service);
}

}  // namespace

void set_state(Turn& turn, const std::string& service, ServiceState state, std::string why) {
  ServiceLife& life = life_of(turn, service);
  life.state = state;
  life.since = turn.now.steady;
  life.deadline = never;
  turn.changed = true;
  turn.touch_around(service);
  Entry said = entry(EventKind::service_state, service, std::move(why));
  if (life.main != nobody) said.pid = life.main.pid;
  const bool bad = state == ServiceState::failed || state == ServiceState::stuck;
  said.level = bad ? Level::error : state == ServiceState::backoff ? Level::warning : Level::info;
  if (state == ServiceState::backoff || state == ServiceState::failed || state == ServiceState::stopped)
    said.exit = life.last_exit;
  const bool comes_and_goes = state == ServiceState::backoff || state == ServiceState::starting;
  if (!life.refusal->quiet || !comes_and_goes) record(turn, said);
}

void main_ended(Turn& turn, Process& main) {
  ServiceLife& life = life_of(turn, main.service);
  // Of a main process that is no child of ours (MAINPID) the end may be read by its parent alone.
  life.last_exit = main.death->exit.value_or(Exit{ExitKind::unknown, 0, 0, turn.now.wall});
  if (!has_run(life)) return;
  forgive(turn, life);
  const bool by_rung = life.expected_end;
  const Afterwards afterwards = by_rung ? Afterwards::start : by_policy(turn, life, *life.last_exit);
  if (afterwards == Afterwards::start || afterwards == Afterwards::back_off) ++life.restarts;
  end_run(turn, main.service, by_rung ? StopCause::rung : StopCause::main_ended, afterwards,
          "main process " + std::to_string(main.id.pid) + " " + to_sentence(*life.last_exit) + " after " +
              short_duration(turn.now.steady - life.spawned_at) + "; " + followed_by(afterwards));
}

void end_run(Turn& turn, const std::string& service, StopCause cause, Afterwards afterwards, const std::string& why) {
  ServiceLife& life = life_of(turn, service);
  if (life.state == ServiceState::stopping || life.state == ServiceState::stuck) {
    life.cause = cause;
    life.afterwards = afterwards;
    return;
  }
  if (!has_run(life)) return;
  life.cause = cause;
  life.afterwards = afterwards;
  life.killing = false;
  life.stop_step = 0;
  life.main_asked = false;
  life.awaiting_look = false;
  life.look_again = never;
  stop_asking(turn, life.readiness);
  stop_asking(turn, life.liveness);
  life.hung = false;
  preempt_ladders(turn, service);
  set_state(turn, service, ServiceState::stopping, why);
  begin_stop(turn, service, life);
}

void restart_run(Turn& turn, const std::string& service, StopCause cause, Afterwards afterwards) {
  ServiceLife& life = life_of(turn, service);
  life.expected_end = true;
  if (has_run(life) && cause == StopCause::rung) ++life.restarts;
  end_run(turn, service, cause, afterwards, "stopping for a restart");
}

void end_as_failed(Turn& turn, const std::string& service, const std::string& why) {
  ServiceLife& life = life_of(turn, service);
  if (!has_run(life)) return;
  forgive(turn, life);
  const bool again = life.plan->restart != RestartPolicy::never && !gives_up(turn, life);
  const Afterwards afterwards = again ? Afterwards::back_off : Afterwards::fail;
  if (again) ++life.restarts;
  end_run(turn, service, StopCause::timed_out, afterwards, why + "; " + followed_by(afterwards));
}

void withhold_end(Turn& turn, const std::string& service, const std::string& why) {
  ServiceLife& life = life_of(turn, service);
  if (std::exchange(life.overdue, true)) return;
  life.deadline = never;
  turn.changed = true;
  Entry said = entry(EventKind::service_state, service, "would end " + service + " as failed: " + why);
  said.pid = life.main.pid;
  said.would = true;
  said.level = Level::warning;
  record(turn, said);
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
  // What only waits to stop goes on waiting: its next run has the new command.
  if (!life.wanted) return;
  const bool done = life.plan->kind == ServiceKind::task && life.state == ServiceState::ready;
  if (done) return;
  if (!rests) return restart_run(turn, service, StopCause::reload, Afterwards::start);
  life.failures = 0;
  life.restarts_at.clear();
  life.refusal = {};
  life.cause = StopCause::none;
  set_state(turn, service, ServiceState::starting, "starting, its command has changed");
  want_engines_of(turn, service);
}

void after_the_end(Turn& turn, const std::string& service, Afterwards afterwards) {
  ServiceLife& life = life_of(turn, service);
  if (!life.wanted && afterwards != Afterwards::forget) afterwards = Afterwards::stay_stopped;
  const bool for_good = afterwards == Afterwards::fail || (afterwards == Afterwards::stay_stopped && life.wanted);
  switch (afterwards) {
    case Afterwards::forget:
      record(turn, entry(EventKind::service_state, service, "stopped, and out of the plan"));
      forget_slots(turn.world, service);
      turn.touch_around(service);
      turn.world.agenda.erase({life.due, service});
      turn.world.services.erase(service);
      turn.changed = true;
      return;
    case Afterwards::stay_stopped: set_state(turn, service, ServiceState::stopped, "stopped"); break;
    case Afterwards::done:
      life.ready_at = turn.now.steady;
      set_state(turn, service, ServiceState::ready, "done: its task succeeded");
      return;
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
      const Duration delay = next_backoff(turn.world, service, life);
      set_state(turn, service, ServiceState::backoff, "starts again in " + to_text(delay));
      life.deadline = turn.now.steady + delay;
      break;
    }
  }
  const bool at_rest = life.state == ServiceState::stopped || life.state == ServiceState::failed;
  if (at_rest && !turn.world.stopping) release_engines_of(turn, service);
  if (!at_rest) restart_engines_of(turn, service);
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

void stop_everything(Turn& turn) {
  if (turn.world.stopping) return;
  turn.world.stopping = true;
  turn.world.stop_deadline = turn.now.steady + turn.world.plan->daemon.stop_within;
  for (auto& [name, life] : turn.world.services) life.wanted = false;
  turn.touch_all();
  turn.changed = true;
}

namespace {

/// Stopped without a run to end: it waited to start.
void stop_waiting(Turn& turn, const std::string& name, const std::string& why) {
  set_state(turn, name, ServiceState::stopped, why);
  if (!turn.world.stopping) release_engines_of(turn, name);
}

/// A run that nobody is ending: asked to stop, too long at its task, or on its way to be ready.
void settle_run(Turn& turn, const std::string& name, ServiceLife& life) {
  if (!life.wanted) {
    // At the last moment of a shutdown nobody waits for another.
    if (stop_waits(turn.world, name) && turn.now.steady < turn.world.stop_deadline) return;
    const Afterwards afterwards = life.retiring ? Afterwards::forget : Afterwards::stay_stopped;
    return end_run(turn, name, turn.world.stopping ? StopCause::shutdown : StopCause::operator_, afterwards,
                   "stopping");
  }
  const Service& launched = *life.launched;
  const bool task_at_work = launched.kind == ServiceKind::task && life.state == ServiceState::starting;
  if (task_at_work && launched.time_limit && (life.overdue || turn.now.steady >= life.deadline)) {
    const std::string why = "not done after " + to_text(*launched.time_limit);
    return withheld(turn.world, false) ? withhold_end(turn, name, why) : end_as_failed(turn, name, why);
  }
  settle_readiness(turn, name, life);
}

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
      if (!life.wanted) return stop_waiting(turn, name, "stopped while it waited to start again");
      if (turn.now.steady >= life.deadline) set_state(turn, name, ServiceState::starting, "starting again");
      return;
    case ServiceState::starting:
      if (life.main != nobody) return settle_run(turn, name, life);
      if (!life.wanted && !life.spawning) return stop_waiting(turn, name, "stopped before it was started");
      if (life.wanted) try_to_spawn(turn, name, life);
      return;
    case ServiceState::ready:
    case ServiceState::late: return settle_run(turn, name, life);
    case ServiceState::stopping:
    case ServiceState::stuck: return settle_stop(turn, name, life);
  }
}

bool is_over(const ServiceLife& life) {
  return life.state == ServiceState::stopped || life.state == ServiceState::failed || life.state == ServiceState::stuck;
}

}  // namespace

void settle_services(Turn& turn) {
  // One that left the plan is erased on the way, others are touched.
  for (const std::string& name : turn.touched) {
    const auto found = turn.world.services.find(name);
    if (found != turn.world.services.end()) settle_service(turn, name, found->second);
  }
  if (!turn.world.stopping || turn.world.quit_said) return;
  // Asked first: of a thousand that end one after the other, nearly always one of these lives on.
  const bool one_runs = std::any_of(turn.touched.begin(), turn.touched.end(), [&](const std::string& name) {
    const auto found = turn.world.services.find(name);
    return found != turn.world.services.end() && !is_over(found->second);
  });
  if (one_runs || !all_stopped(turn.world)) return;
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

Steady service_deadline(const World& world, const ServiceLife& life) {
  const Steady last_moment = world.stopping ? world.stop_deadline : never;
  switch (life.state) {
    case ServiceState::stopped:
    case ServiceState::failed: return never;
    case ServiceState::stuck: return life.awaiting_look ? life.look_again : never;
    case ServiceState::backoff: return life.deadline;
    case ServiceState::starting:
      if (life.main == nobody) return launching_deadline(world, life);
      // What only waits to stop is not asked whether it is ready.
      return life.wanted ? std::min({life.deadline, readiness_deadline(life), last_moment}) : last_moment;
    case ServiceState::ready:
    case ServiceState::late: return std::min(life.wanted ? readiness_deadline(life) : never, last_moment);
    case ServiceState::stopping:
      // With no member left it is a look that moves it on.
      if (life.awaiting_look) return life.look_again;
      return std::min(life.deadline, life.killing ? never : last_moment);
  }
  return never;
}

bool all_stopped(const World& world) {
  return std::all_of(world.services.begin(), world.services.end(),
                     [](const auto& item) { return is_over(item.second); });
}

}  // namespace plimsoll::core

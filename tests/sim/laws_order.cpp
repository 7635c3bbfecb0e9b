// Law 4 and docs/configuration.md, Order, Tasks and Stopping: who waits for whom, what becomes of a task and of an
// engine that the daemon launches itself, and what stretches a stop (a drain, further steps) or hastens it (being asked
// again).
#include <algorithm>
#include <csignal>

#include "tests/sim/laws.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

namespace {

bool names(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool rests(ServiceState state) {
  return state == ServiceState::stopped || state == ServiceState::failed;
}

}  // namespace

bool Laws::is_success(const Service& service, const Exit& exit) {
  if (exit.kind == ExitKind::spawn_failed) return false;
  const int code = exit.kind == ExitKind::exited ? exit.code : 128 + exit.signal;
  return std::find(service.success->begin(), service.success->end(), code) != service.success->end();
}

// --- Tasks

/// Past its time a task is a failed one.
void Laws::check_tasks(const World& world) {
  for (const auto& [name, run] : runs_) {
    if (plan_of(world, name)->kind != ServiceKind::task || run.state != ServiceState::starting || !run.time_limit)
      continue;
    const SimProcess* main = kernel_.find(run.main);
    const bool works = main != nullptr && !run.spawning && main->run == run.number && seen_[main->id].end_told == never;
    if (works && !withheld(world, false) && world.services.at(name).wanted &&
        now_.steady >= run.spawned_at + *run.time_limit)
      breaks("law 4, tasks", name + " works on though its time is over");
  }
}

/// Nobody waits for what a task that has failed was to do.
void Laws::check_done(const std::string& name, const Run& run) {
  if (!run.success) breaks("law 4, tasks", name + " is called done, and has not succeeded");
}

// --- Order

/// `after`: where both are to be started, when the other one has had its turn.
void Laws::check_turn(const World& world, const Service& service) {
  for (const std::string& name : service.after) {
    const auto life = world.services.find(name);
    const auto run = runs_.find(name);
    if (life == world.services.end() || run == runs_.end() || !life->second.wanted) continue;
    if (!run->second.had_turn && life->second.state == ServiceState::starting)
      breaks("law 4, after", service.name + " is spawned, and " + name + " has not had its turn");
  }
}

/// And before the other one, where both stop.
void Laws::check_stops_after(const World& world, const std::string& name, const ServiceLife& life) {
  if (life.wanted || !settled(1min)) return;
  for (const auto& [other, of] : world.services) {
    if (!names(of.plan->after, name) || of.wanted) continue;
    const bool runs = of.state == ServiceState::ready || of.state == ServiceState::late ||
                      of.state == ServiceState::stopping || of.state == ServiceState::stuck;
    if (runs) breaks("law 4, after", name + " is stopped before " + other + ", which comes after it");
  }
}

/// What is to stop waits for those that require it, and for those after it that stop too, and for nobody else.
void Laws::check_stop_waits(const World& world) {
  for (const auto& [name, life] : world.services) {
    if (life.wanted || !up(name)) continue;
    const bool waits = std::any_of(world.services.begin(), world.services.end(), [&, &self = name](const auto& item) {
      const ServiceLife& of = item.second;
      const bool over = rests(of.state) || of.state == ServiceState::backoff;
      return !over && (names(of.plan->required, self) || (!of.wanted && names(of.plan->after, self)));
    });
    if (!waits) breaks("law 4, stops begin", name + " is to stop, nobody needs it, and it runs on");
  }
}

/// `restarts_with_app`: each run of the app has a new one.
void Laws::check_new_engines(const World& world, const Service& app) {
  Run& run = runs_[app.name];
  std::map<std::string, RunNumber> engines;
  for (const auto& [name, life] : world.services) {
    if (life.plan->engine_of != app.name || !life.plan->restarts_with_app) continue;
    engines[name] = runs_[name].number;
    const auto before = run.engines.find(name);
    // An operator's word between the two may have wanted it again before it could stop.
    const bool told_off = run.told_off >= run.spawned_at || runs_[name].told_off >= run.spawned_at;
    if (before != run.engines.end() && before->second == runs_[name].number && !told_off && settled(10min))
      breaks("law 4, engine_of", app.name + " is spawned anew, and its engine " + name + " is the old one");
  }
  run.engines = std::move(engines);
}

/// Without it, the engine outlives its app's restart.
void Laws::check_survives(const World& world, const std::string& name, const ServiceLife& life) {
  const std::string& app = life.plan->engine_of;
  if (app.empty() || life.plan->restarts_with_app || !life.wanted || command_ != nullptr || !settled(1min)) return;
  const SimProcess* main = kernel_.find(runs_[name].main);
  const bool by_itself = main == nullptr || seen_[main->id].end_told != never;
  const bool said = std::any_of(said_.begin(), said_.end(), [&](const Entry& entry) {
    const bool late = entry.kind == EventKind::service_state && entry.why.starts_with("not ready after ");
    return entry.service == name && (late || entry.kind == EventKind::rung || entry.kind == EventKind::cycle);
  });
  const auto of_app = world.services.find(app);
  const bool starts_again =
      of_app != world.services.end() && of_app->second.since == now_.steady &&
      (of_app->second.state == ServiceState::starting || of_app->second.state == ServiceState::backoff);
  if (starts_again && !by_itself && !said && !budget_spent_for(name))
    breaks("law 4, engine_of", name + " is ended with a run of its app " + app + ", which starts again");
}

/// As soon as its app is gone for good, nobody needs the engine.
void Laws::check_released(const World& world, const std::string& app) {
  if (world.stopping || (command_ != nullptr && command_->act != CommandAct::stop)) return;
  for (const auto& [name, life] : world.services) {
    if (life.plan->engine_of == app && life.wanted && !rests(life.state) && settled(1min))
      breaks("law 4, engine_of", app + " is gone for good, and its engine " + name + " is still wanted");
  }
}

// --- Asked again

/// Within 100 ms a repetition is none.
void Laws::take_stop_request() {
  const bool repeated = stop_asked_ && now_.steady - stop_requested_ < 100ms;
  stop_asked_ = true;
  if (repeated) return;
  stop_requested_ = now_.steady;
  ++stop_requests_;
  if (stop_requests_ == 2) no_later_ = now_.steady + 2s;
  if (stop_requests_ > 2) no_later_ = std::min(no_later_, now_.steady);
}

// --- Another main process

bool Laws::is_main(const SimProcess& process) const {
  const auto run = runs_.find(process.service);
  return run != runs_.end() && run->second.main == process.id;
}

/// MAINPID: believed of a living process of the run that is no engine, and of nobody else. From then on its end is the
/// run's.
void Laws::check_main(const World& world, const Notified& said) {
  const auto life = world.services.find(said.service);
  Run& run = runs_[said.service];
  if (!said.main || life == world.services.end() || *said.main == run.main) return;
  const bool taken = life->second.main == *said.main;
  const SimProcess* named = kernel_.find(*said.main);
  const std::string who = "process " + pid(*said.main) + " as the main process of " + said.service;
  const bool ours = named != nullptr && named->service == said.service && named->run == said.run && placed(*named) &&
                    seen_[named->id].end_told == never;
  if (taken && (!ours || said.run != run.number)) return breaks("law 1, the main process", who + " is believed");
  const bool runs = (up(said.service) || run.state == ServiceState::starting) && said.run == run.number;
  const bool plain = ours && runs && named->rule.empty() && known_line(*named);
  if (!taken && plain && settled(20s)) return breaks("law 8, the main process", who + " is not believed");
  if (taken) run.main = *said.main;
}

/// EXTEND_TIMEOUT_USEC: the app's start, or its stop while it is asked gently, may take so long from now on.
void Laws::take_extension(const World& world, const Notified& said) {
  const auto found = runs_.find(said.service);
  if (!said.extend || found == runs_.end()) return;
  Run& run = found->second;
  if (run.state != ServiceState::stopping && run.state != ServiceState::starting) return;
  if (world.services.at(said.service).run != said.run || run.drain || run.killing) return;
  run.extended_by += *said.extend;
  // SIGKILL may have begun by then, and whoever of it appears later has no more time.
  if (run.state == ServiceState::stopping && now_.steady >= std::max(run.ask_from + run.grace, run.extended_to)) return;
  run.extended_to = std::max(run.extended_to, now_.steady + *said.extend);
}

/// The second one reaches whoever was asked by the first.
void Laws::check_passed_on(const World& world, const StopRequested& again, const Effects& effects) {
  if (stop_requests_ != 2 || stop_requested_ != now_.steady) return;
  for (const auto& [name, run] : runs_) {
    const SimProcess* main = kernel_.find(run.main);
    if (!stopping(name) || run.stop_began == now_.steady || main == nullptr || !run.main_asked ||
        seen_[main->id].end_told != never)
      continue;
    const int wanted = again.signal != 0 ? again.signal : plan_of(world, name)->stop.signal;
    const bool sent = std::any_of(effects.begin(), effects.end(), [&](const Effect& effect) {
      const auto* send = std::get_if<SendSignal>(&effect);
      return send != nullptr && send->to == main->id && send->signal == wanted;
    });
    if (!sent) breaks("law 4, asked again", "the second request does not reach the main process of " + name);
  }
}

// --- Drains and steps

/// A drain ends with its answer, its time, the main process, or the last moment; then everybody is asked.
void Laws::take_drains(const World& world) {
  for (auto& [name, run] : runs_) {
    if (stopping(name) && run.stop_began == now_.steady) check_drain_begins(world, name);
    if (!run.drain) continue;
    const SimProcess* main = kernel_.find(run.main);
    const bool main_ended = main == nullptr || seen_[main->id].end_told != never;
    const bool over = now_.steady >= run.drain_until || (world.stopping && now_.steady >= stop_deadline_);
    if (!hooks_.contains(*run.drain) || main_ended || over || !stopping(name)) {
      run.drain.reset();
      run.ask_from = now_.steady;
    }
  }
}

/// Nobody is asked while the app is asked to drain.
void Laws::check_drained(const Run& run, const SimProcess& process) {
  if (run.drain)
    breaks("law 4, drains",
           "process " + pid(process.id) + " of " + process.service + " is asked to end while it drains");
}

void Laws::check_drain_begins(const World& world, const std::string& name) {
  const Service& service = *plan_of(world, name);
  Run& run = runs_[name];
  const SimProcess* main = kernel_.find(run.main);
  if (service.stop.drain.empty() || main == nullptr || main->wrapper || run.drain || !settled(1min)) return;
  const Seen& seen = seen_[main->id];
  const bool hears = seen.end_told == never && seen.state != 'T' && seen.state != 't';
  const bool last_moment = world.stopping && now_.steady >= stop_deadline_;
  if (hears && !last_moment && !run.main_asked) run.drain_owed = true;
}

/// A step's signal before its turn is none of the stop's.
void Laws::check_step(const StopPolicy& stop, const Run& run, const SimProcess& process, int signal) {
  if (!settled(1min) || (signal == stop.signal)) return;
  Steady from = run.ask_from + stop.grace;
  for (const StopStep& step : stop.further) {
    if (signal == step.signal && now_.steady >= from) return;
    from += step.grace;
  }
  breaks("law 4, the stop signal", "process " + pid(process.id) + " gets signal " + std::to_string(signal));
}

/// Asked by itself, outside of a stop: the next step comes when the last one's grace is over.
void Laws::check_next_step(const SimProcess& process, Seen& seen, int signal) {
  const std::string who = "process " + pid(process.id) + " of " + process.service;
  if (seen.steps_left.empty()) {
    if (settled(1min) && !seen.steps_unknown) breaks("law 4, steps", who + " is asked once more than its stop says");
    return;
  }
  if (settled(1min) && (!seen.asked || now_.steady < *seen.asked + seen.grace))
    breaks("law 4, steps", who + " is asked again before the last step's grace is over");
  if (settled(1min) && signal != seen.steps_left.front().signal)
    breaks("law 4, steps", who + " gets signal " + std::to_string(signal) + " by the next step of its stop");
  seen.asked = now_.steady;
  seen.grace = seen.steps_left.front().grace;
  seen.steps_left.erase(seen.steps_left.begin());
}

}  // namespace plimsoll::sim

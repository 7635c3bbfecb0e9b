// Laws 2, 3 and 4: one run at a time, nothing left of it, every stop ends; and what follows a run's end.
#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/sim/laws.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

void Laws::check_spawn(const World& world, const Spawn& spawn) {
  Run& run = runs_[spawn.service];
  const std::string who = "run " + std::to_string(spawn.run) + " of " + spawn.service;
  if (run.spawning) breaks("law 2, one run", who + " is spawned while another spawn is under way");
  if (spawn.run <= run.number)
    breaks("law 2, runs are numbered", who + " comes after run " + std::to_string(run.number));
  if (stop_asked_ && was_stopping_) breaks("law 4, a stop is final", who + " is spawned while everything stops");
  for (const SimProcess* process : kernel_.living()) {
    if (process->service == spawn.service && !exempt(*process))
      breaks("law 2, one run", who + " is spawned while process " + pid(process->id) + " of run " +
                                   std::to_string(process->run) + " lives");
    if (process->leftover_of == spawn.service && run.number == 0 && !forced_ && now_.steady == run.leftovers_at)
      breaks("law 11, leftovers", who + " is spawned while leftover " + pid(process->id) + " lives");
  }
  if (run.leftovers_hidden && run.number == 0 && !forced_)
    breaks("law 11, leftovers", who + " is spawned though nobody knows what an earlier daemon has left of it");
  const Service& service = *plan_of(world, spawn.service);
  for (const std::string& name : service.required) {
    const auto found = world.services.find(name);
    // What ends in this very step was ready when the run was spawned.
    const bool was_ready = found != world.services.end() && found->second.state == ServiceState::stopping &&
                           found->second.since == now_.steady;
    if (found != world.services.end() && found->second.state != ServiceState::ready && !was_ready)
      breaks("law 4, requires", who + " is spawned and " + name + ", which it requires, is not ready");
  }
  check_backoff(world, spawn);
  check_turn(world, service);
  run.spawning = true;
  run.number = spawn.run;
  check_new_engines(world, service);
}

/// The policy's series, counted by ourselves: `first` times `factor` for each failure since it was forgiven.
void Laws::enter_backoff(const World& world, const std::string& name, Run& run, bool ended) {
  const Service& service = *plan_of(world, name);
  const Backoff& backoff = service.backoff;
  const double wait = static_cast<double>(backoff.first.count()) * std::pow(backoff.factor, std::min(run.failures, 60));
  const double delay = std::min(wait, static_cast<double>(backoff.max.count()));
  const auto by = [&](double share) { return Duration{static_cast<Duration::rep>(delay * share)}; };
  ++run.failures;
  run.backoff_until = now_.steady + by(1 - backoff.jitter.of_one);
  run.backoff_at_most = now_.steady + by(1 + backoff.jitter.of_one);
  run.backoff_known = now_.steady > run.told_off && run.series_known;
  if (std::exchange(run.refused, false) && !ended) return;
  // A run that was ended counts from then on.
  run.backoffs.push_back(ended ? run.stop_began : now_.steady);
  if (!service.give_up) return;
  while (!run.backoffs.empty() && run.backoffs.front() < now_.steady - service.give_up->within)
    run.backoffs.pop_front();
  if (static_cast<int>(run.backoffs.size()) > service.give_up->after)
    breaks("law 6, give up", name + " is started again more often than `give_up` allows");
}

void Laws::check_backoff(const World&, const Spawn& spawn) {
  Run& run = runs_[spawn.service];
  if (!std::exchange(run.backoff_known, false)) return;
  if (now_.steady < run.backoff_until)
    breaks("law 6, backoff", spawn.service + " is spawned before its backoff is over");
}

/// Nothing is left of what is said to rest.
void Laws::check_rest(const World& world) {
  for (const SimProcess* process : kernel_.living()) {
    const auto found = runs_.find(process->service);
    if (process->service.empty() || found == runs_.end()) continue;
    const ServiceState state = found->second.state;
    const bool done = state == ServiceState::ready && plan_of(world, process->service)->kind == ServiceKind::task;
    const bool rests =
        done || state == ServiceState::stopped || state == ServiceState::failed || state == ServiceState::backoff;
    if (rests && !exempt(*process))
      breaks("law 3, nothing left",
             process->service + " is " + to_text(state) + ", and process " + pid(process->id) + " of it lives");
  }
  for (auto& [name, run] : runs_) {
    const Service& service = *plan_of(world, name);
    if (run.state == ServiceState::backoff && run.backoff_known && settled(20s) &&
        now_.steady > std::max(run.backoff_at_most, woke_))
      breaks("law 8, backoff ends", name + " is in backoff longer than its policy says");
    const SimProcess* main = kernel_.find(run.main);
    if (run.state == ServiceState::starting && main != nullptr && seen_[main->id].end_told == never && !exempt(*main)) {
      // Not ready yet: it becomes so, or late, or is ended for it.
      const Duration at_most = service.ready ? service.ready->timeout : 0s;
      if (service.kind == ServiceKind::service && settled(20s) && world.services.at(name).wanted &&
          now_.steady - std::max(run.up_at, woke_) > at_most + 1s && now_.steady > run.extended_to + 1s)
        breaks("law 8, readiness ends", name + " is neither ready nor late");
      continue;
    }
    if (run.state != ServiceState::starting || run.spawning || now_.steady - std::max(run.since, woke_) < 2s) continue;
    const bool ready = std::all_of(service.required.begin(), service.required.end(), [&](const std::string& required) {
      const auto found = world.services.find(required);
      return found != world.services.end() && found->second.state == ServiceState::ready &&
             now_.steady - found->second.since > 2s;
    });
    const bool in_turn = std::all_of(service.after.begin(), service.after.end(), [&](const std::string& earlier) {
      const auto found = runs_.find(earlier);
      return found == runs_.end() ||
             (found->second.had_turn && now_.steady - found->second.since > 2s &&
              found->second.state != ServiceState::starting && found->second.state != ServiceState::stopping &&
              found->second.state != ServiceState::stopped);
    });
    if (ready && in_turn && now_.steady - std::max(run.leftovers_at, reloaded_) > 2s)
      breaks("law 8, a start goes on", name + " is starting, and nothing happens");
  }
}

void Laws::check_stop_begins(const World& world, const std::string& name, const ServiceLife& life) {
  const SimProcess* main = kernel_.find(runs_[name].main);
  const bool by_itself = main == nullptr || seen_[main->id].end_told != never;
  const bool by_rung = std::any_of(said_.begin(), said_.end(), [&](const Entry& entry) {
    return entry.kind == EventKind::rung && entry.service == name;
  });
  // Its app's end for good may stop everything in the step in which it began to restart with its app.
  const bool with_app = std::any_of(said_.begin(), said_.end(), [&](const Entry& entry) {
    return entry.kind == EventKind::service_state && entry.service == name && entry.why == "stopping for a restart";
  });
  if (by_itself || by_rung || with_app || budget_spent_for(name) ||
      (command_ != nullptr && command_->act == CommandAct::restart) || life.wanted ||
      (world.stopping && now_.steady >= stop_deadline_))
    return;
  check_stops_after(world, name, life);
  for (const auto& [other, of] : world.services) {
    const bool requires_it =
        std::find(of.plan->required.begin(), of.plan->required.end(), name) != of.plan->required.end();
    const bool runs = of.state == ServiceState::ready || of.state == ServiceState::stopping;
    if (requires_it && runs) breaks("law 4, requires", name + " is stopped before " + other + ", which requires it");
  }
}

/// Law 4: it is asked, it is killed when its time is over, and then it is stopped or stuck.
void Laws::check_stops(const World& world) {
  if (world.stopping && stop_deadline_ == never) stop_deadline_ = now_.steady + world.plan->daemon.stop_within;
  for (const auto& [name, run] : runs_) {
    if (!stopping(name)) continue;
    const StopPolicy& stop = plan_of(world, name)->stop;
    // What is stretched goes on when there is somebody to ask.
    const bool steps = !stop.further.empty() || !stop.drain.empty();
    const Steady last_moment = world.stopping ? stop_deadline_ : never;
    const Steady asked_from = run.drain ? run.drain_until : run.ask_from;
    const Steady over = std::min(asked_from + run.grace + run.extended_by, last_moment);
    if (now_.steady < over || !settled(1min)) continue;
    for (const SimProcess* process : kernel_.living()) {
      if (process->service != name || !placed(*process)) continue;
      const Seen& seen = seen_[process->id];
      // Each step has its whole time, from when there was somebody to ask.
      const Steady from = std::max({run.ask_from, woke_, hidden_at_, seen.told});
      if (steps && now_.steady < std::min(from + run.grace + run.extended_by, last_moment)) continue;
      if (seen.end_told == never && !seen.killed)
        breaks("law 4, SIGKILL in the end",
               "process " + pid(process->id) + " of " + name + " outlives the stop's last moment without SIGKILL");
    }
    const Duration after_a_pause = steps ? run.grace + run.extended_by : 0s;
    const Steady last = std::max({over, hidden_at_ + after_a_pause, woke_ + after_a_pause}) + 10s + 2s;
    if (run.state == ServiceState::stopping && now_.steady > last && last_step_ > last)
      breaks("law 4, stops end", name + " is neither stopped nor stuck");
    // Only what cannot be killed keeps it stuck.
    const auto& living = kernel_.living();
    const bool left =
        std::any_of(living.begin(), living.end(), [&](const SimProcess* one) { return one->service == name; });
    const auto& all = kernel_.all();
    const bool fresh = std::any_of(all.begin(), all.end(), [&](const auto& item) {
      return item.second.service == name && item.second.died && now_.steady - *item.second.died < 3s;
    });
    if (run.state == ServiceState::stuck && !left && !fresh && now_.steady > std::max(hidden_at_, woke_) + 3s &&
        last_step_ > std::max(hidden_at_, woke_) + 3s)
      breaks("law 2, stuck ends", name + " is stuck, and nothing of it has lived for 3 s");
  }
}

/// What follows the end of a run that nobody asked for: the restart policy's word, whatever ended it.
void Laws::check_after_end(const World& world, const std::string& name, const Run& run) {
  if (!run.again || run.told_off >= run.up_at || world.stopping || !world.services.at(name).wanted) return;
  const Service& service = *plan_of(world, name);
  const bool starts = run.state == ServiceState::backoff || run.state == ServiceState::starting;
  const bool done = service.kind == ServiceKind::task && run.success;
  if (done && run.state != ServiceState::ready)
    breaks("law 4, tasks", name + " succeeded, and is " + to_text(run.state));
  if (*run.again && !starts && !service.give_up)
    breaks("law 5, restart policy", name + " ended and is not started again");
  if (!*run.again && starts) breaks("law 5, restart policy", name + " ended and is started again");
}

/// Law 3: an engine whose owner is gone is asked to end, and killed.
void Laws::check_orphans(const World& world) {
  for (const SimProcess* process : kernel_.living()) {
    const EngineRule* rule = process->rule.empty() ? nullptr : rule_of(world, *process);
    if (rule == nullptr || rule->owner == OwnerKind::service || process->unkillable || !up(process->service)) continue;
    const SimProcess* owner = kernel_.forked_through_wrappers(*process);
    if (owner == nullptr || owner->alive() || !owner->rule.empty() || below_engine(world, *process)) continue;
    const Seen& seen = seen_[process->id];
    const Seen& of_owner = seen_[owner->id];
    const bool plain = known_line(*process) && of_owner.end_told != never && process->forker == owner->id;
    if (!plain || seen.used || exempt(*process) || exempt(*owner)) continue;
    const Duration age = std::chrono::duration_cast<Duration>(*owner->died - owner->born);
    const bool zero =
        !of_owner.exit_told || (of_owner.exit_told->kind == ExitKind::exited && of_owner.exit_told->code == 0);
    const bool launcher = zero && age < rule->settle + 20ms;
    if (launcher) continue;
    const Steady since =
        std::max({of_owner.end_told, seen.told, withheld_at_, reloaded_, woke_, runs_[process->service].up_at});
    const Duration bound =
        rule->settle + std::max<Duration>(rule->orphan.after.value_or(0s), 15s) + rule->orphan.grace + 12s;
    // No orphan is ended on a question that nobody has answered: it is put again five seconds later.
    const Steady unanswered = seen.evidence_asked.value_or(seen.evidence_lost);
    const Steady over = std::max(since + bound, unanswered + 5s + rule->orphan.grace + 12s);
    if (now_.steady > over && last_step_ > over)
      breaks("law 3, orphans end",
             "engine " + pid(process->id) + " lives on, its owner " + pid(owner->id) + " ended long ago");
  }
}

/// Engines are found when they are older than `settle`, not before, and each end gets its word.
void Laws::check_engines(const World& world) {
  for (auto& [id, seen] : seen_) {
    if (seen.told == never || seen.verdict) continue;
    const SimProcess* process = kernel_.find(id);
    if (process->rule.empty() || exempt(*process) || !up(process->service) || !settled(20s)) continue;
    const EngineRule* rule = rule_of(world, *process);
    const SimProcess* forker = kernel_.find(process->forker);
    // A run may have handed its main process on to one that becomes an engine's program by its exec only then: while it
    // is the main process it is no engine (docs/verdicts.md, Words).
    const bool plain = rule != nullptr && !is_main(*process) && known_line(*process) && forker != nullptr &&
                       forker->rule.empty() && !below_engine(world, *process) && !forker->wrapper &&
                       seen.argv == process->command.argv && process->run == runs_[process->service].number;
    if (!plain) continue;
    const bool old = now_.steady >= process->born + rule->settle + 20ms && now_.steady >= seen.told + 1s;
    if (process->alive() && old && !seen.listed && last_step_ > process->born + rule->settle + 500ms &&
        now_.steady > seen.told + 3s)
      breaks("law 8, engines are found", "engine " + pid(id) + " is older than its settle and was not found");
    if (process->alive() && seen.listed && !seen.verdict && seen.orphan_said == never &&
        now_.steady + 20ms < process->born + rule->settle)
      breaks("law 1, settle", "engine " + pid(id) + " counts before it is as old as its settle");
    if (seen.end_told != never && seen.listed && last_step_ - seen.end_told > 3s)
      breaks("law 8, an end gets its word", "engine " + pid(id) + " ended, and nothing was said of it");
  }
}

/// Only what nothing points to is nobody's.
void Laws::check_nobodys(const World& world, const Entry& entry) {
  for (const SimProcess* process : kernel_.living()) {
    if (process->id.pid != entry.pid || process->service.empty()) continue;
    const SimProcess* forker = kernel_.find(process->forker);
    if (forker != nullptr && exempt(*forker)) continue;
    const auto life = world.services.find(process->service);
    if (life == world.services.end() || kernel_.find(runs_[process->service].main) == nullptr) continue;
    const bool tagged = kernel_.tag_readable && process->run == life->second.run;
    if (tagged)
      breaks("law 3, what is ours is placed", "process " + pid(process->id) + " is named nobody's, and bears its run");
    for (const SimProcess* other : kernel_.living()) {
      if (other != process && other->session == process->session && placed(*other) &&
          seen_[other->id].session == process->session && other->service == process->service)
        breaks("law 3, what is ours is placed",
               "process " + pid(process->id) + " is named nobody's, in the session of " + pid(other->id));
    }
  }
}

}  // namespace plimsoll::sim

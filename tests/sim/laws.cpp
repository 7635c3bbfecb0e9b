#include "tests/sim/laws.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

void Laws::breaks(const std::string& law, const std::string& how) {
  if (broken_.empty()) broken_ = law + ": " + how;
}

void Laws::begin(const World& world) {
  for (const auto& [name, life] : world.services) runs_[name].since = world.now.steady;
}

// --- Words
// ------------------------------------------------------------------------------------------------------------

bool Laws::exempt(const SimProcess& process) const {
  const auto seen = seen_.find(process.id);
  if (seen != seen_.end() && seen->second.nobodys) return true;
  const SimProcess* forker = kernel_.find(process.forker);
  return forker != nullptr && exempt(*forker);
}

bool Laws::placed(const SimProcess& process) const {
  const auto seen = seen_.find(process.id);
  return seen != seen_.end() && seen->second.told != never && !exempt(process);
}

bool Laws::known_line(const SimProcess& process) const {
  const auto seen = seen_.find(process.id);
  if (seen == seen_.end() || seen->second.nobodys || !seen->second.by_its_forker) return false;
  if (seen->second.argv != process.command.argv) return false;
  const SimProcess* forker = kernel_.find(process.forker);
  return forker == nullptr ? process.own_child : known_line(*forker);
}

const Service* Laws::plan_of(const World& world, const std::string& name) const {
  const auto found = world.services.find(name);
  return found == world.services.end() ? nullptr : found->second.plan.get();
}

const EngineRule* Laws::rule_of(const World& world, const SimProcess& process) const {
  const Service* service = plan_of(world, process.service);
  if (service == nullptr || process.rule.empty()) return nullptr;
  const auto found = std::find_if(service->engines.begin(), service->engines.end(),
                                  [&](const EngineRule& rule) { return rule.name == process.rule; });
  return found == service->engines.end() ? nullptr : &*found;
}

bool Laws::is_engine(const World& world, const SimProcess& process) const {
  return rule_of(world, process) != nullptr && !process.own_child && !is_main(process);
}

bool Laws::below_engine(const World& world, const SimProcess& process) const {
  const SimProcess* forker = kernel_.find(process.forker);
  return forker != nullptr && (is_engine(world, *forker) || below_engine(world, *forker));
}

bool Laws::withheld(const World& world, bool hard) {
  if (world.plan->daemon.mode == Mode::observe) return true;
  return world.holding && !(hard && world.holding->except_hard);
}

const Intervention* Laws::entry_of(const World& world, InterventionId id) const {
  if (world.ledger.empty() || id < world.ledger.front().id || id > world.ledger.back().id) return nullptr;
  return &world.ledger[id - world.ledger.front().id];
}

bool Laws::up(const std::string& service) const {
  const auto run = runs_.find(service);
  return run != runs_.end() && (run->second.state == ServiceState::ready || run->second.state == ServiceState::late);
}

bool Laws::stopping(const std::string& service) const {
  const auto run = runs_.find(service);
  return run != runs_.end() &&
         (run->second.state == ServiceState::stopping || run->second.state == ServiceState::stuck);
}

// --- What is told to the core
// -----------------------------------------------------------------------------------------

void Laws::take_looked(const Looked& looked) {
  if (looked.everybody && !looked.complete) hidden_at_ = now_.steady;
  for (const auto* sightings : {&looked.fresh, &looked.changed}) {
    for (const Sighting& sighting : *sightings) {
      seen_[sighting.id].argv = sighting.command.argv;
      seen_[sighting.id].session = sighting.session;
      seen_[sighting.id].state = sighting.state;
    }
  }
  for (const Sighting& sighting : looked.fresh) {
    Seen& seen = seen_[sighting.id];
    seen.told = now_.steady;
    const SimProcess* process = kernel_.find(sighting.id);
    const SimProcess* forker = kernel_.find(process->forker);
    // Below one that adopts nobody can tell a child from an adopted one.
    seen.by_its_forker = !sighting.ourselves && process->forker == sighting.parent && !forker->subreaper;
    if (sighting.forker) seen.by_its_forker = seen.forker_named = true;
    if (!sighting.unseen) continue;
    seen.end_told = seen.reap_told = now_.steady;
    seen.exit_told = sighting.exit;
  }
}

void Laws::take_samples(const World& world, const MemorySampled& sampled) {
  for (const Sample& sample : sampled.samples) {
    const SimProcess* process = kernel_.find(sample.id);
    if (process == nullptr || sample.rss.count == 0) continue;
    Seen& seen = seen_[sample.id];
    const bool last_word = std::exchange(seen.exact_asked, false);
    const Service* service = plan_of(world, process->service);
    const EngineRule* rule = rule_of(world, *process);
    if (service == nullptr) continue;
    const MemoryPolicy& memory = rule != nullptr ? rule->memory : service->memory;
    seen.rss = sample.rss;
    seen.read_at = now_.steady;
    // Where a quick reading leaves it open, it is the exact one that counts, or what the quick one says without it.
    const auto open = [&](Bytes line) {
      return !sample.exact && !last_word && sample.rss < line && sample.rss + sample.bound >= line;
    };
    if (memory.hard && sample.rss >= *memory.hard) {
      if (!seen.hard_since) seen.hard_since = now_.steady;
    } else if (!memory.hard || !open(*memory.hard)) {
      seen.hard_since.reset();
    }
    if (memory.soft && sample.rss >= *memory.soft) {
      if (!seen.soft_since) seen.soft_since = now_.steady;
    } else if (!memory.soft || !open(*memory.soft)) {
      seen.soft_since.reset();
    }
  }
}

void Laws::take_question(const ReadMemory& read) {
  for (const ProcessId& id : read.of) seen_[id].exact_asked = seen_[id].exact_asked || read.exact;
}

void Laws::take_question(const LookAtEvidence& look) {
  Seen& seen = seen_[look.engine];
  if (seen.evidence_asked) seen.evidence_lost = *seen.evidence_asked;
  seen.evidence_asked = now_.steady;
}

void Laws::take_end(const World& world, const ProcessEnded& ended) {
  const SimProcess* process = kernel_.find(ended.id);
  if (process == nullptr) return;
  Seen& seen = seen_[ended.id];
  if (seen.end_told != never) return;
  seen.end_told = now_.steady;
  seen.exit_told = ended.exit;
  if (ended.reaped) seen.reap_told = now_.steady;
  const auto found = runs_.find(process->service);
  if (found == runs_.end() || found->second.main != ended.id ||
      (!up(process->service) && found->second.state != ServiceState::starting))
    return;
  Run& run = found->second;
  const Service& service = *plan_of(world, process->service);
  if (now_.steady - run.spawned_at >= service.backoff.forgive) {
    run.failures = 0;
    run.series_known = true;
  }
  // The end of a main process that is no child of ours may be unreadable: nobody knows that it was a success.
  run.success = ended.exit && is_success(service, *ended.exit);
  const bool done = run.success && service.kind == ServiceKind::task;
  const bool on_failure = service.restart == RestartPolicy::on_failure && !run.success;
  run.again = !done && (service.restart == RestartPolicy::always || on_failure);
  // Law 5: whose end a rung of ours waits for is followed by a new run, whatever the policy says.
  if (!run.by_rung) return;
  const bool waits = std::any_of(open_.begin(), open_.end(), [&](const auto& item) {
    const Intervention* one = entry_of(world, item.first);
    return one != nullptr && one->service == process->service && !one->rungs.empty() && !one->rungs.back().outcome &&
           (one->rungs.back().rung == "restart" || one->rule.empty());
  });
  if (waits) run.again = true;
}

void Laws::take_command(const World& world, const CommandGiven& command) {
  const auto plan_time = [&](const std::string& name) {
    const Service* service = plan_of(world, name);
    return service == nullptr ? Duration{0} : whole_grace(service->stop) + 20s;
  };
  Duration at_most = 0s;
  Duration all = 5s;
  Duration rounds = 10s;
  for (const auto& [name, life] : world.services) {
    all += plan_time(name);
    rounds += 10 * (life.plan->heal + whole_grace(life.plan->stop) + 60s);
  }
  switch (command.act) {
    case CommandAct::start:
    case CommandAct::restart: at_most = plan_time(command.service) + 60s; break;
    case CommandAct::stop: at_most = all; break;
    case CommandAct::reconnect: at_most = rounds + 10min; break;
    case CommandAct::hook: at_most = 20s; break;
    case CommandAct::hold:
    case CommandAct::release: break;
  }
  asked_[command.id] = {command.act, now_.steady + at_most};
  if (command.force) {
    forced_ = true;
    const bool leaves = command.act == CommandAct::start || command.act == CommandAct::restart;
    for (const SimProcess* process : kernel_.living()) {
      if (leaves && process->service == command.service && runs_[command.service].state == ServiceState::stuck)
        seen_[process->id].nobodys = true;
    }
  }
  const bool turns =
      command.act == CommandAct::start || command.act == CommandAct::stop || command.act == CommandAct::restart;
  if (!turns) return;
  // What requires it, or what it requires, may turn with it.
  for (auto& [name, run] : runs_) {
    const bool refused = run.state == ServiceState::stuck && !command.force;
    told_otherwise(name, run, name == command.service && command.act != CommandAct::stop && !refused);
  }
}

/// An operator's or a reload's word: what the policy would have done is no longer what follows. `anew`: the series of
/// its failures begins anew where it rests.
void Laws::told_otherwise(const std::string& name, Run& run, bool anew) {
  run.told_off = now_.steady;
  run.again.reset();
  run.backoff_known = false;
  run.backoffs.clear();
  if (up(name) || run.state == ServiceState::starting) return;
  run.series_known = anew;
  run.failures = 0;
}

void Laws::take_event(const World& world, const Event& event) {
  if (const auto* looked = std::get_if<Looked>(&event)) take_looked(*looked);
  if (const auto* sampled = std::get_if<MemorySampled>(&event)) take_samples(world, *sampled);
  if (const auto* read = std::get_if<ContainerRead>(&event)) container_told_ = *read;
  if (const auto* ended = std::get_if<ProcessEnded>(&event)) take_end(world, *ended);
  if (const auto* command = std::get_if<CommandGiven>(&event)) take_command(world, *command);
  if (const auto* reaped = std::get_if<ProcessReaped>(&event); reaped != nullptr && seen_.contains(reaped->id)) {
    Seen& seen = seen_[reaped->id];
    if (seen.reap_told == never) seen.reap_told = now_.steady;
    if (!seen.exit_told) seen.exit_told = reaped->exit;
  }
  if (const auto* read = std::get_if<ExitRead>(&event); read != nullptr && seen_.contains(read->id)) {
    Seen& seen = seen_[read->id];
    if (!seen.exit_told && seen.end_told != never) seen.exit_told = read->exit;
  }
  if (const auto* found = std::get_if<EvidenceLookedAt>(&event); found != nullptr && nothing_expected_.empty()) {
    Seen& seen = seen_[found->engine];
    seen.looked_at = now_.steady;
    seen.evidence_asked.reset();
    seen.used = seen.used || found->connected.has_value();
    seen.port_known = found->port_known;
  }
  if (const auto* spawned = std::get_if<SpawnSucceeded>(&event)) {
    Run& run = runs_[spawned->service];
    run.spawning = false;
    run.main = spawned->main;
    run.up_at = run.spawned_at = now_.steady;
    run.by_rung = run.success = run.killing = false;
    run.again.reset();
    run.time_limit = plan_of(world, spawned->service)->time_limit;
    seen_[spawned->main].told = now_.steady;
    seen_[spawned->main].by_its_forker = true;
  }
  if (const auto* failed = std::get_if<SpawnFailed>(&event)) {
    runs_[failed->service].spawning = false;
    runs_[failed->service].refused = failed->step == "clone";
  }
  if (const auto* answer = std::get_if<ProbeAnswered>(&event)) take_answer(*answer);
  if (const auto* said = std::get_if<Notified>(&event)) take_extension(world, *said);
  if (const auto* looked = std::get_if<LeftoversLookedFor>(&event)) {
    runs_[looked->service].leftovers_hidden = !looked->readable;
    if (!looked->found.empty() || !looked->readable) runs_[looked->service].leftovers_at = now_.steady;
  }
  if (const auto* answered = std::get_if<HookAnswered>(&event)) hooks_.erase(answered->hook);
  if (std::holds_alternative<StopRequested>(event)) take_stop_request();
  if (std::holds_alternative<PlanReplaced>(event)) {
    reloaded_ = now_.steady;
    // A rule that came and went takes the verdicts with it.
    for (auto& [id, seen] : seen_) seen.verdict = seen.verdict || seen.end_told != never;
    for (auto& [name, run] : runs_) told_otherwise(name, run, false);
  }
}

void Laws::before(const World& world, const Event& event, Now now) {
  now_ = now;
  if (deadline_ != never && now.steady > deadline_ + 2ms) woke_ = now.steady;
  command_ = std::get_if<CommandGiven>(&event);
  said_.clear();
  rounds_.clear();
  for (const auto& [name, life] : world.services) {
    if (life.round) rounds_.insert(name);
  }
  take_event(world, event);
  if (withheld(world, false)) withheld_at_ = now_.steady;
}

void Laws::after(const World& world, const Event& event, const Effects& effects, Now now) {
  now_ = now;
  if (withheld(world, false)) withheld_at_ = now_.steady;
  for (const Effect& effect : effects) {
    if (const auto* record = std::get_if<Record>(&effect)) take_record(world, record->entry);
    if (const auto* cancel = std::get_if<CancelProbe>(&effect)) cancel_question(cancel->id);
  }
  if (const auto* said = std::get_if<Notified>(&event)) check_main(world, *said);
  for (const Entry& entry : said_) {
    if (entry.kind == EventKind::census) check_nobodys(world, entry);
  }
  check_stopping(world, event);
  take_states(world);
  take_drains(world);
  check_ledger(world);
  for (const Effect& effect : effects) {
    if (const auto* send = std::get_if<SendSignal>(&effect)) check_signal(world, *send, event);
    if (const auto* spawn = std::get_if<Spawn>(&effect)) check_spawn(world, *spawn);
    if (const auto* send = std::get_if<SignalLeftover>(&effect)) check_leftover(*send);
    if (const auto* call = std::get_if<CallHook>(&effect)) check_hook(world, *call, event);
    if (const auto* cancel = std::get_if<CancelHook>(&effect)) cancel_hook(cancel->id);
    if (const auto* ask = std::get_if<AskProbe>(&effect)) take_question(world, *ask);
    if (const auto* read = std::get_if<ReadMemory>(&effect)) take_question(*read);
    if (const auto* look = std::get_if<LookAtEvidence>(&effect)) take_question(*look);
    if (const auto* answer = std::get_if<Answer>(&effect)) check_answer(*answer);
    if (const auto* quit = std::get_if<Quit>(&effect)) check_quit(world, *quit);
  }
  if (const auto* forward = std::get_if<SignalToForward>(&event)) check_forwarded(world, *forward, effects);
  if (const auto* again = std::get_if<StopRequested>(&event)) check_passed_on(world, *again, effects);
  for (auto& [name, run] : runs_) {
    if (std::exchange(run.drain_owed, false) && !run.drain)
      breaks("law 4, drains", name + " begins to stop, and its app is not asked to drain");
  }
  check_nothing(world, effects);
  check_rest(world);
  check_tasks(world);
  check_stop_waits(world);
  check_stops(world);
  check_graces(world);
  check_orphans(world);
  check_engines(world);
  check_watched(world);
  check_hard(world);
  check_waiting(world);
}

}  // namespace plimsoll::sim

// Laws 1, 4 and 6: who gets a signal, for which reason, in which order, and when it is SIGKILL.
#include <algorithm>
#include <csignal>

#include "tests/sim/laws.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

void Laws::check_signal(const World& world, const SendSignal& send, const Event& event) {
  const SimProcess* process = kernel_.find(send.to);
  const std::string who = "signal " + std::to_string(send.signal) + " to process " + pid(send.to);
  if (process == nullptr) return breaks("law 1, identity", who + ", which never was");
  Seen& seen = seen_[send.to];
  if (process->service.empty()) return breaks("law 1, bystanders", who + ", which is of no tree of ours");
  if (seen.told == never) return breaks("law 1, recorded", who + ", which no census has shown");
  if (seen.nobodys) return breaks("law 1, nobody's", who + ", which was named as nobody's");
  if (seen.end_told != never) return breaks("law 1, identity", who + ", whose end was told");
  if (send.signal == SIGCONT) return;
  if (const auto* forward = std::get_if<SignalToForward>(&event);
      forward != nullptr && send.signal == forward->signal) {
    const bool named = std::find(forward->others.begin(), forward->others.end(), send.to) != forward->others.end();
    if (!named && !(forward->to_main && is_main(*process)))
      breaks("law 8, forwarding", who + ", to whom nobody has sent it");
    return;
  }
  const bool again = std::holds_alternative<StopRequested>(event) && stop_requests_ > 1;
  if (again && send.signal != SIGKILL && is_main(*process) && seen.asked) return;  // check_passed_on
  if (send.signal == SIGKILL) return check_kill(world, *process, seen);
  check_ask(world, *process, seen, send.signal);
}

/// Of its own accord the daemon acts on a process of a service that is up only with a rung that names it, or an engine
/// of its.
bool Laws::descends(const SimProcess& process, ProcessId ancestor) const {
  const SimProcess* forker = kernel_.find(process.forker);
  return forker != nullptr && (forker->id == ancestor || descends(*forker, ancestor));
}

bool Laws::has_reason(const SimProcess& process) const {
  bool reason = false;
  for (const Entry& entry : said_) {
    if (entry.kind != EventKind::rung || entry.would || entry.service != process.service || entry.outcome) continue;
    if (entry.pid == process.id.pid || !entry.pid) reason = true;
    if (entry.rule.empty() && !entry.rung.empty()) reason = true;
    const auto& all = kernel_.all();
    const bool owns = std::any_of(all.begin(), all.end(), [&](const auto& item) {
      if (entry.pid != item.first.pid || item.second.rule.empty()) return false;
      return descends(item.second, process.id);
    });
    if (owns && (entry.rung == "worker" || entry.rung == "reconnect")) reason = true;
  }
  return reason;
}

void Laws::check_reason(const World& world, const SimProcess& process) {
  const bool hard_held = withheld(world, true);
  const bool soft_held = withheld(world, false);
  if (!has_reason(process))
    return breaks("law 1, a reason", "process " + pid(process.id) + " of " + process.service +
                                         ", which is up, gets a signal and no rung says why");
  if (!soft_held) return;
  const bool by_operator = command_ != nullptr ||
                           std::any_of(asked_.begin(), asked_.end(),
                                       [](const auto& item) { return item.second.act == CommandAct::reconnect; }) ||
                           rounds_.contains(process.service);
  const bool for_hard =
      !hard_held && std::any_of(world.ledger.rbegin(), world.ledger.rend(), [&](const Intervention& one) {
        return one.cause == Cause::hard && one.service == process.service;
      });
  const bool past_hard = !hard_held && hard_reached(world, process);
  if (!by_operator && !for_hard && !past_hard)
    breaks("law 1, observe and hold", "process " + pid(process.id) + " gets a signal while acts are withheld");
}

/// Law 1 and docs/verdicts.md 1, 2, 4, 5: an engine ends as an orphan only when its owner is gone, its time is over,
/// and nobody was seen to use it.
void Laws::check_orphan(const World& world, const SimProcess& process, const Seen& seen) {
  const SimProcess* owner = kernel_.forked_through_wrappers(process);
  const std::string who = "engine " + pid(process.id);
  if (owner == nullptr) return;
  // What was adopted unseen is given to somebody by docs/verdicts.md 3, which can be a guess.
  if (owner->alive() && known_line(process))
    return breaks("law 1, orphans", who + " is ended as an orphan, and its owner lives");
  if (owner->alive()) return;
  const EngineRule* rule = rule_of(world, process);
  if (rule == nullptr || !settled(20s)) return;
  // Over its hard line it is given no time, whoever uses it.
  if (rule->memory.hard && seen.rss >= *rule->memory.hard) return;
  if (!seen.looked_at || *seen.looked_at < seen.orphan_said)
    return breaks("law 1, evidence", who + " is ended as an orphan, and nobody looked whether it is used");
  if (seen.used) return breaks("law 1, evidence", who + " is ended as an orphan, and is used");
  if (rule->owner == OwnerKind::service) return breaks("law 1, orphans", who + " is the service's by its rule");
  const Seen& of_owner = seen_[owner->id];
  if (of_owner.end_told == never || !known_line(process)) return;
  // It is as old as it was when its end was told: nobody knows better.
  const Duration age = std::chrono::duration_cast<Duration>(of_owner.end_told - owner->born);
  const bool zero = of_owner.exit_told && of_owner.exit_told->kind == ExitKind::exited && of_owner.exit_told->code == 0;
  // The core knows births by its looks, to ten milliseconds.
  if (zero && age + 20ms < rule->settle && !of_owner.asked && !of_owner.killed && process.forker == owner->id)
    return breaks("law 1, launchers", who + " is ended as an orphan, and was started by a launcher");
  const bool clean = zero || !of_owner.exit_told;
  const Duration after = rule->orphan.after.value_or(clean ? 300ms : 0ms);
  if (now_.steady < of_owner.end_told + after)
    return breaks("law 1, an orphan's time", who + " is asked to end before its time is over");
  if (!seen.port_known && now_.steady < of_owner.end_told + 15s)
    breaks("law 1, an orphan's time", who + " is asked to end early though it could not be seen whether it is used");
}

/// Known, and status shows as engines what are engines.
bool Laws::shown_line(const World& world, const SimProcess& process) const {
  const auto shown = world.processes.find(process.id);
  if (shown == world.processes.end() || shown->second.engine.has_value() != is_engine(world, process)) return false;
  const SimProcess* forker = kernel_.find(process.forker);
  // A dead engine above it may have been a launcher.
  if (forker != nullptr && is_engine(world, *forker) && !forker->alive()) return false;
  return known_line(process) && (forker == nullptr || shown_line(world, *forker));
}

/// Law 4: the main process first, then generation by generation; an engine when no app process lives that could use it.
void Laws::check_order(const World& world, const SimProcess& process) {
  Run& run = runs_[process.service];
  if (process.id == run.main) {
    run.main_asked = true;
    return;
  }
  const SimProcess* main = kernel_.find(run.main);
  const std::string who = "process " + pid(process.id) + " of " + process.service;
  if (main != nullptr && main->alive() && seen_[main->id].end_told == never)
    return breaks("law 4, main first", who + " is asked to end before the main process has ended");
  if (!settled(1s)) return;
  const bool engine = is_engine(world, process) || below_engine(world, process);
  const SimProcess* forker = kernel_.find(process.forker);
  if (!engine && forker != nullptr && forker->alive() && placed(*forker) && shown_line(world, process) &&
      !is_engine(world, *forker))
    return breaks("law 4, generations", who + " is asked to end while its parent lives");
  if (!engine || !shown_line(world, process) || seen_[process.id].argv != process.command.argv) return;
  for (const SimProcess* one : kernel_.living()) {
    const bool app = one->service == process.service && placed(*one) && one->rule.empty() &&
                     !below_engine(world, *one) && one->command.argv.back() == "worker" && shown_line(world, *one);
    if (app)
      return breaks("law 4, engines last",
                    "engine " + pid(process.id) + " is asked to end while worker " + pid(one->id) + " lives");
  }
}

bool Laws::owns_engine(const SimProcess& process) const {
  return std::any_of(kernel_.all().begin(), kernel_.all().end(), [&](const auto& item) {
    return !item.second.rule.empty() && kernel_.forked_through_wrappers(item.second) == &process;
  });
}

void Laws::check_ask(const World& world, const SimProcess& process, Seen& seen, int signal) {
  const Service* service = plan_of(world, process.service);
  if (service == nullptr) return;
  const EngineRule* rule = rule_of(world, process);
  const auto says = [&](const std::string& part) {
    return std::any_of(said_.begin(), said_.end(), [&](const Entry& entry) {
      return entry.kind == EventKind::rung && entry.pid == process.id.pid && entry.why.find(part) != std::string::npos;
    });
  };
  if (says(" again, by the next step")) return check_next_step(process, seen, signal);
  const bool orphan = says("asked orphan");
  const bool in_stop = stopping(process.service);
  if (orphan && rule == nullptr)
    return breaks("law 1, orphans",
                  "process " + pid(process.id) + " of " + process.service + " is ended as an orphan, and is no engine");
  if (orphan) {
    check_orphan(world, process, seen);
  } else if (in_stop && !(runs_[process.service].stop_began == now_.steady && has_reason(process))) {
    check_order(world, process);
  }
  if (!in_stop) check_reason(world, process);
  const StopPolicy& stop = rule != nullptr && !process.own_child && !is_main(process) ? rule->stop : service->stop;
  Run& run = runs_[process.service];
  if (in_stop && !orphan) check_drained(run, process);
  // What was adopted unseen is given to somebody by docs/verdicts.md 3: if to an engine, it is none itself.
  const auto shown = world.processes.find(process.id);
  const bool below_by_a_guess =
      !known_line(process) && shown != world.processes.end() && !shown->second.engine.has_value();
  seen.steps_unknown = rule != nullptr && (below_engine(world, process) || seen.argv != process.command.argv ||
                                           owns_engine(process) || below_by_a_guess);
  if (in_stop && rule == nullptr) {
    check_step(stop, run, process, signal);
  } else if (signal != stop.signal && !seen.steps_unknown && settled(1min)) {
    breaks("law 4, the stop signal", "process " + pid(process.id) + " gets signal " + std::to_string(signal));
  }
  if (in_stop && process.id == run.main) ++run.asks;
  seen.asked = now_.steady;
  seen.grace = orphan               ? rule->orphan.grace
               : seen.steps_unknown ? std::min(stop.grace, service->stop.grace)
                                    : stop.grace;
  seen.steps_left.clear();
  if (!orphan && !seen.steps_unknown) seen.steps_left = stop.further;
  seen.doomed = !in_stop && !orphan && !process.own_child && !is_main(process) && !seen.steps_unknown;
}

/// The line of its rule, or the service's: a process that a rule matches can be the app process.
bool Laws::hard_reached(const World& world, const SimProcess& process) const {
  const Service* service = plan_of(world, process.service);
  const EngineRule* rule = rule_of(world, process);
  if (service == nullptr) return false;
  const auto seen = seen_.find(process.id);
  const Bytes rss = seen == seen_.end() ? Bytes{} : seen->second.rss;
  if (rule != nullptr && rule->memory.hard && rss >= *rule->memory.hard) return true;
  if (container_is_full(*service)) return true;
  if (!service->memory.hard) return false;
  if (service->memory.of == MemoryScope::process) return rss >= *service->memory.hard;
  Bytes sum;
  for (const auto& [id, one] : seen_) {
    const SimProcess* of = kernel_.find(id);
    if (of != nullptr && of->service == process.service && one.end_told == never) sum = sum + one.rss;
  }
  return sum >= *service->memory.hard;
}

/// SIGKILL without a grace of its own: the service's stop is over its grace, or everything's.
bool Laws::is_last_resort(const World& world, const SimProcess& process, const Seen&) const {
  const auto found = runs_.find(process.service);
  if (found == runs_.end() || !stopping(process.service)) return false;
  const Run& run = found->second;
  const bool its_time_is_over = now_.steady >= std::min(std::max(run.ask_from + run.grace, run.extended_to), no_later_);
  return (!run.drain && its_time_is_over) || (world.stopping && now_.steady >= stop_deadline_);
}

/// Law 6, law 4: SIGKILL comes after a grace, or because a hard line was reached.
void Laws::check_kill(const World& world, const SimProcess& process, Seen& seen) {
  seen.killed = now_.steady;
  if (!settled(20s)) return;
  const bool grace_over = seen.asked && now_.steady >= *seen.asked + seen.grace && seen.steps_left.empty();
  const bool last_resort = is_last_resort(world, process, seen);
  // One that was asked by itself has a grace of its own, and a long pause gives the steps of the stop their whole time
  // from its end on: the stop can be at its last resort by the clock and still ask others.
  const bool of_its_own = std::any_of(said_.begin(), said_.end(), [&](const Entry& entry) {
    return entry.kind == EventKind::rung && entry.pid == process.id.pid &&
           entry.why.find("its grace is over") != std::string::npos;
  });
  // One that is over its hard line may have got it for that, and the others have their time still.
  if (last_resort && !of_its_own && !hard_reached(world, process)) runs_[process.service].killing = true;
  const Run& run = runs_[process.service];
  const Service* service = plan_of(world, process.service);
  if (last_resort && process.id == run.main && !(world.stopping && now_.steady >= stop_deadline_) &&
      service != nullptr && run.asks != 1 + service->stop.further.size() && !hard_reached(world, process) &&
      settled(1min))
    breaks("law 4, every step",
           "process " + pid(process.id) + " gets SIGKILL, and was asked " + std::to_string(run.asks) + " times");
  if (grace_over || last_resort) return;
  // Law of the hung: nothing else reaches what is stopped, and what answers nobody may be ended so by its own ladder.
  const bool hung = std::any_of(world.ledger.rbegin(), world.ledger.rend(), [&](const Intervention& one) {
    // Another ladder may have ended the run in the same step, and this one with it.
    return one.cause == Cause::hung && one.pid == process.id.pid && (one.ended == never || one.ended == now_.steady);
  });
  const bool hard = hard_reached(world, process) || hung;
  if (!hard)
    return breaks("law 6, a grace before SIGKILL",
                  "process " + pid(process.id) + " of " + process.service + " gets SIGKILL before any grace is over");
  if (!stopping(process.service) && !seen.asked) check_reason(world, process);
}

void Laws::check_leftover(const SignalLeftover& send) {
  const SimProcess* process = kernel_.find(send.to);
  if (process == nullptr || process->leftover_of != send.service)
    breaks("law 11, leftovers", "signal to process " + pid(send.to) + ", which is no leftover of " + send.service);
}

/// What was asked by itself is killed when its grace is over.
void Laws::check_graces(const World& world) {
  for (auto& [id, seen] : seen_) {
    if (!seen.doomed || seen.end_told != never || seen.killed) continue;
    const SimProcess* process = kernel_.find(id);
    if (now_.steady < *seen.asked + seen.grace || !process->alive() || !world.services.contains(process->service))
      continue;
    if (!settled(20s)) continue;
    breaks("law 4, graces end", "process " + pid(id) + " was asked to end, its grace is over, and it has no SIGKILL");
  }
}

void Laws::check_forwarded(const World& world, const SignalToForward& forward, const Effects& effects) {
  for (const auto& [name, life] : world.services) {
    const SimProcess* main = kernel_.find(runs_[name].main);
    if (!up(name) || main == nullptr || seen_[main->id].end_told != never) continue;
    const bool sent = std::any_of(effects.begin(), effects.end(), [&](const Effect& effect) {
      const auto* send = std::get_if<SendSignal>(&effect);
      return send != nullptr && send->to == main->id && send->signal == forward.signal;
    });
    if (!sent && forward.to_main) breaks("law 8, forwarding", "a signal does not reach the main process of " + name);
  }
  for (const ProcessId& id : forward.others) {
    const SimProcess* process = kernel_.find(id);
    if (process->service.empty() || !placed(*process) || seen_[id].end_told != never || is_main(*process)) continue;
    if (!world.services.contains(process->service) || !known_line(*process)) continue;
    const bool sent = std::any_of(effects.begin(), effects.end(), [&](const Effect& effect) {
      const auto* send = std::get_if<SendSignal>(&effect);
      return send != nullptr && send->to == id && send->signal == forward.signal;
    });
    if (!sent) breaks("law 8, forwarding", "a signal to its group does not reach process " + pid(id));
  }
}

}  // namespace plimsoll::sim

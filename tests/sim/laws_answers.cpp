// Laws 8 and 10: whoever asks gets an answer in its time, the daemon ends only when it is told to, and its timer is
// neither late nor restless.
#include <algorithm>
#include <utility>

#include "daemon/core/step.hpp"
#include "tests/sim/laws.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

namespace {

/// A cycle that waits for the budget or for a window looks again within a second: the one timer that is not exact. And
/// when one is due by the wall clock is known to the millisecond, as that is read: within it another service's step
/// can be the first to see it. Where its budget is spent, that is all it says.
bool of_cycle(const World& world, const Entry& entry) {
  if (entry.kind == EventKind::cycle) return true;
  const auto life = world.services.find(entry.service);
  if (entry.kind != EventKind::budget || life == world.services.end()) return false;
  const auto& cycles = life->second.cycles;
  return std::any_of(cycles.begin(), cycles.end(), [](const CycleClock& clock) { return clock.due; });
}

/// Services and engines are asked at ports of their own (plans.cpp). What the target runs does not tell the one from
/// the other: the app process, whom a service's question names, may run an engine's program, as one that no rule
/// matches or as the only one behind a wrapper.
bool asks_engine(const Service& service, const Probe& how) {
  return std::any_of(service.engines.begin(), service.engines.end(),
                     [&](const EngineRule& rule) { return rule.live && rule.live->how == how; });
}

}  // namespace

void Laws::check_hook(const World& world, const CallHook& call, const Event& event) {
  const auto* command = std::get_if<CommandGiven>(&event);
  const bool by_operator = command != nullptr && command->act == CommandAct::hook;
  const SimProcess* target = kernel_.find(call.target);
  if (target == nullptr || seen_[call.target].end_told != never)
    breaks("law 1, hooks go to the living",
           "hook " + call.hook.name + " is for process " + pid(call.target) + ", which is gone");
  if (target != nullptr && target->service != call.service)
    breaks("law 1, hooks go to their service",
           "hook " + call.hook.name + " of " + call.service + " goes to another's process");
  if (!by_operator && seen_[call.target].state == 'T')
    breaks("law 8, hooks",
           "hook " + call.hook.name + " is for process " + pid(call.target) + ", which is stopped and cannot answer");
  if (hooks_.contains(call.id)) breaks("law 8, hooks", "hook " + std::to_string(call.id) + " is called twice");
  const Service* plan = plan_of(world, call.service);
  Run& run = runs_[call.service];
  const bool drains = stopping(call.service) && run.stop_began == now_.steady && !by_operator;
  if (drains && plan != nullptr && call.hook.name == plan->stop.drain) {
    run.drain = call.id;
    run.drain_until = now_.steady + call.timeout + 2s;
  }
  hooks_[call.id] = {call.service, now_.steady + call.timeout + 2s, !by_operator};
}

void Laws::cancel_hook(HookId id) {
  hooks_.erase(id);
  for (auto& [name, run] : runs_) {
    if (run.drain == id) run.drain.reset();
  }
}

void Laws::take_question(const World& world, const AskProbe& ask) {
  const Service* service = plan_of(world, ask.service);
  const bool of_engine = service != nullptr && asks_engine(*service, ask.how);
  questions_[ask.id] = {ask.service, of_engine ? ask.target : nobody};
}

void Laws::take_answer(const ProbeAnswered& answer) {
  const auto found = questions_.find(answer.probe);
  if (found == questions_.end()) return;
  // A question that could not be put says nothing of whom it was about.
  if (answer.asked) note_answer(found->second, answer.passed);
  questions_.erase(found);
}

void Laws::note_answer(const About& about, bool passed) {
  constexpr int more_than_any_plan_asks_for = 5;
  Answers& answers = answers_[about];
  answers.failed = passed ? 0 : answers.failed + 1;
  answers.passed = passed ? answers.passed + 1 : 0;
  if (answers.passed >= more_than_any_plan_asks_for) answers.most_failed = 0;
  answers.most_failed = std::max(answers.most_failed, answers.failed);
}

void Laws::cancel_question(ProbeId id) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  note_answer(found->second, false);
  questions_.erase(found);
}

/// Who is called hung has failed to answer, is stopped, or has not said that it lives.
void Laws::check_hung(const World& world, const Intervention& one) {
  const Service* service = plan_of(world, one.service);
  const SimProcess* process = nullptr;
  // It may have ended meanwhile, and nobody has been told.
  for (const auto& [id, other] : kernel_.all()) {
    if (id.pid == one.pid && other.service == one.service && !one.rule.empty()) process = &other;
  }
  const EngineRule* rule = process != nullptr ? rule_of(world, *process) : nullptr;
  const auto& live = one.rule.empty() ? service->live : rule != nullptr ? rule->live : service->live;
  const bool stopped = process != nullptr && seen_[process->id].state == 'T';
  if (stopped || !live || std::holds_alternative<NotifyProbe>(live->how) || !settled(10min)) return;
  const Answers& answers = answers_[{one.service, process != nullptr ? process->id : nobody}];
  const bool not_well_again = answers.most_failed >= live->failures && answers.passed < live->successes;
  if (answers.failed < live->failures && !not_well_again)
    breaks("law 5, hung",
           "the one that intervention " + std::to_string(one.id) + " calls hung has not failed to answer");
}

void Laws::check_answer(const Answer& answer) {
  if (asked_.erase(answer.command) == 0) {
    const char* how = answered_.contains(answer.command) ? " is answered twice" : " is answered, and was never given";
    // A restart that is a start gives its answer by the one or the other.
    return breaks("law 8, one answer", "command " + std::to_string(answer.command) + how);
  }
  answered_.insert(answer.command);
}

void Laws::check_waiting(const World& world) {
  for (const auto& [id, asked] : asked_) {
    // What a long pause has delayed goes on from its end.
    if (now_.steady > asked.deadline && now_.steady - woke_ > 20min)
      breaks("law 8, commands", "command " + std::to_string(id) + " has no answer in its time");
  }
  for (const auto& [id, hooked] : hooks_) {
    if (hooked.by_ladder && now_.steady > hooked.deadline && world.services.contains(hooked.service))
      breaks("law 8, hooks", "hook " + std::to_string(id) + " has no answer, and nobody has given it up");
  }
}

void Laws::check_stopping(const World& world, const Event& event) {
  if (world.stopping && !was_stopping_) {
    stop_deadline_ = std::min(no_later_, now_.steady + world.plan->daemon.stop_within);
    const bool essential = std::any_of(world.services.begin(), world.services.end(), [](const auto& item) {
      const ServiceState state = item.second.state;
      return item.second.plan->essential && (state == ServiceState::failed || state == ServiceState::stopped);
    });
    if (!std::holds_alternative<StopRequested>(event) && !essential)
      breaks("law 10, it never ends by itself", "everything is stopped, and nobody asked for it");
  }
  stop_deadline_ = std::min(stop_deadline_, no_later_);
  if (!world.stopping && stop_asked_) breaks("law 4, the daemon ends", "it was told to stop, and does not");
  was_stopping_ = world.stopping;
}

void Laws::check_quit(const World& world, const Quit& quit) {
  if (!world.stopping) breaks("law 10, it never ends by itself", "it quits, and was not told to");
  const bool stuck = std::any_of(world.services.begin(), world.services.end(),
                                 [](const auto& item) { return item.second.state == ServiceState::stuck; });
  for (const SimProcess* process : kernel_.living()) {
    if (process->service.empty() || exempt(*process)) continue;
    const auto life = world.services.find(process->service);
    if (life == world.services.end() || life->second.state != ServiceState::stuck)
      breaks("law 3, nothing left", "it quits, and process " + pid(process->id) + " of " + process->service + " lives");
  }
  if (stuck != (quit.code == 81)) breaks("law 4, the exit code", "it quits with " + std::to_string(quit.code));
}

void Laws::check_nothing(const World& world, const Effects& effects) {
  const std::string why = std::exchange(nothing_expected_, {});
  if (why.empty()) return;
  const bool cycle =
      std::any_of(said_.begin(), said_.end(), [&](const Entry& entry) { return of_cycle(world, entry); });
  if (cycle) return;
  // Readings of memory go on at their own pace; to look is no act.
  for (const Effect& effect : effects) {
    if (const auto* record = std::get_if<Record>(&effect))
      return breaks("law 8, what is late or early changes nothing", why + " led to: " + record->entry.why);
    breaks("law 8, what is late or early changes nothing",
           why + " had an effect of kind " + std::to_string(effect.index()));
  }
}

/// What was left to wait for somebody else's step would be found here. A cycle looks again within a second, and samples
/// go on at their own pace: those are no deadlines that anybody has missed.
void Laws::nobody_left_out(const World& world, const char* when, bool clock_set) {
  if (!broken_.empty()) return;
  const bool before = std::string_view{when}.starts_with("before");
  if (before && (clock_set || next_deadline(world) <= now_.steady)) return;
  World copy = world;
  const Effects more = settle_everything(copy, now_);
  for (const Effect& effect : more) {
    const auto* record = std::get_if<Record>(&effect);
    if (!clock_set && record != nullptr && of_cycle(copy, record->entry)) return;
  }
  if (!more.empty()) {
    const auto* record = std::get_if<Record>(&more.front());
    return breaks("law 8, nobody is left out", std::string{when} + " somebody is due, effect " +
                                                   (record != nullptr ? record->entry.service + ": " + record->entry.why
                                                                      : std::to_string(more.front().index())));
  }
  for (const auto& [name, life] : copy.services) {
    const auto found = world.services.find(name);
    if (found == world.services.end() || life.due < found->second.due - 1ms)
      return breaks("law 8, nobody is left out", std::string{when} + " the deadline of " + name + " is too late");
  }
  if (next_deadline(copy) < next_deadline(world) - 1ms)
    breaks("law 8, nobody is left out", std::string{when} + " the next deadline is too late");
  if (!world.processes.consistent())
    breaks("law 8, the lists", std::string{when} + " the lists of processes are not what the processes say");
}

void Laws::at_rest(const World& world, Steady now) {
  const Steady deadline = next_deadline(world);
  if (deadline <= now) breaks("law 10, no spinning", "the next deadline is not ahead: the daemon would spin");
  if (now - second_ >= 1s) {
    second_ = now;
    in_second_ = 0;
  }
  if (++in_second_ > 6'000) breaks("law 10, no spinning", "more than 6,000 turns within a second");
  last_step_ = now;
  deadline_ = deadline;
}

}  // namespace plimsoll::sim

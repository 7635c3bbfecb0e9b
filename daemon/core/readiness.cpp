#include "daemon/core/readiness.hpp"

#include <algorithm>

#include "daemon/core/asking.hpp"
#include "daemon/core/cycle_clock.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/policy.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

/// One question of many: a slow answer is none, the next one may be quicker.
constexpr Duration longest_answer{5'000};

std::string run_text(const ServiceLife& life) {
  return "run " + std::to_string(life.run) + ", pid " + std::to_string(life.main.pid);
}

void become_ready(Turn& turn, const std::string& service, ServiceLife& life, const std::string& why) {
  stop_asking(turn, life.readiness);
  life.ready_at = turn.now.steady;
  life.overdue = false;
  set_state(turn, service, ServiceState::ready, why);
  start_cycle_clocks(turn, service);
}

std::string took(const Turn& turn, const ServiceLife& life) {
  return " after " + short_duration(turn.now.steady - life.spawned_at);
}

bool waits_for_ready(const ServiceLife& life) {
  return life.main != nobody && life.launched->ready && life.launched->kind == ServiceKind::service &&
         (life.state == ServiceState::starting || life.state == ServiceState::late);
}

std::string not_in_time(const ServiceLife& life) {
  const std::string& last = life.readiness->last;
  return "not ready after " + to_text(life.launched->ready->timeout) +
         (life.readiness->unasked ? " (it could not be asked)"
          : last.empty()          ? ""
                                  : " (" + last + ")");
}

void time_is_over(Turn& turn, const std::string& service, ServiceLife& life) {
  const std::string why = not_in_time(life);
  // It is our own want that it was not asked: no reason to end it.
  const bool ends = life.launched->ready->restart_on_timeout && !life.readiness->unasked;
  if (ends && !withheld(turn.world, false)) return end_as_failed(turn, service, why);
  set_state(turn, service, ServiceState::late, "late: " + why + "; it is left alone");
  if (ends) withhold_end(turn, service, why);
}

}  // namespace

void begin_readiness(Turn& turn, const std::string& service, ServiceLife& life) {
  life.readiness = {};
  life.notices = {};
  life.overdue = false;
  const Service& plan = *life.launched;
  if (plan.kind == ServiceKind::task) {
    set_state(turn, service, ServiceState::starting, "at work: " + run_text(life));
    if (plan.time_limit) life.deadline = turn.now.steady + *plan.time_limit;
    return;
  }
  if (!plan.ready) return become_ready(turn, service, life, "ready: " + run_text(life));
  set_state(turn, service, ServiceState::starting, "started, not ready yet: " + run_text(life));
  life.deadline = turn.now.steady + plan.ready->timeout;
  if (const auto* delay = std::get_if<DelayProbe>(&plan.ready->how)) {
    life.readiness.edit().next = turn.now.steady + delay->after;
  } else if (is_asked(plan.ready->how)) {
    life.readiness.edit().next = turn.now.steady;
  }
}

void take_readiness_answer(Turn& turn, const ProbeAnswered& answer) {
  for (auto& [name, life] : turn.world.services) {
    if (!take_answer(turn, life.readiness, answer)) continue;
    turn.touch(name);
    say_unasked(turn, life.readiness, answer, entry(EventKind::service_state, name, "it"));
    if (answer.passed && waits_for_ready(life))
      become_ready(turn, name, life, "ready" + took(turn, life) + ": " + run_text(life) + ", " + answer.detail);
    return;
  }
}

void take_ready_said(Turn& turn, const ReadySaid& said) {
  const auto found = turn.world.services.find(said.service);
  if (found == turn.world.services.end()) return;
  ServiceLife& life = found->second;
  turn.touch(said.service);
  if (life.run != said.run || !waits_for_ready(life)) return;
  become_ready(turn, said.service, life, "ready" + took(turn, life) + ": " + run_text(life) + ", " + said.how);
}

void take_ready_notice(Turn& turn, const Notified& said, ServiceLife& life) {
  life.notices.edit().rests_until = Steady::min();
  if (!waits_for_ready(life) || !std::holds_alternative<NotifyProbe>(life.launched->ready->how)) return;
  become_ready(turn, said.service, life,
               "ready" + took(turn, life) + ": " + run_text(life) + ", process " + std::to_string(said.sender) +
                   " said so (READY=1)");
}

void settle_readiness(Turn& turn, const std::string& service, ServiceLife& life) {
  if (!waits_for_ready(life)) return;
  const Readiness& ready = *life.launched->ready;
  if (life.state == ServiceState::starting && turn.now.steady >= life.deadline)
    return time_is_over(turn, service, life);
  if (life.overdue && !life.readiness->unasked && !withheld(turn.world, false))
    return end_as_failed(turn, service, not_in_time(life));
  if (std::holds_alternative<DelayProbe>(ready.how)) {
    if (turn.now.steady >= life.readiness->next)
      become_ready(turn, service, life, "ready" + took(turn, life) + ": " + run_text(life));
    return;
  }
  if (!is_asked(ready.how)) return;
  answer_is_overdue(turn, life.readiness);
  AskProbe question;
  question.service = service;
  question.how = ready.how;
  question.target = app_process(turn.world, service);
  question.timeout = std::min(longest_answer, ready.timeout);
  ask_when_due(turn, life.readiness, std::move(question), ready.interval);
}

Steady readiness_deadline(const ServiceLife& life) {
  if (!waits_for_ready(life)) return never;
  const Steady over = life.state == ServiceState::starting ? life.deadline : never;
  return std::min(over, asking_deadline(life.readiness));
}

}  // namespace plimsoll::core

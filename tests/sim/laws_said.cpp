// What the daemon has said of processes, and the states that its services went through: the record that the other laws
// are held against.
#include <algorithm>

#include "tests/sim/laws.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

namespace {

/// A run is ended that was not ready, or not done, in time.
bool ends_the_slow(const Entry& entry) {
  return entry.kind == EventKind::service_state &&
         (entry.why.starts_with("not ready after ") || entry.why.starts_with("not done after "));
}

}  // namespace

void Laws::take_record(const World& world, const Entry& entry) {
  said_.push_back(entry);
  check_withheld(world, entry);
  if (ends_the_slow(entry) && withheld(world, false))
    breaks("law 1, observe and hold", entry.service + " is ended for being slow while acts are withheld");
  if (!entry.pid) return;
  // The event bears a pid only: it is of the process that bears it now, or bore it last.
  ProcessId id = nobody;
  for (const auto& [other, seen] : seen_) {
    if (other.pid == *entry.pid && seen.told != never) id = other;
  }
  if (id == nobody) return;
  Seen& seen = seen_[id];
  switch (entry.kind) {
    case EventKind::census: seen.nobodys = true; break;
    case EventKind::engine_found: seen.listed = true; break;
    case EventKind::engine_gone:
    case EventKind::engine_disconnected:
    case EventKind::engine_lost:
      seen.verdict = true;
      check_verdict(world, entry);
      break;
    case EventKind::engine_orphaned:
      if (seen.orphan_said == never) seen.orphan_said = now_.steady;
      break;
    case EventKind::rung: seen.acted_on = now_.steady; break;
    case EventKind::limit_crossed: seen.limit_said = now_.steady; break;
    default: break;
  }
}

bool Laws::budget_spent_for(const std::string& service) const {
  return std::any_of(said_.begin(), said_.end(), [&](const Entry& entry) {
    return entry.service == service && entry.why.find("budget spent") != std::string::npos;
  });
}

/// So lately that its end may not have been told.
bool Laws::just_died(const std::string& service) const {
  const auto& all = kernel_.all();
  return std::any_of(all.begin(), all.end(), [&](const auto& item) {
    return item.second.service == service && item.second.died && now_.steady - *item.second.died < 50ms;
  });
}

void Laws::take_state(const World& world, const std::string& name, const ServiceLife& life) {
  Run& run = runs_[name];
  if (life.state == run.state && life.since == run.since) return;
  const ServiceState before = run.state;
  run.state = life.state;
  run.since = life.since;
  const bool slow = std::any_of(said_.begin(), said_.end(),
                                [&](const Entry& entry) { return entry.service == name && ends_the_slow(entry); });
  switch (life.state) {
    case ServiceState::ready:
      run.up_at = now_.steady;
      run.had_turn = true;
      if (life.plan->kind == ServiceKind::task) check_done(name, run);
      break;
    case ServiceState::stopping:
      run.stop_began = run.ask_from = now_.steady;
      run.grace = whole_grace(life.plan->stop);
      run.main_asked = false;
      run.asks = 0;
      run.drain.reset();
      run.extended_to = long_ago;
      run.extended_by = 0s;
      run.killing = false;
      if (before == ServiceState::starting) run.series_known = false;
      // That one goes by the policy's backoff, which the run before may have earned anew.
      if ((budget_spent_for(name) || slow) && now_.steady - run.spawned_at >= life.plan->backoff.forgive)
        run.failures = 0;
      check_stop_begins(world, name, life);
      check_survives(world, name, life);
      break;
    case ServiceState::stopped:
    case ServiceState::failed:
    case ServiceState::starting:
    case ServiceState::backoff:
      run.had_turn = run.had_turn || life.state == ServiceState::backoff || life.state == ServiceState::failed;
      if (before == ServiceState::stopping || before == ServiceState::stuck) check_after_end(world, name, run);
      // Gone already when it had failed: an engine that an operator has started since stays.
      if (before != ServiceState::failed && (life.state == ServiceState::stopped || life.state == ServiceState::failed))
        check_released(world, name);
      if (life.state == ServiceState::backoff)
        enter_backoff(world, name, run, before == ServiceState::stopping || before == ServiceState::stuck);
      break;
    case ServiceState::stuck: {
      const auto& living = kernel_.living();
      const bool any = std::any_of(living.begin(), living.end(),
                                   [&](const SimProcess* one) { return one->service == name && !exempt(*one); }) ||
                       just_died(name);
      // After a long pause the deaths in it may be read later than the timer.
      if (!any && now_.steady > woke_ + 5ms)
        breaks("law 4, stuck means something lives", name + " is stuck, and nothing of it lives");
      if (now_.steady - run.stop_began < 10s)
        breaks("law 4, stuck after ten seconds", name + " is called stuck too soon");
      break;
    }
    case ServiceState::late: run.had_turn = true; break;
  }
}

void Laws::take_states(const World& world) {
  const auto gone = [&](const auto& item) { return !world.services.contains(item.first); };
  std::erase_if(runs_, gone);
  std::erase_if(acts_, gone);  // one that comes back is a new one
  // Ends of stops first: a service that starts looks at those that it requires.
  for (const auto& [name, life] : world.services) take_state(world, name, life);
}

}  // namespace plimsoll::sim

// Laws 5, 6 and 7: whose turn it is to heal, when a remedy begins, what it costs. The ledger is what the daemon answers
// for, so it is the ledger that is held against what was told and what is true.
#include <algorithm>
#include <csignal>

#include "tests/sim/laws.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

namespace {

bool gentle(Cause cause) {
  return cause == Cause::soft || cause == Cause::lost || cause == Cause::hung || cause == Cause::cycle;
}
bool of_ladder(Cause cause) {
  return cause == Cause::soft || cause == Cause::lost || cause == Cause::hung || cause == Cause::hard;
}
bool acts(const std::string& rung) {
  return rung != "log" && !rung.starts_with("wait");
}
std::string slot_of(const Intervention& one) {
  return one.service + "/" + one.rule + "/" + std::to_string(one.owner_pid.value_or(0));
}

}  // namespace

void Laws::check_ledger(const World& world) {
  for (auto it = world.ledger.rbegin(); it != world.ledger.rend() && it->id > last_opened_; ++it) {
    open_[it->id] = {0, 0, it->cause, it->service, false};
  }
  give_back(world);
  const InterventionId before = last_opened_;
  if (!world.ledger.empty()) last_opened_ = world.ledger.back().id;
  for (auto it = open_.begin(); it != open_.end();) {
    const Intervention* one = entry_of(world, it->first);
    if (one == nullptr) {
      it = open_.erase(it);
      continue;
    }
    if (it->first > before) check_opened(world, *one);
    // Rungs that were skipped asked nobody; their outcome stands there by the end of the step.
    while (it->second.rungs < one->rungs.size()) {
      const RungTried& rung = one->rungs[it->second.rungs++];
      if (one->would || !acts(rung.rung) || rung.outcome == Outcome::skipped || !of_ladder(one->cause)) continue;
      it->second.acted = true;
      check_rung(world, *one);
    }
    if (one->ended == never) {
      ++it;
      continue;
    }
    if (it->second.acted) note_ended(world, *one);
    it = open_.erase(it);
  }
  check_one_healer(world);
}

/// A hook that asked nobody was no act after all: its outcome says so.
void Laws::give_back(const World& world) {
  for (auto& [id, open] : open_) {
    const Intervention* one = entry_of(world, id);
    if (one == nullptr || !of_ladder(one->cause)) continue;
    for (; open.given_back < open.rungs && one->rungs[open.given_back].outcome; ++open.given_back) {
      const RungTried& rung = one->rungs[open.given_back];
      auto& acts = acts_[one->service];
      const auto found = std::find(acts.begin(), acts.end(), rung.began);
      const bool asked = rung.rung == "reconnect" || rung.rung.starts_with("hook");
      if (rung.outcome == Outcome::skipped && asked && found != acts.end() && !one->would) acts.erase(found);
    }
  }
}

/// Law 7: one budget, whatever triggered the ladder.
void Laws::check_rung(const World& world, const Intervention& one) {
  const Service* service = plan_of(world, one.service);
  if (service == nullptr) return;
  if (one.rungs.back().rung == "restart" || one.rule.empty()) runs_[one.service].by_rung = true;
  auto& acts = acts_[one.service];
  while (!acts.empty() && acts.front() <= now_.steady - service->budget.per) acts.pop_front();
  if (static_cast<int>(acts.size()) >= service->budget.acts)
    breaks("law 7, one budget",
           std::to_string(acts.size() + 1) + " acts within " + to_text(service->budget.per) + " for " + one.service);
  acts.push_back(now_.steady);
}

void Laws::note_ended(const World& world, const Intervention& one) {
  const Service* service = plan_of(world, one.service);
  if (service == nullptr || !one.end || *one.end == LadderEnd::preempted || *one.end == LadderEnd::no_budget ||
      one.would)
    return;
  if (!of_ladder(one.cause)) return;
  const bool beside =
      std::any_of(said_.begin(), said_.end(), [](const Entry& entry) { return entry.kind == EventKind::engine_gone; });
  if (one.cause == Cause::hard && beside && one.rungs.size() == 1) return;
  cool_[slot_of(one)] = now_.steady + service->cool_down;
}

void Laws::check_opened(const World& world, const Intervention& one) {
  const Service* service = plan_of(world, one.service);
  if (service == nullptr) return;
  if (one.cause == Cause::cycle) {
    auto& acts = acts_[one.service];
    const auto spent =
        std::count_if(acts.begin(), acts.end(), [&](Steady at) { return at > now_.steady - service->budget.per; });
    if (static_cast<int>(spent) >= service->budget.acts && settled(10min) && one.rule.empty())
      breaks("law 7, cycles wait for the budget", "a cycle of " + one.service + " begins though the budget is spent");
    if (withheld(world, false) && one.rule.empty())
      breaks("law 1, observe and hold", "a cycle of " + one.service + " begins while acts are withheld");
  }
  if (one.cause == Cause::lost) check_lost(world, one);
  if (one.cause == Cause::soft) check_soft(world, one);
  if (one.cause == Cause::hung) check_hung(world, one);
  if (one.cause == Cause::hard && one.rule.empty()) check_container(world, one);
}

/// Over a hard line of the service, or with less free than that leaves, as it was told last.
bool Laws::container_is_full(const Service& service) const {
  const std::uint64_t limit = container_told_.limit.count;
  const std::uint64_t used = container_told_.used.count;
  if (!service.container || limit == 0) return false;
  return static_cast<double>(used) >= static_cast<double>(limit) * service.container->hard.of_one ||
         used + service.container->free.count >= limit;
}

/// A container that is nearly full is acted on by a service that asked for it, and only while that holds most of what
/// is used: by the last readings that were told, which may be older than the truth.
void Laws::check_container(const World& world, const Intervention& one) {
  if (!one.why.starts_with("the container of ")) return;
  const Service& service = *plan_of(world, one.service);
  if (!service.container || container_told_.limit.count == 0)
    return breaks("the container", one.service + " acts for a container that it has no lines for");
  if (!container_is_full(service))
    breaks("the container", one.service + " acts though the container is not nearly full");
  std::uint64_t own = 0;
  for (const auto& [id, process] : kernel_.all()) {
    if (process.service == one.service && process.run == runs_[one.service].number) own += seen_[id].rss.count;
  }
  if (own * 2 <= container_told_.used.count)
    breaks("the container", one.service + " acts for memory that is mostly not its own");
}

/// Law 5: the app has `heal` before we act, and what it healed is healed.
void Laws::check_lost(const World& world, const Intervention& one) {
  const SimProcess* lost = nullptr;
  for (const auto& [id, process] : kernel_.all()) {
    if (id.pid == one.pid && process.died && process.service == one.service) lost = &process;
  }
  if (lost == nullptr)
    return breaks("law 5, lost means dead",
                  "engine " + std::to_string(one.pid.value_or(0)) + " is called lost and lives");
  const Service& service = *plan_of(world, one.service);
  const std::string who = "a ladder for lost engine " + pid(lost->id);
  if (now_.steady < *lost->died + service.heal && settled(20s))
    breaks("law 5, the app heals first", who + " begins before its app had " + to_text(service.heal));
  const SimProcess* owner = kernel_.forked_through_wrappers(*lost);
  const EngineRule* rule = rule_of(world, *lost);
  if (owner == nullptr || rule == nullptr || !settled(1min) || rule->owner == OwnerKind::service) return;
  if (!known_line(*lost)) return;
  int dead = 0;
  int settled_ones = 0;
  for (const auto& [id, process] : kernel_.all()) {
    if (process.rule != lost->rule || kernel_.forked_through_wrappers(process) != owner) continue;
    const Seen& seen = seen_[id];
    if (!known_line(process)) return;  // it may have been given to another
    if (process.died) ++dead;
    if (!process.died && seen.listed && seen.told >= seen_[lost->id].end_told && now_.steady >= seen.told)
      ++settled_ones;
  }
  if (dead == 1 && settled_ones >= 1) breaks("law 5, one healer", who + " begins though its app has replaced it");
  // Whom another was seen to use is the service's.
  if (seen_[lost->id].used) return;
  if (seen_[owner->id].end_told != never && *owner->died - owner->born > rule->settle + 20ms)
    breaks("law 5, lost has an owner", who + " begins though its worker is gone");
}

void Laws::check_soft(const World& world, const Intervention& one) {
  const Service& service = *plan_of(world, one.service);
  const auto cooled = cool_.find(slot_of(one));
  if (cooled != cool_.end() && now_.steady < cooled->second && settled(2min))
    breaks("law 7, cool-down", "a soft ladder for " + slot_of(one) + " begins before it has cooled down");
  if (one.rule.empty()) return;
  for (const SimProcess* process : kernel_.living()) {
    if (process->id.pid != one.pid || process->service != one.service) continue;
    const EngineRule* rule = rule_of(world, *process);
    const Seen& seen = seen_[process->id];
    if (rule == nullptr || !settled(1min)) return;
    if (!seen.soft_since || now_.steady - *seen.soft_since < rule->memory.for_)
      breaks("law 6, `for`", "a soft ladder for engine " + pid(process->id) + " of " + service.name +
                                 " begins before it was over its line for " + to_text(rule->memory.for_));
  }
}

/// Law 7: one soft ladder or cycle at a time in a service, and one ladder in a slot.
void Laws::check_one_healer(const World& world) {
  std::map<std::string, int> gentle_ones;
  std::map<std::string, int> in_slot;
  for (const auto& [id, open] : open_) {
    const Intervention* one = entry_of(world, id);
    if (one == nullptr || one->would || !world.services.contains(one->service)) continue;
    if (gentle(one->cause) && ++gentle_ones[one->service] > 1)
      return breaks("law 7, one at a time", "two soft ladders or cycles in " + one->service);
    if ((one->cause == Cause::soft || one->cause == Cause::lost) && ++in_slot[slot_of(*one)] > 1)
      return breaks("law 7, one ladder a slot", "two ladders in " + slot_of(*one));
  }
}

/// An engine of the present run that nobody can take for something else.
bool Laws::plainly_an_engine(const World& world, const SimProcess& process) {
  const SimProcess* forker = kernel_.find(process.forker);
  return known_line(process) && forker != nullptr && !forker->wrapper && !below_engine(world, process) &&
         process.run == runs_[process.service].number;
}

/// Law 6: who is over a hard line is read; whatever rest he had before he grew. By the truth, which the core is not
/// told.
void Laws::check_watched(const World& world) {
  constexpr Bytes hidden_by_statm{120u << 20};
  for (const SimProcess* process : kernel_.living()) {
    const EngineRule* rule = process->rule.empty() ? nullptr : rule_of(world, *process);
    if (rule == nullptr || !rule->memory.hard || !settled(20s) || !placed(*process)) continue;
    if (process->rss < *rule->memory.hard + hidden_by_statm || !plainly_an_engine(world, *process)) continue;
    const Seen& seen = seen_[process->id];
    const Run& run = runs_[process->service];
    const Steady since = std::max({process->rss_since, seen.told, run.since, woke_});
    if (seen.read_at < since && now_.steady - since > 3s && last_step_ - since > 3s)
      breaks("law 6, memory is watched", "engine " + pid(process->id) + " grew over its hard line, and is not read");
  }
}

/// Law 6: who stays over a hard line is acted on, or it is said why not.
void Laws::check_hard(const World& world) {
  for (const SimProcess* process : kernel_.living()) {
    const EngineRule* rule = process->rule.empty() ? nullptr : rule_of(world, *process);
    if (rule == nullptr || !rule->memory.hard || !up(process->service) || !settled(20s) || !placed(*process)) continue;
    const Seen& seen = seen_[process->id];
    if (!seen.hard_since || !plainly_an_engine(world, *process)) continue;
    // Nothing is done for a start that takes its time: it counts from `late` on.
    const Run& run = runs_[process->service];
    const Steady since = std::max({*seen.hard_since, run.up_at, run.since, seen.told, woke_});
    if (now_.steady - since > 3s && last_step_ - since > 3s && seen.limit_said < since &&
        seen.limit_said < *seen.hard_since)
      breaks("law 6, hard is said", "engine " + pid(process->id) + " is over its hard line, and it is not said");
    if (withheld(world, true) || now_.steady - withheld_at_ < 25s || seen.asked || seen.killed ||
        seen.orphan_said != never)
      continue;
    // Law 2: with the budget spent only a restart is left, and none comes while something has outlived its SIGKILL.
    const auto& living = kernel_.living();
    const bool outlived = std::any_of(living.begin(), living.end(), [&](const SimProcess* one) {
      return one->service == process->service && seen_[one->id].killed && now_.steady - *seen_[one->id].killed >= 10s;
    });
    if (outlived) {
      runs_[process->service].outlived_at = now_.steady;
      continue;
    }
    const Duration cool_down = plan_of(world, process->service)->cool_down;
    const bool ladder = std::any_of(world.ledger.rbegin(), world.ledger.rend(), [&](const Intervention& one) {
      const bool lately = one.ended == never || one.ended + cool_down + 3s > now_.steady;
      return one.service == process->service && lately && (one.cause == Cause::hard || one.cause == Cause::orphan);
    });
    // With its end the line is acted on: by the next reading.
    const Steady possible = std::max(since, run.outlived_at);
    if (!ladder && seen.acted_on < possible && now_.steady - possible > 4s && last_step_ - possible > 4s)
      breaks("law 6, hard is acted on",
             "engine " + pid(process->id) + " stays over its hard line, and nothing is done");
  }
}

/// docs/verdicts.md 7 and 8, by what was told of an engine's end.
void Laws::check_verdict(const World& world, const Entry& entry) {
  for (const auto& [id, seen] : seen_) {
    if (id.pid != entry.pid || seen.end_told == never) continue;
    const SimProcess* process = kernel_.find(id);
    const EngineRule* rule = rule_of(world, *process);
    if (rule == nullptr || !settled(20s) || !known_line(*process) || now_.steady - seen.end_told > 3s) continue;
    const std::string who = "engine " + pid(id);
    const bool in_time = seen.reap_told != never && seen.reap_told - seen.end_told <= 1s;
    const auto& exit = seen.exit_told;
    const bool away = !exit ||
                      (exit->kind == ExitKind::signaled && (exit->signal == SIGINT || exit->signal == SIGTERM)) ||
                      (exit->kind == ExitKind::exited && (exit->code == 0 || exit->code == 130 || exit->code == 143));
    if (entry.kind == EventKind::engine_lost && in_time && away)
      breaks("law 5, disconnected is not lost", who + " was put away by its app, and is called lost");
    if (entry.kind == EventKind::engine_disconnected && !(in_time && away))
      breaks("law 5, lost is not disconnected", who + " is called disconnected, and its end says otherwise");
    if (entry.kind == EventKind::engine_lost && (seen.asked || seen.killed))
      breaks("law 5, our own doing is expected", who + " was ended by us, and is called lost");
    const SimProcess* owner = kernel_.forked_through_wrappers(*process);
    if (entry.kind == EventKind::engine_lost && owner != nullptr && seen_[owner->id].end_told != never &&
        rule->owner == OwnerKind::worker && process->forker == owner->id && !seen.used &&
        *owner->died - owner->born > rule->settle + 20ms)
      breaks("law 5, lost has an owner", who + " is called lost, and its worker is gone");
  }
}

/// Law 1: what is withheld is said with `would`.
void Laws::check_withheld(const World& world, const Entry& entry) {
  const bool tries = entry.kind == EventKind::rung && !entry.would && !entry.outcome && !entry.rung.empty();
  if (!tries || !acts(entry.rung) || !withheld(world, false)) return;
  if (entry.why.starts_with("SIGKILL")) return;
  const bool by_operator = command_ != nullptr || rounds_.contains(entry.service);
  const bool for_hard =
      !withheld(world, true) && std::any_of(world.ledger.rbegin(), world.ledger.rend(), [&](const Intervention& one) {
        return one.service == entry.service && one.cause == Cause::hard;
      });
  const bool orphan_over = !withheld(world, true) && entry.why.find("orphan") != std::string::npos;
  if (!by_operator && !for_hard && !orphan_over)
    breaks("law 1, observe and hold", "it " + entry.why + " while acts are withheld");
}

}  // namespace plimsoll::sim

#include "daemon/core/launching.hpp"

#include <csignal>

#include "daemon/core/cycle_clock.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/order.hpp"
#include "daemon/core/policy.hpp"
#include "daemon/core/readiness.hpp"
#include "daemon/core/refusal.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

void look_for_leftovers(Turn& turn, const std::string& service, ServiceLife& life) {
  if (life.looking_for_leftovers || turn.now.steady < life.leftovers_deadline) return;
  life.looking_for_leftovers = true;
  turn.emit(LookForLeftovers{service});
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

}  // namespace

void try_to_spawn(Turn& turn, const std::string& service, ServiceLife& life) {
  if (life.spawning) return;
  if (std::string waits = start_waits_for(turn.world, life); !waits.empty()) {
    life.note = std::move(waits);
    return;
  }
  if (!life.leftovers_clear && !life.force) {
    if (life.leftovers_deadline == never) life.leftovers_deadline = turn.now.steady;
    return look_for_leftovers(turn, service, life);
  }
  // An operator's word about them holds for as long as nobody looks for new ones.
  if (std::exchange(life.force, false)) {
    life.leftovers_clear = true;
    life.leftovers.clear();
  }
  ++life.run;
  life.spawning = true;
  life.note.clear();
  turn.emit(Spawn{service, life.run});
}

Steady launching_deadline(const World& world, const ServiceLife& life) {
  const bool looks =
      !life.spawning && !life.looking_for_leftovers && !life.leftovers_clear && start_waits_for(world, life).empty();
  return looks ? life.leftovers_deadline : never;
}

void take_spawn(Turn& turn, const SpawnSucceeded& spawned) {
  const auto found = turn.world.services.find(spawned.service);
  if (found == turn.world.services.end()) return;
  ServiceLife& life = found->second;
  life.spawning = false;
  life.main = spawned.main;
  life.launched = life.plan;
  life.spawned_at = life.ready_at = turn.now.steady;
  life.expected_end = false;
  life.engine_missing_since.reset();
  life.tree = {};
  stop_cycle_clocks(life);
  Process main;
  main.id = spawned.main;
  main.service = spawned.service;
  main.run = spawned.run;
  main.session = spawned.main.pid;
  main.provenance = Provenance::spawned;
  main.first_seen = main.born = turn.now.steady;
  turn.world.processes.insert(std::move(main));
  end_refusal(turn, spawned.service, life.refusal);
  begin_readiness(turn, spawned.service, life);
}

void take_spawn_failure(Turn& turn, const SpawnFailed& failed) {
  const auto found = turn.world.services.find(failed.service);
  if (found == turn.world.services.end()) return;
  ServiceLife& life = found->second;
  life.spawning = false;
  life.last_exit = Exit{ExitKind::spawn_failed, failed.error, 0, turn.now.wall};
  const Afterwards afterwards = !life.wanted                    ? Afterwards::stay_stopped
                                : for_want_of_something(failed) ? Afterwards::back_off
                                                                : by_policy(turn, life, *life.last_exit);
  const std::string why = failed.step + ": " + failed.message;
  if (count_refusal(turn, life.refusal.edit(), why) || afterwards != Afterwards::back_off) {
    Entry said =
        entry(EventKind::service_state, failed.service, "cannot start: " + why + "; " + followed_by(afterwards));
    said.level = Level::error;
    said.exit = life.last_exit;
    record(turn, said);
  }
  life.cause = StopCause::main_ended;
  after_the_end(turn, failed.service, afterwards);
}

void take_leftovers(Turn& turn, const LeftoversLookedFor& looked) {
  const auto found = turn.world.services.find(looked.service);
  if (found == turn.world.services.end() || !found->second.looking_for_leftovers) return;
  ServiceLife& life = found->second;
  const bool first = life.leftovers.empty();
  life.looking_for_leftovers = false;
  if (!looked.readable) {
    life.note = "whether an earlier daemon left something behind cannot be read";
    life.leftovers_deadline = turn.now.steady + 500ms;
    turn.changed = true;
    return;
  }
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
    life.deadline = turn.now.steady + whole_grace(life.plan->stop);
    if (ending) signal_leftovers(turn, looked.service, life, life.plan->stop.signal);
  } else if (ending && turn.now.steady >= life.deadline) {
    signal_leftovers(turn, looked.service, life, SIGKILL);
  }
}

}  // namespace plimsoll::core

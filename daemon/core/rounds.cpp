#include "daemon/core/rounds.hpp"

#include <algorithm>

#include "daemon/core/cycle_clock.hpp"
#include "daemon/core/engines.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/lifecycle.hpp"
#include "daemon/core/lineage.hpp"

namespace plimsoll::core {
namespace {

const char* act_text(CycleAct act) {
  return act == CycleAct::reconnect ? "reconnect" : "restart";
}

/// The engines a round replaces: of every rule that has a `reconnect`, or of only_if's, each slot judged by itself.
std::vector<ProcessId> engines_due(const World& world, const std::string& service, const Cycle& cycle) {
  std::vector<ProcessId> due;
  for_each_of(world, service, [&](const Process& process) {
    if (!process.alive() || !process.engine || !process.engine->listed) return;
    if (process.engine->state != EngineState::live) return;
    const EngineRule* rule = rule_of(world, service, process.engine->rule);
    if (rule == nullptr || (cycle.act == CycleAct::reconnect && !rule->reconnect)) return;
    if (cycle.only_if && (rule->name != cycle.only_if->engine || process.memory.rss <= cycle.only_if->over)) return;
    due.push_back(process.id);
  });
  return due;
}

/// One slot after the other: the engines of one worker stand together.
std::vector<ProcessId> by_slot(const World& world, std::vector<ProcessId> engines) {
  std::stable_sort(engines.begin(), engines.end(), [&](ProcessId a, ProcessId b) {
    return slot_of(world, *find_process(world, a)) < slot_of(world, *find_process(world, b));
  });
  return engines;
}

void end_round(Turn& turn, const std::string& service, ServiceLife& life, bool worked, const std::string& why) {
  const Round round = std::move(*life.round);
  life.round.reset();
  turn.changed = true;
  if (round.command != 0) {
    const std::string engines = std::to_string(round.done) + (round.done == 1 ? " engine" : " engines");
    turn.emit(
        Answer{round.command, worked ? 200 : 500,
               worked ? "reconnected: " + engines + " replaced" : "reconnect failed after " + engines + ": " + why});
    return;
  }
  if (!round.cycle || *round.cycle >= life.plan->cycles.size() || *round.cycle >= life.cycles.size()) return;
  CycleClock& clock = life.cycles[*round.cycle];
  const Cycle& cycle = life.plan->cycles[*round.cycle];
  ++(worked ? clock.done : clock.failed);
  clock.last = worked ? "done: " + why : "failed: " + why;
  Entry said = cycle_entry(service, cycle, schedule_text(cycle) + ": " + clock.last);
  said.outcome = worked ? Outcome::worked : Outcome::failed;
  said.level = worked ? Level::info : Level::warning;
  record(turn, said);
}

void settle_restart_round(Turn& turn, const std::string& service, ServiceLife& life) {
  const Round& round = *life.round;
  const bool done = life.run > round.run && is_up(life);
  if (!done && life.wanted && turn.now.steady < round.deadline) return;
  if (Intervention* ledger = find_intervention(turn.world, round.intervention)) {
    ledger->rungs.back().outcome = done ? Outcome::worked : Outcome::timed_out;
    ledger->rungs.back().took = std::chrono::duration_cast<Duration>(turn.now.steady - ledger->began);
    close_intervention(turn, round.intervention, done ? LadderEnd::worked : LadderEnd::exhausted);
  }
  const std::string why = life.wanted ? "the next run is not ready" : "the service was stopped meanwhile";
  end_round(turn, service, life, done, done ? "run " + std::to_string(life.run) + " is ready" : why);
}

void end_turn(Turn& turn, Round& round) {
  if (round.intervention != 0)
    close_intervention(turn, round.intervention,
                       round.turn == Outcome::worked ? LadderEnd::worked : LadderEnd::exhausted);
  round.intervention = 0;
  round.at.reset();
  round.turn.reset();
}

enum class Owed { nothing, wait, missing };

/// A turn is its whole slot's: an engine that went away in it together with the one that was asked for is replaced too
/// before the next slot's turn.
Owed successor_owed(Turn& turn, ServiceLife& life, const Process* engine) {
  Round& round = *life.round;
  const EngineRule* rule =
      engine != nullptr && engine->engine ? rule_of(turn.world, engine->service, engine->engine->rule) : nullptr;
  if (rule == nullptr || engine->alive() || engine->death->at < round.began || !rule->expect.successor)
    return Owed::nothing;
  const Process* owner = find_process(turn.world, owner_of(turn.world, *engine).worker);
  if (owner != nullptr && !owner->alive()) return Owed::nothing;
  if (Process* successor = successor_of(turn.world, *engine, round.began)) {
    take_successor(*successor, *find_process(turn.world, engine->id));
    ++round.done;
    return Owed::nothing;
  }
  round.deadline = engine->death->at + life.plan->heal;
  return turn.now.steady < round.deadline ? Owed::wait : Owed::missing;
}

void next_turn(Turn& turn, const std::string& service, ServiceLife& life) {
  Round& round = *life.round;
  while (!round.left.empty()) {
    const ProcessId id = round.left.front();
    Process* engine = find_process(turn.world, id);
    const bool due =
        engine != nullptr && engine->alive() && engine->engine && engine->engine->state == EngineState::live;
    const Owed owed = due ? Owed::nothing : successor_owed(turn, life, engine);
    if (owed == Owed::wait) return;
    if (owed == Owed::missing)
      return end_round(turn, service, life, false, "no successor of engine " + std::to_string(id.pid) + " has come");
    if (due) {
      const SlotKey key = slot_of(turn.world, *engine);
      // A ladder of its own is at work there: the turn comes after it.
      const auto slot = turn.world.slots.find(key);
      if (slot != turn.world.slots.end() && slot->second.ladder) return;
      if (round.cycle) {
        Intervention& ledger = open_intervention(turn, service, Cause::cycle, round.schedule);
        ledger.rule = key.rule;
        ledger.pid = id.pid;
        if (key.owner != nobody) ledger.owner_pid = key.owner.pid;
        round.intervention = ledger.id;
      }
      round.at = key;
      round.left.erase(round.left.begin());
      if (begin_turn(turn, *engine, round.cycle ? std::optional{Cause::cycle} : std::nullopt, round.intervention))
        return;
      round.turn = Outcome::failed;
      round.turn_why = "its rule has no `reconnect`";
      return;
    }
    round.left.erase(round.left.begin());
  }
  end_round(turn, service, life, true,
            std::to_string(round.done) + (round.done == 1 ? " engine" : " engines") + " replaced");
}

}  // namespace

Entry cycle_entry(const std::string& service, const Cycle& cycle, std::string why) {
  Entry said = entry(EventKind::cycle, service, std::move(why));
  said.rung = act_text(cycle.act);
  return said;
}

void begin_round(Turn& turn, const std::string& service, ServiceLife& life, std::size_t index) {
  const Cycle& cycle = life.plan->cycles[index];
  CycleClock& clock = life.cycles[index];
  clock.due = false;
  const std::vector<ProcessId> due = engines_due(turn.world, service, cycle);
  if (const Process* stuck = outlived_sigkill(turn.world, service, turn.now.steady);
      stuck != nullptr && cycle.act == CycleAct::restart) {
    ++clock.failed;
    clock.last = "failed: process " + std::to_string(stuck->id.pid) +
                 " has outlived its SIGKILL, a restart would stop the others for nothing";
    Entry skipped = cycle_entry(service, cycle, schedule_text(cycle) + ": " + clock.last);
    skipped.outcome = Outcome::skipped;
    skipped.level = Level::warning;
    return record(turn, skipped);
  }
  const bool nothing = due.empty() && (cycle.act == CycleAct::reconnect || cycle.only_if);
  if (nothing) {
    ++clock.done;
    clock.last =
        cycle.only_if ? "nothing to do: no engine over " + to_human(cycle.only_if->over) : "nothing to do: no engine";
    Entry said = cycle_entry(service, cycle, schedule_text(cycle) + ": " + clock.last);
    said.outcome = Outcome::skipped;
    record(turn, said);
    return;
  }
  Entry said = cycle_entry(
      service, cycle,
      schedule_text(cycle) + " is due: " + act_text(cycle.act) +
          (cycle.act == CycleAct::reconnect ? " of " + std::to_string(due.size()) + " engines, one after the other"
                                            : ""));
  said.would = withheld(turn.world, false);
  record(turn, said);
  if (said.would) return;
  turn.changed = true;
  Round round;
  round.cycle = index;
  round.schedule = schedule_text(cycle);
  round.run = life.run;
  round.began = turn.now.steady;
  if (cycle.act == CycleAct::restart) {
    round.restart = true;
    round.deadline = turn.now.steady + stop_time(*life.plan) + ready_time(*life.plan);
    Intervention& ledger = open_intervention(turn, service, Cause::cycle, schedule_text(cycle) + ": restart");
    ledger.rungs.push_back({"restart", std::nullopt, turn.now.wall, turn.now.steady, {}, {}});
    round.intervention = ledger.id;
    life.round = std::move(round);
    restart_run(turn, service, StopCause::cycle, Afterwards::start);
    return;
  }
  round.left = by_slot(turn.world, due);
  life.round = std::move(round);
}

void begin_operator_round(Turn& turn, const std::string& service, std::vector<ProcessId> engines, CommandId command) {
  ServiceLife& life = turn.world.services.at(service);
  Round round;
  round.command = command;
  round.left = by_slot(turn.world, std::move(engines));
  round.run = life.run;
  round.began = turn.now.steady;
  life.round = std::move(round);
  turn.changed = true;
}

void settle_round(Turn& turn, const std::string& service, ServiceLife& life) {
  Round& round = *life.round;
  if (round.restart) return settle_restart_round(turn, service, life);
  if (!is_up(life) || life.run != round.run) {
    end_turn(turn, round);
    return end_round(turn, service, life, false, "the run ended meanwhile");
  }
  if (!round.at) return next_turn(turn, service, life);
  if (!round.turn) return;
  const Outcome outcome = *round.turn;
  const std::string why = round.turn_why;
  end_turn(turn, round);
  turn.changed = true;
  if (outcome == Outcome::worked) ++round.done;
  // Skipped: the slot ended with its owner, and there is nothing left to replace in it.
  if (outcome != Outcome::worked && outcome != Outcome::skipped) end_round(turn, service, life, false, why);
}

}  // namespace plimsoll::core

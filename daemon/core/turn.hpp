// One step at work: the world it changes, the instant it happens at, and the effects it has gathered so far. Every
// function of the core that decides something takes a Turn.
#pragma once

#include <string>
#include <utility>

#include "daemon/core/effect.hpp"
#include "daemon/core/world.hpp"

namespace plimsoll::core {

struct Turn {
  World& world;
  Now now;
  Effects effects{};
  bool changed = false;  ///< something moved on while settling: settle once more

  template <class E>
  void emit(E effect) {
    effects.emplace_back(std::move(effect));
  }
};

// Lookups that every part needs. A service that left the plan is found until it has stopped.
const Service* plan_of(const World& world, const std::string& service);
const EngineRule* rule_of(const World& world, const std::string& service, const std::string& rule);
Process* find_process(World& world, ProcessId id);
const Process* find_process(const World& world, ProcessId id);
const Process* find_pid(const World& world, int pid);  ///< a living one

/// Live processes recorded for the service.
std::vector<ProcessId> live_members(const World& world, const std::string& service);

/// It serves: ready, or late and left alone. A task that is done is ready, too.
bool is_up(const ServiceLife& life);
/// Its main process was launched, and nobody stops it.
bool has_run(const ServiceLife& life);

/// A member that has outlived its SIGKILL by 10 s; null: none. A restart would not get rid of it (law 2).
const Process* outlived_sigkill(const World& world, const std::string& service, Steady now);

/// Withheld now: observe mode, or a hold (which may let ladders of hard lines through).
bool withheld(const World& world, bool hard);

/// One entry into the events and the log.
void record(Turn& turn, Entry entry);
Entry entry(EventKind kind, const std::string& service, std::string why);
Entry entry(EventKind kind, const Process& process, std::string why);

/// Opens a ledger entry; find_intervention() gives it back while it is among those kept.
Intervention& open_intervention(Turn& turn, const std::string& service, Cause cause, std::string why);
Intervention* find_intervention(World& world, InterventionId id);
void close_intervention(Turn& turn, InterventionId id, LadderEnd end);

/// The stop signal, a SIGCONT behind it (a stopped process cannot act on a signal), and the instant its grace is over.
void ask_to_end(Turn& turn, Process& process, int signal, Steady kill_at);
/// All steps of the policy, SIGKILL behind the last (settle_graces).
void ask_to_end(Turn& turn, Process& process, const StopPolicy& stop);
void kill_now(Turn& turn, Process& process);

}  // namespace plimsoll::core

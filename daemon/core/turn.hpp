// One step at work: the world it changes, the instant it happens at, the effects it has gathered so far, and whom it
// may concern. Every function of the core that decides something takes a Turn.
//
// A step settles the services it touched and no others: those that its event is about (step.cpp), those whose time has
// come (World::agenda), and those that were touched on the way. What one service waits for in another is its state, so
// a change of state touches everyone on either side of a dependency; what concerns all (a stop of everything, a hold, a
// plan, a clock that was set) touches all. That nobody is left out is tested, not hoped: the tests settle everybody
// after each step of each history, and nothing may come of it (settle_everything in step.hpp).
#pragma once

#include <set>
#include <string>
#include <utility>

#include "daemon/core/effect.hpp"
#include "daemon/core/world.hpp"

namespace plimsoll::core {

struct Turn {
  World& world;
  Now now;
  Effects effects{};
  bool changed = false;             ///< something moved on while settling: settle once more
  std::set<std::string> touched{};  ///< services; only grows

  void touch(const std::string& service) { touched.insert(service); }
  void touch_all() {
    for (const auto& [name, life] : world.services) touched.insert(name);
  }
  /// The service, those whom it names in its `requires`, `after` and `engine_of`, and those who name it.
  void touch_around(const std::string& service);

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

/// Calls `act(Process&)` for each process of the service that lives, and each of its engines that has ended, by id.
/// `act` must not move, insert or erase any.
template <class WorldLike, class Act>
void for_each_of(WorldLike& world, const std::string& service, Act act) {
  for (const ProcessId& id : world.processes.of(service)) act(world.processes.find(id)->second);
}
/// The same with the other ended ones that are still recorded.
template <class WorldLike, class Act>
void for_each_recorded_of(WorldLike& world, const std::string& service, Act act) {
  for (const ProcessId& id : world.processes.recorded_of(service)) act(world.processes.find(id)->second);
}

/// Of those the first by id that is alive and fits; null: none.
template <class WorldLike, class Fits>
auto first_alive(WorldLike& world, const std::string& service, Fits fits)
    -> decltype(&world.processes.find(nobody)->second) {
  for (const ProcessId& id : world.processes.of(service)) {
    auto& process = world.processes.find(id)->second;
    if (process.alive() && fits(process)) return &process;
  }
  return nullptr;
}

/// For a range loop over a part of a map. (std::ranges::subrange of GCC 12 cannot be read by clang-tidy 14.)
template <class Iterator>
struct Part {
  Iterator first;
  Iterator last;
  [[nodiscard]] Iterator begin() const { return first; }
  [[nodiscard]] Iterator end() const { return last; }
};

/// The slots of the service, for a range loop that erases none.
template <class WorldLike>
auto slots_of(WorldLike& world, const std::string& service) {
  auto first = world.slots.lower_bound(SlotKey{service, {}, nobody});
  return Part<decltype(first)>{first, world.slots.lower_bound(SlotKey{service + '\0', {}, nobody})};
}

/// Reads its memory then, and not at what was planned before.
void read_at(World& world, Process& process, Steady at);

/// Live processes recorded for the service.
std::vector<ProcessId> live_members(const World& world, const std::string& service);

/// After a plan was taken: who depends on whom, and who has lines for the container.
void index_dependents(World& world);

/// Who names the service in `requires`, `after` or `engine_of`.
const std::vector<std::string>& dependents_of(const World& world, const std::string& service);

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

// Who is whose: recorded lineage, and what is read off it. docs/verdicts.md has the rules by their numbers; the
// functions here are rules 1 to 3 and the words wrapper, app process, launcher.
#pragma once

#include <optional>
#include <vector>

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// The service a live or dead process works for; where it stands below it. `worker` is `nobody` when the service itself
/// owns it.
struct Owner {
  ProcessId worker = nobody;
  [[nodiscard]] bool service() const { return worker == nobody; }
};

/// The main process; where that is a wrapper, the one non-wrapper reached from it through wrappers only (several or
/// none: the main process).
ProcessId app_process(const World& world, const std::string& service);

/// Rule 1: the nearest recorded ancestor that is neither wrapper nor launcher; the service when the rule or the
/// evidence says so, or when a launcher stands between.
Owner owner_of(const World& world, const Process& engine);

/// Rule 2: an ancestor, no wrapper, that ended young with status 0, or with a status nobody could read while the engine
/// stands in another session than the launcher's parent. One of which nobody knows what it ran must have ended so and
/// have left its engine in another session, too.
bool is_launcher(const World& world, const Process& ancestor, const Process& engine);

/// Whether `process` descends from a living or dead engine that is no launcher.
bool below_engine(const World& world, const Process& process);

/// Whether `process` is `ancestor` or was forked below it.
bool descends_from(const World& world, const Process& process, ProcessId ancestor);

SlotKey slot_of(const World& world, const Process& engine);

/// Live engines of a slot that count (older than settle).
std::vector<ProcessId> engines_in(const World& world, const SlotKey& key);

/// Rule 3 and the recording of plain children: what a census showed becomes processes with a parent and a service.
void take_in(Turn& turn, const Looked& looked);

/// Drops dead processes that nothing refers to any more.
void forget_the_dead(Turn& turn);

}  // namespace plimsoll::core

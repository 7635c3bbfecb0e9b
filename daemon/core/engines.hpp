// Engines: which processes are engines, and the verdicts about them. docs/verdicts.md, rules 4 to 10.
//
//   seen ──matched──▶ watched ──older than settle──▶ live (listed)
//   live ──owner gone──▶ orphan ──asked to end──▶ ending ──▶ gone
//   live ──ended, reaped in 1 s, by 0 130 143 INT TERM or unknown──▶ gone (disconnected)
//   live ──ended otherwise, or a zombie for 1 s──▶ lost ──successor──▶ gone      (after `heal`: the on_lost ladder)
//
// A process is watched for memory from its first sight; everything else waits until it is listed.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// Looks at a new or re-exec'ed process: does a rule match it, and may it be an engine at all.
void consider_as_engine(Turn& turn, Process& process);

/// It counts from now on, and its owner is no longer without one.
void list_engine(Turn& turn, Process& process);

void engine_ended(Turn& turn, Process& engine);

/// Lists what has settled, moves orphans and the dead on.
void settle_engines(Turn& turn);
Steady engines_deadline(const World& world, const std::string& service);

/// Rule 10: the live engine that stands for `ended`, if there is one. `since`: when the remedy began, if there was one.
Process* successor_of(World& world, const Process& ended, std::optional<Steady> since);
/// Marks both, and says how long the slot was without an engine.
Duration take_successor(Process& successor, Process& ended);

/// Whether something of the service may stay `ending` for its own reasons: no verdict falls on an engine whose run is
/// ending.
bool run_is_ending(const World& world, const std::string& service);

}  // namespace plimsoll::core

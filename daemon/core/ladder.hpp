// The remedy ladder: one rung is tried, verified, then the next. A ladder belongs to a slot (or, for the service's own
// line, to the service), so that there is one healer at a time; it begins with a cause, looks at that cause again
// before each rung, and ends in one of six ways (LadderEnd).
//
//   due ──hook──▶ hook ──done──▶ verifying ──as expected──▶ worked
//    │              └─failed, timed out, skipped──▶ due (next rung)
//    ├─end, kill, worker──▶ ending ──dead──▶ verifying ──deadline──▶ due (next rung)
//    ├─restart──▶ verifying (the next run ready)
//    ├─wait──▶ waiting ──▶ due          └─log──▶ due
//    └─no rung left──▶ exhausted
//
// An operator's reconnect and a cycle's turn are ladders of one rung.
#pragma once

#include "daemon/core/turn.hpp"

namespace plimsoll::core {

/// A line that was crossed: whose, by how much.
struct Crossing {
  std::string service;
  std::string rule;   ///< empty: the service's own line
  ProcessId subject;  ///< `nobody`: the tree's
  const MemoryPolicy* policy = nullptr;
  Bytes rss;
  bool of_container = false;  ///< what is used in all of the container, against its lines
};

void soft_crossed(Turn& turn, const Crossing& crossing);
void hard_crossed(Turn& turn, const Crossing& crossing);
void begin_lost_ladder(Turn& turn, Process& engine);
/// One engine's turn in a round; false if its slot already has a ladder or the rule has no `reconnect`.
bool begin_turn(Turn& turn, Process& engine, std::optional<Cause> cause, InterventionId intervention);

void take_hook_answer(Turn& turn, const HookAnswered& answer);

/// Whether a ladder at work has asked for this engine's end.
bool ladder_expects_end(const World& world, const Process& engine);

/// Whether a soft ladder, a lost one or a round is at work in the service: these queue.
bool busy(const World& world, const std::string& service);

/// What is being done about the service now: "end for engine 4711 (hard), at work for 3.2 s"; empty: nothing.
std::string at_work(const World& world, const std::string& service);

void settle_ladders(Turn& turn);
Steady ladders_deadline(const World& world, const std::string& service);

/// Ends every ladder of a service without a verdict: its run is over by somebody else's doing.
void preempt_ladders(Turn& turn, const std::string& service);
/// A reload took rules away: their ladders end, those for an engine that is dead already, too.
void preempt_without_rule(Turn& turn);
/// The service is out of the plan.
void forget_slots(World& world, const std::string& service);

}  // namespace plimsoll::core

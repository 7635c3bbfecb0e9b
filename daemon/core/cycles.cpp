#include "daemon/core/cycles.hpp"

#include <algorithm>

#include "daemon/core/budget.hpp"
#include "daemon/core/cycle_clock.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/rounds.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

void settle_clock(Turn& turn, const std::string& service, ServiceLife& life, std::size_t index) {
  const Cycle& cycle = life.plan->cycles[index];
  CycleClock& clock = life.cycles[index];
  // The clock was set back: what was planned by a wrong reading may be years away.
  if (clock.planned && turn.now.wall < clock.planned_at) plan_next(turn, service, cycle, clock);
  if (has_come(clock, turn.now)) {
    const bool running = life.round && life.round->cycle == index;
    if (running)
      record(turn, cycle_entry(service, cycle,
                               schedule_text(cycle) + " is due again while its last round still runs: swallowed"));
    clock.due = !running;
    if (clock.next_wall) note_fired(clock, cycle, *clock.planned);
    plan_next(turn, service, cycle, clock);
    turn.changed = true;
  }
  // A service that only waits for what requires it to stop first is not restarted before that.
  if (!clock.due || !life.wanted || !in_window(cycle, turn.now) || busy(turn.world, service) ||
      !budget_left(turn, service))
    return;
  begin_round(turn, service, life, index);
}

}  // namespace

void settle_cycles(Turn& turn) {
  for (const std::string& name : turn.touched) {
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end()) continue;
    ServiceLife& life = found->second;
    if (life.round) settle_round(turn, name, life);
    if (!is_up(life)) continue;
    for (std::size_t i = 0; i < life.cycles.size() && i < life.plan->cycles.size() && is_up(life); ++i)
      settle_clock(turn, name, life, i);
  }
}

Steady cycles_deadline(const World& world, const ServiceLife& life) {
  Steady first = never;
  if (life.round && (life.round->restart || !life.round->at) && life.round->deadline > world.now.steady)
    first = std::min(first, life.round->deadline);
  if (!is_up(life)) return first;
  for (const CycleClock& clock : life.cycles) {
    if (clock.next_steady) first = std::min(first, *clock.next_steady);
    // The wall clock may be set meanwhile: no further ahead than a minute is believed.
    if (clock.next_wall)
      first = std::min(first,
                       world.now.steady + std::clamp<Steady::duration>(*clock.next_wall - world.now.wall, 1ms, 1min));
    if (clock.due) first = std::min(first, world.now.steady + 1s);
  }
  return first;
}

}  // namespace plimsoll::core

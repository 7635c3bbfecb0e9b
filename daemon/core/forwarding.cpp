#include "daemon/core/forwarding.hpp"

#include <algorithm>

#include "daemon/core/lineage.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration one_request{100};
constexpr Duration hastened_grace{2'000};

void pass_on(Turn& turn, const StopRequested& request) {
  for (const auto& [name, life] : turn.world.services) {
    const Process* main = find_process(turn.world, life.main);
    if (main == nullptr || !main->alive() || !main->asked) continue;
    turn.emit(SendSignal{life.main, request.signal != 0 ? request.signal : life.plan->stop.signal});
  }
}

}  // namespace

void forward(Turn& turn, const SignalToForward& signal) {
  for (const auto& [name, life] : turn.world.services) {
    const Process* main = find_process(turn.world, life.main);
    if (main != nullptr && main->alive() && signal.to_main) turn.emit(SendSignal{life.main, signal.signal});
    for (const ProcessId& id : signal.others) {
      const Process* process = find_process(turn.world, id);
      if (process == nullptr || !process->alive() || process->service != name || id == life.main) continue;
      turn.emit(SendSignal{id, signal.signal});
    }
  }
}

void hasten_stop(Turn& turn, const StopRequested& request) {
  World& world = turn.world;
  if (world.stop_requests > 0 && turn.now.steady - world.stop_requested < one_request) return;
  world.stop_requested = turn.now.steady;
  if (++world.stop_requests == 1) return;  // what stops for another reason is asked for once now
  const bool at_once = world.stop_requests > 2;
  world.stop_deadline = std::min(world.stop_deadline, turn.now.steady + (at_once ? Duration{0} : hastened_grace));
  Entry said = entry(EventKind::daemon, std::string{},
                     "asked to stop again: " + request.why +
                         (at_once ? "; no grace is left" : "; passed on, at most 2 s are left of the grace"));
  said.level = Level::warning;
  record(turn, said);
  if (!at_once) pass_on(turn, request);
  turn.touch_all();
  turn.changed = true;
}

}  // namespace plimsoll::core

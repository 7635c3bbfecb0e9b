#include "daemon/core/notices.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/engines.hpp"
#include "daemon/core/liveness.hpp"
#include "daemon/core/readiness.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

void say(Turn& turn, const Notified& said, const std::string& what) {
  Entry told = entry(EventKind::service_state, said.service, what);
  told.pid = said.sender;
  record(turn, told);
}

/// A run's main process is the one whose end is the run's end. It may hand that on to another of its processes, as a
/// server does that replaces itself; not to an engine, and not to somebody else's.
void take_main(Turn& turn, const Notified& said, ServiceLife& life) {
  const Process* named = find_process(turn.world, *said.main);
  if (*said.main == life.main) return;
  const bool ours = named != nullptr && named->alive() && named->service == said.service && named->run == life.run;
  if (!ours || named->engine || !has_run(life)) {
    Entry refused = entry(EventKind::service_state, said.service,
                          "process " + std::to_string(said.sender) + " says that the main process is " +
                              std::to_string(said.main->pid) + ", which is " +
                              (ours ? "an engine or at its end" : "no process of this run") + "; it is not believed");
    refused.level = Level::warning;
    return record(turn, refused);
  }
  const ProcessId before = std::exchange(life.main, *said.main);
  turn.changed = true;
  say(turn, said,
      "its main process is " + std::to_string(life.main.pid) + " now, no more " + std::to_string(before.pid));
  // The main process is no engine, whatever it runs; now it may be one. What we have spawned ourselves never is.
  Process* until_now = find_process(turn.world, before);
  if (until_now != nullptr && until_now->alive() && until_now->provenance != Provenance::spawned)
    consider_as_engine(turn, *until_now);
}

/// For as long as a start, or a stop, may take.
void rest(Turn& turn, ServiceLife& life, Duration time) {
  life.notices.edit().rests_until = turn.now.steady + time;
  rest_liveness(turn, life);
  turn.changed = true;
}

/// The state's own deadline, and never a moment later than the daemon's when everything stops.
void extend(Turn& turn, ServiceLife& life, Duration time) {
  const bool starts = life.state == ServiceState::starting && life.main != nobody && life.launched->ready;
  const bool stops = life.state == ServiceState::stopping && !life.killing && life.draining == 0;
  if (starts || stops) life.deadline = std::max(life.deadline, turn.now.steady + time);
}

}  // namespace

void take_notice(Turn& turn, const Notified& said) {
  const auto found = turn.world.services.find(said.service);
  if (found == turn.world.services.end() || found->second.run != said.run || found->second.main == nobody) return;
  ServiceLife& life = found->second;
  if (said.status) life.notices.edit().status = *said.status;
  if (said.main) take_main(turn, said, life);
  if (said.alive_by) life.notices.edit().alive_by = said.alive_by;
  if (said.extend) extend(turn, life, *said.extend);
  if (said.reloading && life.state == ServiceState::ready) {
    say(turn, said, "it reloads");
    rest(turn, life, ready_time(*life.plan));
  }
  if (said.stopping && has_run(life)) {
    say(turn, said, "it says that it stops");
    rest(turn, life, stop_time(*life.plan));
  }
  if (said.ready) take_ready_notice(turn, said, life);
  if (said.alive || said.hung) take_keep_alive(turn, said.service, life, said.hung);
}

}  // namespace plimsoll::core

#include "daemon/core/policy.hpp"

#include <algorithm>
#include <cerrno>

#include "daemon/core/jitter.hpp"

namespace plimsoll::core {

bool was_success(const Service& plan, const Exit& exit) {
  if (exit.kind == ExitKind::spawn_failed || exit.kind == ExitKind::unknown) return false;
  return std::find(plan.success->begin(), plan.success->end(), exit_code_of(exit)) != plan.success->end();
}

bool gives_up(Turn& turn, ServiceLife& life) {
  if (!life.plan->give_up) return false;
  life.restarts_at.push_back(turn.now.steady);
  const Steady from = turn.now.steady - life.plan->give_up->within;
  while (!life.restarts_at.empty() && life.restarts_at.front() < from) life.restarts_at.erase(life.restarts_at.begin());
  return static_cast<int>(life.restarts_at.size()) > life.plan->give_up->after;
}

void forgive(const Turn& turn, ServiceLife& life) {
  if (turn.now.steady - life.spawned_at >= life.plan->backoff.forgive) life.failures = 0;
}

Afterwards by_policy(Turn& turn, ServiceLife& life, const Exit& exit) {
  const bool success = was_success(*life.plan, exit);
  if (success && life.plan->kind == ServiceKind::task) return Afterwards::done;
  const bool again =
      life.plan->restart == RestartPolicy::always || (life.plan->restart == RestartPolicy::on_failure && !success);
  if (!again) return success ? Afterwards::stay_stopped : Afterwards::fail;
  return gives_up(turn, life) ? Afterwards::fail : Afterwards::back_off;
}

Duration next_backoff(const World& world, const std::string& service, ServiceLife& life) {
  const Backoff& backoff = life.plan->backoff;
  const int step = std::min(life.failures++, 60);
  const auto longest = static_cast<double>(backoff.max.count());
  double wait = std::min(static_cast<double>(backoff.first.count()), longest);
  for (int i = 0; i < step && wait < longest; ++i) wait = std::min(wait * backoff.factor, longest);
  const double share =
      backoff.jitter.of_one * (2 * fraction(world.machine.seed, service, static_cast<std::uint64_t>(life.run)) - 1);
  return Duration{static_cast<Duration::rep>(wait * (1 + share))};
}

std::string followed_by(Afterwards afterwards) {
  switch (afterwards) {
    case Afterwards::stay_stopped: return "its restart policy lets it rest";
    case Afterwards::start: return "the next run follows";
    case Afterwards::back_off: return "it starts again after its backoff";
    case Afterwards::fail: return "its restart policy does not start it again";
    case Afterwards::forget: return "it left the plan";
    case Afterwards::done: return "its task is done";
  }
  return {};
}

int exit_code_of(const std::optional<Exit>& exit) {
  if (!exit) return 0;
  switch (exit->kind) {
    case ExitKind::exited: return exit->code;
    case ExitKind::signaled:
    case ExitKind::oom_killed: return 128 + exit->signal;
    case ExitKind::spawn_failed: return exit->code == ENOENT ? 127 : 126;
    case ExitKind::unknown: return 1;
  }
  return 1;
}

}  // namespace plimsoll::core

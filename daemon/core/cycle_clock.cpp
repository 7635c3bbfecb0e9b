#include "daemon/core/cycle_clock.hpp"

#include <algorithm>

#include "daemon/core/jitter.hpp"

namespace plimsoll::core {
namespace {

/// Of a round whose cycle a reload took away: it goes on, and counts for none.
constexpr std::size_t gone_cycle = static_cast<std::size_t>(-1);

std::chrono::milliseconds jitter_of(const World& world, const std::string& service, const Cycle& cycle,
                                    std::uint64_t number, Duration period) {
  const double share = cycle.jitter.of_one * fraction(world.machine.seed, service, number);
  return Duration{static_cast<Duration::rep>(static_cast<double>(period.count()) * share)};
}

void next_on_grid(Turn& turn, const std::string& service, const Cycle& cycle, CycleClock& clock) {
  const Duration every = std::get<Duration>(cycle.when);
  const Steady ready = turn.world.services.at(service).ready_at;
  const auto number = (turn.now.steady - ready) / every + 1;
  clock.grid = ready + every * number;
  clock.next_steady = clock.grid + jitter_of(turn.world, service, cycle, static_cast<std::uint64_t>(number), every);
}

/// The cron's next instant after that which has not fired yet, however the clock was set meanwhile.
std::optional<WallSeconds> next_unused(const CycleClock& clock, const Cron& cron, const ZoneRules& zone,
                                       WallSeconds after) {
  auto fire = next_fire(cron, zone, after);
  const auto covers = [&](const WallSpan& span) { return fire && *fire >= span.first && *fire <= span.last; };
  // Spans do not overlap: each is left once at most.
  for (auto span = std::find_if(clock.used.begin(), clock.used.end(), covers); span != clock.used.end();
       span = std::find_if(clock.used.begin(), clock.used.end(), covers))
    fire = next_fire(cron, zone, span->last);
  return fire;
}

void next_by_cron(Turn& turn, const std::string& service, const Cycle& cycle, CycleClock& clock) {
  const Cron& cron = std::get<Cron>(cycle.when);
  const auto after = std::chrono::floor<std::chrono::seconds>(turn.now.wall);
  const auto fire = next_unused(clock, cron, *cycle.zone, after);
  clock.next_wall.reset();
  clock.planned = fire;
  clock.planned_at = turn.now.wall;
  if (!fire) return;
  const auto following = next_fire(cron, *cycle.zone, *fire);
  const Duration period = following ? Duration{*following - *fire} : Duration{0};
  const auto number = static_cast<std::uint64_t>(fire->time_since_epoch().count());
  clock.next_wall =
      *fire + std::chrono::duration_cast<std::chrono::seconds>(jitter_of(turn.world, service, cycle, number, period));
}

}  // namespace

void plan_next(Turn& turn, const std::string& service, const Cycle& cycle, CycleClock& clock) {
  if (std::holds_alternative<Duration>(cycle.when)) {
    next_on_grid(turn, service, cycle, clock);
  } else {
    next_by_cron(turn, service, cycle, clock);
  }
}

void note_fired(CycleClock& clock, const Cycle& cycle, WallSeconds fired) {
  // So many jumps of a clock are remembered.
  constexpr std::size_t kept = 16;
  const auto goes_on = std::find_if(clock.used.begin(), clock.used.end(), [&](const WallSpan& span) {
    return next_fire(std::get<Cron>(cycle.when), *cycle.zone, span.last) == fired;
  });
  if (goes_on != clock.used.end()) {
    goes_on->last = fired;
    std::rotate(goes_on, goes_on + 1, clock.used.end());
    return;
  }
  if (clock.used.size() >= kept) clock.used.erase(clock.used.begin());
  clock.used.push_back({fired, fired});
}

bool has_come(const CycleClock& clock, Now now) {
  return (clock.next_steady && now.steady >= *clock.next_steady) || (clock.next_wall && now.wall >= *clock.next_wall);
}

bool in_window(const Cycle& cycle, Now now) {
  if (!cycle.between) return true;
  const auto local = to_local(*cycle.zone, std::chrono::floor<std::chrono::seconds>(now.wall));
  const auto of_day = local - std::chrono::floor<std::chrono::days>(local);
  return cycle.between->contains({static_cast<int>(std::chrono::duration_cast<std::chrono::minutes>(of_day).count())});
}

void start_cycle_clocks(Turn& turn, const std::string& service) {
  ServiceLife& life = turn.world.services.at(service);
  life.cycles.resize(life.plan->cycles.size());
  for (std::size_t i = 0; i < life.cycles.size(); ++i) plan_next(turn, service, life.plan->cycles[i], life.cycles[i]);
}

void stop_cycle_clocks(ServiceLife& life) {
  for (CycleClock& clock : life.cycles) {
    clock.due = false;
    clock.next_steady.reset();
    clock.next_wall.reset();
  }
}

void change_cycle_clocks(Turn& turn, const std::string& service, const std::vector<Cycle>& before) {
  ServiceLife& life = turn.world.services.at(service);
  const auto& after = life.plan->cycles;
  if (life.round && life.round->cycle) life.round->cycle = gone_cycle;
  life.cycles.resize(after.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (i < before.size() && before[i] == after[i]) continue;
    life.cycles[i] = {};
    if (life.state == ServiceState::ready) plan_next(turn, service, after[i], life.cycles[i]);
  }
}

std::string schedule_text(const Cycle& cycle) {
  if (const Duration* every = std::get_if<Duration>(&cycle.when)) return "every " + to_text(*every);
  return "cron " + std::get<Cron>(cycle.when).text;
}

std::optional<WallTime> next_due(const World& world, const CycleClock& clock) {
  if (clock.next_wall) return WallTime{*clock.next_wall};
  if (!clock.next_steady) return std::nullopt;
  return world.now.wall + std::chrono::duration_cast<Duration>(*clock.next_steady - world.now.steady);
}

}  // namespace plimsoll::core

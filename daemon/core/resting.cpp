#include "daemon/core/resting.hpp"

#include <algorithm>

#include "daemon/core/memory.hpp"

namespace plimsoll::core {
namespace {

bool stood_still(const PageFaults& before, const PageFaultsCounted& counted) {
  return before.pages && counted.pages && *counted.pages >= *before.pages &&
         *counted.pages - *before.pages < pages_of_noise;
}

/// Its reading is due now. What it had when the machine stood still last is what it has grown from.
void wake(World& world, Process& process, const PageFaults& before, Steady now) {
  MemoryWatch& watch = process.memory;
  if (watch.sampled && *watch.sampled >= before.since) watch.sampled = std::max(*watch.sampled, before.until);
  watch.rests = false;
  read_at(world, process, now);
}

}  // namespace

std::chrono::nanoseconds longest_unread(const MemoryPolicy& policy, Bytes rss, double worst_growth) {
  if (policy.soft && rss >= *policy.soft) return std::chrono::nanoseconds{0};
  MemoryPolicy patient = policy;
  patient.interval = longest_rest;
  const Bytes nobodys{UINT64_MAX};
  const Bytes nearest = std::min(policy.soft.value_or(nobodys), policy.hard.value_or(nobodys));
  return next_reading(patient, rss, nearest, worst_growth);
}

Steady known_at(const World& world, const MemoryWatch& watch) {
  const PageFaults& faults = world.page_faults;
  if (!watch.sampled || !faults.pages || *watch.sampled < faults.since) return watch.sampled.value_or(never);
  return std::max(*watch.sampled, faults.until);
}

void take_page_faults(Turn& turn, const PageFaultsCounted& counted) {
  World& world = turn.world;
  const Steady now = turn.now.steady;
  if (stood_still(world.page_faults, counted)) {
    world.page_faults.until = now;
    return;
  }
  const PageFaults before = world.page_faults;
  world.page_faults.pages = counted.pages;
  world.page_faults.since = world.page_faults.until = now;
  for (auto planned = world.readings.upper_bound(now); planned != world.readings.end();) {
    std::erase_if(planned->second, [&](const ProcessId& id) {
      Process* process = find_process(world, id);
      const bool rests = process != nullptr && process->alive() && process->memory.next == planned->first &&
                         process->memory.rests && !process->memory.asked;
      if (rests) wake(world, *process, before, now);
      return rests;
    });
    planned = planned->second.empty() ? world.readings.erase(planned) : std::next(planned);
  }
}

void count_page_faults(Turn& turn) {
  Steady& next = turn.world.page_faults.next;
  if (turn.now.steady < next) return;
  next = never;
  turn.emit(CountPageFaults{});
}

void plan_count(Turn& turn) {
  Steady& next = turn.world.page_faults.next;
  if (turn.world.readings.empty()) {
    next = never;
  } else if (next == never) {
    next = on_grid(turn.now.steady, between_counts);
  }
}

Steady page_faults_deadline(const World& world) {
  return world.page_faults.next;
}

}  // namespace plimsoll::core

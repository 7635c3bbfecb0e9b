#include "daemon/core/container.hpp"

#include <algorithm>

#include "daemon/core/ladder.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

using namespace std::chrono_literals;

constexpr auto while_limited = 1s;
/// A limit can be given to a container that runs.
constexpr auto while_not = 60s;

/// A service with a run has lines: only then anything can be done.
bool is_watched(const World& world) {
  return std::any_of(world.container.watchers.begin(), world.container.watchers.end(), [&](const std::string& name) {
    const auto found = world.services.find(name);
    return found != world.services.end() && found->second.main != nobody;
  });
}

void read_tree(Turn& turn, const std::string& service, ServiceLife& life) {
  ReadMemory read;
  read.of = live_members(turn.world, service);
  if (read.of.empty()) return;
  life.container.asked = true;
  turn.emit(std::move(read));
}

/// Below all of its lines, or somebody else's memory.
void end_stay(ServiceLife& life) {
  life.container = {life.container.tree, std::nullopt, false, false, false, false};
}

void say(Turn& turn, const std::string& service, const ServiceLife& life, const std::string& what, Bytes line) {
  const Container& container = turn.world.container;
  Entry said = entry(EventKind::limit_crossed, service,
                     "the container " + what + ": " + to_human(container.used) + " of " + to_human(container.limit) +
                         " are used, of them " + to_human(life.container.tree) + " by " + service);
  said.level = Level::warning;
  said.limit = line;
  said.rss = container.used;
  record(turn, said);
}

/// A hard line as the ladder knows it. The slack is out of reach.
MemoryPolicy as_policy(Bytes hard, Bytes limit) {
  MemoryPolicy policy;
  policy.of = MemoryScope::tree;
  policy.hard = hard;
  policy.slack = limit;
  return policy;
}

}  // namespace

Bytes hard_line(const ContainerLines& lines, Bytes limit) {
  const Bytes share = share_of(lines.hard.of_one, limit);
  const Bytes kept{limit.count > lines.free.count ? limit.count - lines.free.count : 0};
  return std::max(std::min(share, kept), share_of(lines.soft.of_one, limit));
}

void take_container(Turn& turn, const ContainerRead& read) {
  Container& container = turn.world.container;
  container.limit = read.limit;
  container.used = read.used;
  const bool limited = read.limit.count != 0;
  if (container.next != never) container.next = on_grid(turn.now.steady, limited ? while_limited : while_not);
  for (const std::string& name : container.watchers) {
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end() || !found->second.plan->container) continue;
    ServiceLife& life = found->second;
    if (limited && read.used >= share_of(life.plan->container->soft.of_one, read.limit)) {
      read_tree(turn, name, life);
    } else if (life.container.soft_since || life.container.over_hard) {
      end_stay(life);
      turn.touch(name);
    }
  }
}

void take_container_tree(Turn& turn, const std::string& service, ServiceLife& life) {
  ContainerStay& stay = life.container;
  if (!std::exchange(stay.asked, false) || !life.plan->container) return;
  const Container& container = turn.world.container;
  const ContainerLines& lines = *life.plan->container;
  stay.tree = tree_rss(turn.world, service);
  const bool most = stay.tree.count > container.used.count / 2;
  const Bytes soft = share_of(lines.soft.of_one, container.limit);
  if (!most || container.limit.count == 0 || container.used < soft) return end_stay(life);
  if (!stay.soft_since) stay.soft_since = turn.now.steady;
  const Bytes hard = hard_line(lines, container.limit);
  stay.over_hard = container.used >= hard;
  if (!stay.over_hard) {
    stay.hard_said = false;
    const bool long_enough = turn.now.steady - *stay.soft_since >= lines.for_;
    if (long_enough && !std::exchange(stay.soft_said, true))
      say(turn, service, life, "has been over " + to_text(lines.soft) + " for " + to_text(lines.for_), soft);
    return;
  }
  if (!std::exchange(stay.hard_said, true)) say(turn, service, life, "crossed its hard line", hard);
  const MemoryPolicy policy = as_policy(hard, container.limit);
  hard_crossed(turn, Crossing{service, {}, nobody, &policy, container.used, true});
}

void settle_container(Turn& turn) {
  Container& container = turn.world.container;
  if (!is_watched(turn.world)) {
    container.next = never;
    return;
  }
  if (container.next != never && turn.now.steady < container.next) return;
  // Until it is answered; the edge answers at once.
  container.next = turn.now.steady + while_not;
  turn.emit(ReadContainer{});
}

}  // namespace plimsoll::core

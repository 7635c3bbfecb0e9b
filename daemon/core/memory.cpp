#include "daemon/core/memory.hpp"

#include <algorithm>

#include "daemon/core/container.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/orphans.hpp"
#include "daemon/core/resting.hpp"
#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

bool has_line(const MemoryPolicy& policy) {
  return policy.soft || policy.hard;
}

const MemoryPolicy* tree_policy(const World& world, const std::string& service) {
  const Service* plan = plan_of(world, service);
  return plan != nullptr && plan->memory.of == MemoryScope::tree && has_line(plan->memory) ? &plan->memory : nullptr;
}

/// When it is read next. `over`: nothing more is done about what is over its hard line (it had its SIGKILL, or acts are
/// withheld).
Steady plan_next(MemoryWatch& watch, const MemoryPolicy& policy, Steady now, bool over) {
  const auto slowest = std::chrono::nanoseconds{policy.interval};
  auto interval = slowest;
  if (policy.hard && watch.rss < *policy.hard) {
    interval = next_reading(policy, watch.rss, *policy.hard, watch.worst_growth);
  } else if (policy.hard && watch.rss < slack_line(policy) && !over) {
    interval = next_reading(policy, watch.rss, slack_line(policy), watch.worst_growth);
  }
  watch.fast = interval < slowest;
  const auto unread = watch.fast ? interval : longest_unread(policy, watch.rss, watch.worst_growth);
  // Who is to be read more often than growth is noticed does not rest.
  watch.rests = slowest >= between_counts && unread >= 2 * slowest;
  if (watch.rests) return on_grid(now + unread - slowest, slowest);
  return watch.fast ? now + interval : on_grid(now, slowest);
}

void take_reading(MemoryWatch& watch, Bytes rss, std::optional<Bytes> peak, Steady now) {
  if (watch.sampled && rss > watch.rss && now > *watch.sampled) {
    const double seconds = std::chrono::duration<double>(now - *watch.sampled).count();
    watch.worst_growth = std::max(watch.worst_growth, static_cast<double>(rss.count - watch.rss.count) / seconds);
  }
  watch.sampled = now;
  watch.rss = rss;
  watch.peak = std::max({watch.peak, rss, peak.value_or(Bytes{})});
}

struct Lines {
  bool soft = false;  ///< crossed for long enough
  bool hard = false;
};

/// What a reading means, and the state it leaves: one sample below the soft line starts its time anew.
Lines judge(MemoryWatch& watch, const MemoryPolicy& policy, Steady now) {
  Lines lines;
  lines.hard = policy.hard && watch.rss >= *policy.hard;
  if (!lines.hard) watch.hard_said = false;
  if (policy.soft && watch.rss >= *policy.soft) {
    if (!watch.soft_since) watch.soft_since = now;
    lines.soft = now - *watch.soft_since >= policy.for_;
  } else {
    watch.soft_since.reset();
    watch.soft_said = false;
  }
  return lines;
}

void say_crossed(Turn& turn, Entry said, const MemoryWatch& watch, Bytes limit) {
  said.level = Level::warning;
  said.limit = limit;
  said.rss = watch.rss;
  said.peak = watch.peak;
  record(turn, said);
}

/// Hands a crossing of a process's or tree's line to the ladder, hard before soft.
void act_on(Turn& turn, MemoryWatch& watch, const MemoryPolicy& policy, const Crossing& crossing, Lines lines,
            Entry said) {
  const std::string who = said.why;
  if (lines.hard) {
    if (!std::exchange(watch.hard_said, true)) {
      said.why = who + " crossed its hard limit: " + over_text(watch.rss, *policy.hard);
      say_crossed(turn, said, watch, *policy.hard);
    }
    Process* subject = find_process(turn.world, crossing.subject);
    const bool orphan = subject != nullptr && subject->engine && subject->engine->phase != Engine::Phase::none;
    if (orphan && !subject->asked) return end_orphan_over_limit(turn, *subject);
    hard_crossed(turn, crossing);
  } else if (lines.soft) {
    if (!std::exchange(watch.soft_said, true)) {
      said.why =
          who + " has been over its soft limit for " + to_text(policy.for_) + ": " + over_text(watch.rss, *policy.soft);
      say_crossed(turn, said, watch, *policy.soft);
    }
    soft_crossed(turn, crossing);
  }
}

void take_process(Turn& turn, const Sample& sample) {
  Process* process = find_process(turn.world, sample.id);
  if (process == nullptr || !process->alive()) return;
  process->memory.asked = false;
  // What waits for a reading is a ladder or a round; a quiet process concerns nobody.
  const auto owner = turn.world.services.find(process->service);
  const bool awaited =
      process->engine ||
      (owner != turn.world.services.end() &&
       (owner->second.own.ladder || owner->second.round || owner->second.tree.asked || owner->second.container.asked));
  if (awaited) turn.touch(process->service);
  const bool confirmed = std::exchange(process->memory.exact_asked, false);
  const MemoryPolicy* policy = policy_of(turn.world, *process);
  if (sample.rss.count != 0) take_reading(process->memory, sample.rss, sample.peak, turn.now.steady);
  if (policy == nullptr) return;
  const bool over = process->killed || withheld(turn.world, true);
  read_at(turn.world, *process, plan_next(process->memory, *policy, turn.now.steady, over));
  if (sample.rss.count == 0) return;

  const Bytes at_most = sample.rss + sample.bound;
  const auto hides = [&](const std::optional<Bytes>& line) { return line && sample.rss < *line && at_most >= *line; };
  if (!sample.exact && !confirmed && (hides(policy->hard) || hides(policy->soft))) {
    process->memory.exact_asked = true;
    turn.emit(ReadMemory{{sample.id}, true, true});
    return;
  }
  const Lines lines = judge(process->memory, *policy, turn.now.steady);
  if (!lines.hard && !lines.soft) return;
  turn.touch(process->service);
  const bool engine = process->engine.has_value();
  const bool ours =
      engine && process->engine->state != EngineState::live && process->engine->state != EngineState::hung;
  if (owner == turn.world.services.end() || (!lines.hard && (ours || !is_up(owner->second)))) return;
  const Crossing crossing{process->service, engine ? process->engine->rule : std::string{}, sample.id, policy,
                          process->memory.rss};
  Entry said =
      entry(EventKind::limit_crossed, *process, (engine ? "engine " : "process ") + std::to_string(sample.id.pid));
  act_on(turn, process->memory, *policy, crossing, lines, std::move(said));
}

}  // namespace

Bytes tree_rss(const World& world, const std::string& service) {
  Bytes sum;
  for (const ProcessId& id : live_members(world, service)) sum = sum + find_process(world, id)->memory.rss;
  return sum;
}

namespace {

void take_tree(Turn& turn, const std::string& name, ServiceLife& life) {
  const MemoryPolicy* policy = tree_policy(turn.world, name);
  if (policy == nullptr || !life.tree.asked) return;
  life.tree.asked = false;
  take_reading(life.tree, tree_rss(turn.world, name), std::nullopt, turn.now.steady);
  life.tree.next = plan_next(life.tree, *policy, turn.now.steady, withheld(turn.world, true));
  const Lines lines = judge(life.tree, *policy, turn.now.steady);
  if (!lines.hard && (!lines.soft || !is_up(life))) return;
  const Crossing crossing{name, {}, nobody, policy, life.tree.rss};
  act_on(turn, life.tree, *policy, crossing, lines, entry(EventKind::limit_crossed, name, "the tree of " + name));
}

}  // namespace

std::chrono::nanoseconds next_reading(const MemoryPolicy& policy, Bytes rss, Bytes line, double worst_growth) {
  const double growth = std::max(worst_growth, static_cast<double>(policy.growth.count));
  const double distance = line > rss ? static_cast<double>(line.count - rss.count) : 0.0;
  const std::chrono::duration<double> half{growth > 0 ? distance / (2 * growth) : 1e9};
  const std::chrono::duration<double> slowest{policy.interval};
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::clamp(
      half, std::chrono::duration<double>{fastest}, std::max(slowest, std::chrono::duration<double>{fastest})));
}

Steady on_grid(Steady after, std::chrono::nanoseconds interval) {
  const auto since_epoch = after.time_since_epoch();
  return Steady{since_epoch - since_epoch % interval + interval};
}

Bytes overshoot(const MemoryPolicy& policy, const std::vector<Rung>& on_hard, const Machine& machine) {
  const std::chrono::duration<double> unseen = fastest + reaction;
  const Bytes before_the_act = share_of(unseen.count(), policy.growth);
  const auto first =
      std::find_if(on_hard.begin(), on_hard.end(), [](const Rung& rung) { return rung.kind != RungKind::log; });
  const bool at_once = first != on_hard.end() && first->kind == RungKind::kill;
  const Bytes room{at_once ? 0 : slack_line(policy).count - policy.hard.value_or(Bytes{}).count};
  return before_the_act + machine.statm_bound + room;
}

Bytes share_of(double of_one, Bytes whole) {
  // std::lround() would map libm into the daemon, and nothing here is negative.
  // NOLINTNEXTLINE(bugprone-incorrect-roundings)
  return Bytes{static_cast<std::uint64_t>(static_cast<double>(whole.count) * of_one + 0.5)};
}

Bytes slack_line(const MemoryPolicy& policy) {
  const Bytes hard = policy.hard.value_or(Bytes{});
  if (const Bytes* size = std::get_if<Bytes>(&policy.slack)) return hard + *size;
  return hard + share_of(std::get<Share>(policy.slack).of_one, hard);
}

const MemoryPolicy* policy_of(const World& world, const Process& process) {
  if (process.engine) {
    const EngineRule* rule = rule_of(world, process.service, process.engine->rule);
    return rule != nullptr ? &rule->memory : nullptr;
  }
  const Service* service = plan_of(world, process.service);
  if (service == nullptr || service->memory.of != MemoryScope::process || !has_line(service->memory)) return nullptr;
  return process.id == app_process(world, process.service) ? &service->memory : nullptr;
}

void take_samples(Turn& turn, const MemorySampled& sampled) {
  for (const Sample& sample : sampled.samples) take_process(turn, sample);
  for (const std::string& name : turn.touched) {
    const auto found = turn.world.services.find(name);
    if (found == turn.world.services.end()) continue;
    take_tree(turn, name, found->second);
    take_container_tree(turn, name, found->second);
  }
}

namespace {

/// Those that have a line and are not read yet: new ones, or ones whose line is new.
void watch_new(Turn& turn, const std::string& service) {
  for_each_of(turn.world, service, [&](Process& process) {
    if (process.alive() && process.memory.next == never && policy_of(turn.world, process) != nullptr)
      read_at(turn.world, process, turn.now.steady);
  });
}

/// Whose reading is due, by id; each is put off until its sample has come.
std::vector<ProcessId> due_readings(Turn& turn) {
  std::vector<ProcessId> due;
  auto& readings = turn.world.readings;
  while (!readings.empty() && readings.begin()->first <= turn.now.steady) {
    const auto planned = readings.extract(readings.begin());
    for (const ProcessId& id : planned.mapped()) {
      Process* process = find_process(turn.world, id);
      if (process == nullptr || !process->alive() || process->memory.next != planned.key()) continue;
      const MemoryPolicy* policy = policy_of(turn.world, *process);
      read_at(turn.world, *process, policy != nullptr ? turn.now.steady + policy->interval : never);
      if (policy != nullptr) due.push_back(id);
    }
  }
  std::sort(due.begin(), due.end());
  return due;
}

void read_tree(Turn& turn, const std::string& service, ReadMemory& into) {
  const auto found = turn.world.services.find(service);
  const MemoryPolicy* policy = tree_policy(turn.world, service);
  if (policy == nullptr || found->second.main == nobody) return;
  MemoryWatch& tree = found->second.tree;
  if (tree.next != never && turn.now.steady < tree.next) return;
  tree.next = turn.now.steady + policy->interval;
  tree.asked = true;
  for (const ProcessId& id : live_members(turn.world, service)) into.of.push_back(id);
}

/// Beyond what the readings themselves have shown. One that we have just spawned has had no time for another.
bool wants_peak(const Process& process, Steady now) {
  const bool is_new = process.provenance == Provenance::spawned && now - process.born < std::chrono::seconds{1};
  return process.memory.fast || (!process.memory.sampled && !is_new);
}

}  // namespace

void settle_memory(Turn& turn) {
  ReadMemory plain;
  ReadMemory with_peak;
  with_peak.peak = true;
  count_page_faults(turn);
  for (const std::string& service : turn.touched) watch_new(turn, service);
  for (const ProcessId& id : due_readings(turn)) {
    Process& process = *find_process(turn.world, id);
    process.memory.asked = true;
    (wants_peak(process, turn.now.steady) ? with_peak : plain).of.push_back(id);
  }
  for (const std::string& service : turn.touched) read_tree(turn, service, plain);
  if (!plain.of.empty()) turn.emit(std::move(plain));
  if (!with_peak.of.empty()) turn.emit(std::move(with_peak));
  plan_count(turn);
}

Steady tree_deadline(const World& world, const std::string& service) {
  const auto found = world.services.find(service);
  const bool read =
      found != world.services.end() && found->second.main != nobody && tree_policy(world, service) != nullptr;
  return read ? found->second.tree.next : never;
}

Steady readings_deadline(const World& world) {
  return world.readings.empty() ? never : world.readings.begin()->first;
}

}  // namespace plimsoll::core

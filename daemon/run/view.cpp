#include "daemon/run/view.hpp"

#include <algorithm>

#include "daemon/api/wire/json.hpp"
#include "daemon/core/budget.hpp"
#include "daemon/core/cycle_clock.hpp"
#include "daemon/core/ladder.hpp"
#include "daemon/core/lineage.hpp"
#include "daemon/core/memory.hpp"
#include "daemon/core/refusal.hpp"
#include "daemon/core/resting.hpp"
#include "daemon/core/sentences.hpp"
#include "daemon/core/well.hpp"
#include "daemon/run/journal.hpp"

namespace plimsoll::run {
namespace {

using core::Process;
using core::ServiceLife;
using core::ServiceState;

double seconds(core::Steady::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::optional<std::uint64_t> count_of(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional{bytes->count} : std::nullopt;
}

const core::Sample* of(const std::vector<core::Sample>& readings, core::ProcessId id) {
  const auto found = std::lower_bound(readings.begin(), readings.end(), id,
                                      [](const core::Sample& sample, core::ProcessId of) { return sample.id < of; });
  return found == readings.end() || found->id != id ? nullptr : &*found;
}

std::string state_text(const Process& process) {
  if (!process.alive()) return "zombie";
  switch (process.state) {
    case 'T': return "stopped";
    case 't': return "traced";
    case 'D': return "uninterruptible";
    default: return "running";
  }
}

std::string note_of(const core::World& world, const std::string& name, const ServiceLife& life, core::Now now) {
  if (life.state == ServiceState::backoff) {
    const std::string refused = core::refusal_text(life.refusal);
    return (refused.empty() ? "" : "cannot start: " + refused + "; ") + "starts again in " +
           core::short_duration(std::max(life.deadline - now.steady, core::Steady::duration{}));
  }
  if (life.state == ServiceState::failed && life.note.empty()) {
    const std::string refused = core::refusal_text(life.refusal);
    return refused.empty() ? "" : "cannot start: " + refused;
  }
  if (!life.note.empty()) return life.note;
  const bool may_be_at_work = life.own.ladder || !world.slots.empty();
  if (std::string work = may_be_at_work ? core::at_work(world, name) : ""; !work.empty()) return work;
  return life.notices->status.empty() ? "" : "says: " + life.notices->status;
}

wire::RungTried to_wire(const core::RungTried& tried, core::Now now) {
  wire::RungTried wired;
  wired.rung = tried.rung;
  if (tried.outcome) wired.outcome = core::to_text(*tried.outcome);
  wired.at = to_rfc3339(tried.at);
  wired.seconds = tried.outcome ? seconds(tried.took) : seconds(now.steady - tried.began);
  wired.why = tried.why;
  return wired;
}

wire::Intervention to_wire(const core::Intervention& one, core::Now now) {
  wire::Intervention wired;
  wired.id = one.id;
  wired.at = to_rfc3339(one.at);
  wired.service = one.service;
  wired.rule = one.rule;
  wired.pid = one.pid;
  wired.owner_pid = one.owner_pid;
  wired.cause = core::to_text(one.cause);
  wired.why = one.why;
  wired.would = one.would;
  for (const core::RungTried& tried : one.rungs) wired.rungs.push_back(to_wire(tried, now));
  if (one.end) wired.end = core::to_text(*one.end);
  wired.rss_before_bytes = count_of(one.rss_before);
  wired.peak_bytes = count_of(one.peak);
  wired.rss_after_bytes = count_of(one.rss_after);
  if (one.rss_before && one.rss_after && one.rss_after->count < one.rss_before->count) {
    wired.freed_bytes = one.rss_before->count - one.rss_after->count;
  }
  wired.successor_pid = one.successor_pid;
  if (one.without_engine) wired.seconds_without_engine = seconds(*one.without_engine);
  wired.seconds = seconds((one.ended == core::never ? now.steady : one.ended) - one.began);
  return wired;
}

}  // namespace

View::View(const core::World& world, Members& members, core::Now now)
    : world_(world), members_(members), now_(now), not_well_(core::not_well(world)) {
  for (const core::Unwell& one : not_well_) unwell_.push_back(&one);
  std::stable_sort(unwell_.begin(), unwell_.end(),
                   [](const core::Unwell* a, const core::Unwell* b) { return a->service < b->service; });
}

std::vector<wire::Service> View::services() const {
  std::vector<wire::Service> all;
  all.reserve(world_.services.size());
  for (const auto& [name, life] : world_.services) all.push_back(to_service(name, life, read_tree(name)));
  return all;
}

std::string View::status_json(const wire::Daemon& daemon) const {
  return wire::to_json(daemon, world_.services.size(), in_turn());
}

void View::brief_json(const wire::Daemon& daemon, const std::function<void(std::string_view piece)>& put) const {
  wire::write_brief_json(daemon, world_.services.size(), in_turn(), put);
}

std::function<wire::Service()> View::in_turn() const {
  return [this, at = world_.services.begin()]() mutable {
    const auto& [name, life] = *at++;
    return to_service(name, life, read_tree(name));
  };
}

std::optional<wire::Service> View::one(std::string_view name) const {
  const auto found = world_.services.find(std::string{name});
  if (found == world_.services.end()) return std::nullopt;
  return to_service(found->first, found->second, read_tree(found->first));
}

std::optional<wire::ServiceDetail> View::service(std::string_view name) const {
  const auto found = world_.services.find(std::string{name});
  if (found == world_.services.end()) return std::nullopt;
  const Tree tree = read_tree(found->first);
  wire::ServiceDetail detail;
  detail.service = to_service(found->first, found->second, tree);
  detail.processes = tree_of(found->first, tree.readings);
  return detail;
}

std::vector<wire::Intervention> View::ledger(std::string_view service) const {
  std::vector<wire::Intervention> all;
  for (const core::Intervention& one : world_.ledger) {
    if (service.empty() || one.service == service) all.push_back(to_wire(one, now_));
  }
  return all;
}

void View::fill(wire::Daemon& daemon) const {
  daemon.mode = world_.plan->daemon.mode == Mode::observe ? "observe" : "act";
  daemon.uptime_seconds = seconds(now_.steady - world_.started);
  if (world_.holding) {
    wire::Hold hold;
    hold.except_hard = world_.holding->except_hard;
    if (world_.holding->until != core::never) hold.until = to_rfc3339(world_.holding->until_wall);
    daemon.hold = hold;
  }
  for (const core::Unwell& one : not_well_) daemon.not_well.push_back(one.why);
  daemon.well = daemon.not_well.empty();
}

wire::Service View::to_service(const std::string& name, const ServiceLife& life, const Tree& tree) const {
  wire::Service service;
  service.name = name;
  service.state = core::to_text(life.state);
  const bool up = life.state == ServiceState::ready || life.state == ServiceState::late;
  service.run = life.run;
  service.restarts = life.restarts;
  service.uptime_seconds = up ? seconds(now_.steady - life.ready_at) : 0;
  add_memory(service, life, tree);
  if (life.last_exit) service.last_exit = run::to_wire(*life.last_exit);
  service.engines.reserve(tree.engines.size());
  for (const Process* engine : tree.engines) service.engines.push_back(to_engine(*engine, tree.readings));
  service.budget_acts = life.plan->budget.acts;
  service.budget_spent = core::budget_spent(life, now_.steady);
  service.cycles = cycles_of(life);
  service.note = note_of(world_, name, life, now_);
  auto said = std::lower_bound(unwell_.begin(), unwell_.end(), name,
                               [](const core::Unwell* one, const std::string& of) { return one->service < of; });
  for (; said != unwell_.end() && (*said)->service == name; ++said) service.not_well.push_back((*said)->why);
  return service;
}

void View::add_memory(wire::Service& service, const ServiceLife& life, const Tree& tree) const {
  const Process* main = life.main == core::nobody ? nullptr : core::find_process(world_, life.main);
  if (main != nullptr && main->alive()) service.pid = life.main.pid;
  if (main != nullptr) {
    const core::ProcessId app = main->program->wrapper ? core::app_process(world_, service.name) : life.main;
    if (const core::Sample* reading = of(tree.readings, app)) service.rss_bytes = reading->rss.count;
  }
  for (const core::Sample& reading : tree.readings) service.tree_rss_bytes += reading.rss.count;
  const MemoryPolicy& memory = life.plan->memory;
  service.soft_bytes = count_of(memory.soft);
  service.hard_bytes = count_of(memory.hard);
  if (memory.hard) service.overshoot_bytes = core::overshoot(memory, life.plan->on_hard, world_.machine).count;
}

/// What was sampled within the last second and a half, or has not changed since, is not read again: a thousand services
/// would make that the most of a status. An engine's peak is always read.
View::Tree View::read_tree(const std::string& service) const {
  constexpr std::chrono::milliseconds fresh{1'500};
  Tree tree;
  std::vector<core::ProcessId> engines;
  std::vector<core::ProcessId> others;
  core::for_each_of(world_, service, [&](const Process& process) {
    const core::MemoryWatch& watch = process.memory;
    const bool lost = process.engine && process.engine->state == core::EngineState::lost;
    if (process.engine && process.engine->listed && (process.alive() || lost)) tree.engines.push_back(&process);
    if (!process.alive()) return;
    if (process.engine) {
      engines.push_back(process.id);
    } else if (watch.sampled && now_.steady - core::known_at(world_, watch) < fresh) {
      tree.readings.push_back(core::Sample{process.id, watch.rss, std::nullopt, false, Bytes{}});
    } else {
      others.push_back(process.id);
    }
  });
  const auto read = [&](const std::vector<core::ProcessId>& ids, bool peak) {
    const std::vector<core::Sample> samples = members_.read_memory(ids, peak, false);
    tree.readings.insert(tree.readings.end(), samples.begin(), samples.end());
  };
  if (!engines.empty()) read(engines, true);
  if (!others.empty()) read(others, false);
  std::sort(tree.readings.begin(), tree.readings.end(),
            [](const core::Sample& a, const core::Sample& b) { return a.id < b.id; });
  return tree;
}

wire::Engine View::to_engine(const Process& process, const Readings& readings) const {
  wire::Engine engine;
  engine.rule = process.engine->rule;
  engine.pid = process.id.pid;
  const core::Owner owner = core::owner_of(world_, process);
  engine.owner = owner.service() ? "service" : "worker";
  if (!owner.service()) engine.owner_pid = owner.worker.pid;
  engine.state = core::to_text(process.engine->state);
  engine.peak_rss_bytes = process.memory.peak.count;
  if (const core::Sample* reading = of(readings, process.id)) {
    engine.rss_bytes = reading->rss.count;
    engine.peak_rss_bytes = std::max(engine.peak_rss_bytes, reading->peak.value_or(Bytes{}).count);
  }
  engine.age_seconds = seconds(now_.steady - process.born);
  if (const EngineRule* rule = core::rule_of(world_, process.service, process.engine->rule)) {
    engine.soft_bytes = count_of(rule->memory.soft);
    engine.hard_bytes = count_of(rule->memory.hard);
    if (rule->memory.hard) engine.overshoot_bytes = core::overshoot(rule->memory, rule->on_hard, world_.machine).count;
  }
  return engine;
}

std::string View::role_of(const Process& process) const {
  const ServiceLife& life = world_.services.at(process.service);
  if (process.engine && process.engine->listed) return "engine";
  if (process.id == core::app_process(world_, process.service) && process.id != life.main) return "app";
  if (process.id == life.main) return "main";
  if (process.program->wrapper) return "wrapper";
  if (process.engine_missing_since) return "worker";  // it had one, and is the one that is looked for now
  const Process* engine = core::first_alive(world_, process.service, [&](const Process& other) {
    return other.engine && other.engine->listed && core::owner_of(world_, other).worker == process.id;
  });
  return engine != nullptr ? "worker" : "process";
}

/// Parents before children, each below its recorded parent where that lives.
std::vector<wire::Process> View::tree_of(const std::string& service, const Readings& readings) const {
  std::vector<const Process*> members;
  core::for_each_recorded_of(world_, service, [&](const Process& process) {
    if (process.alive() || !process.death->reaped) members.push_back(&process);
  });
  std::sort(members.begin(), members.end(), [](const Process* a, const Process* b) { return a->born < b->born; });
  std::vector<wire::Process> tree;
  for (const Process* process : members) {
    wire::Process wired;
    wired.pid = process->id.pid;
    wired.parent = process->parent.pid;
    wired.name = process->program->comm;
    wired.role = role_of(*process);
    if (process->engine && process->engine->listed) wired.rule = process->engine->rule;
    wired.state = state_text(*process);
    if (const core::Sample* reading = of(readings, process->id)) wired.rss_bytes = reading->rss.count;
    wired.age_seconds = seconds(now_.steady - process->born);
    tree.push_back(std::move(wired));
  }
  return tree;
}

std::vector<wire::Cycle> View::cycles_of(const ServiceLife& life) const {
  std::vector<wire::Cycle> cycles;
  for (std::size_t i = 0; i < life.cycles.size() && i < life.plan->cycles.size(); ++i) {
    const Cycle& plan = life.plan->cycles[i];
    const core::CycleClock& clock = life.cycles[i];
    wire::Cycle cycle;
    cycle.act = plan.act == CycleAct::reconnect ? "reconnect" : "restart";
    cycle.when = core::schedule_text(plan);
    if (const auto next = core::next_due(world_, clock)) cycle.next = to_rfc3339(*next);
    cycle.done = clock.done;
    cycle.failed = clock.failed;
    cycle.last = clock.last;
    cycles.push_back(std::move(cycle));
  }
  return cycles;
}

}  // namespace plimsoll::run

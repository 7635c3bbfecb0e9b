#include "daemon/core/lineage.hpp"

#include <algorithm>
#include <set>

#include "daemon/core/engines.hpp"

namespace plimsoll::core {
namespace {

Duration settle_of(const World& world, const Process& engine) {
  const EngineRule* rule = engine.engine ? rule_of(world, engine.service, engine.engine->rule) : nullptr;
  return rule != nullptr ? rule->settle : Duration{1'000};
}

/// Non-wrappers reached from `id` through wrappers only.
void reach_through_wrappers(const World& world, ProcessId id, std::vector<ProcessId>& found) {
  const Process* wrapper = find_process(world, id);
  if (wrapper == nullptr) return;
  for_each_of(world, wrapper->service, [&](const Process& child) {
    if (!child.alive() || child.parent != id) return;
    if (child.program->wrapper) {
      reach_through_wrappers(world, child.id, found);
    } else {
      found.push_back(child.id);
    }
  });
}

// --- Rule 3: adopted -------------------------------------------------------------------------------------------------

/// The process that a child of `member` would be owned through: itself, what is found above wrappers, or a launcher,
/// below which the service is the owner.
const Process* owner_below(const World& world, const Process& member) {
  const Process* at = &member;
  while (at != nullptr && at->program->wrapper) at = find_process(world, at->parent);
  return at;
}

/// Starts are read in ticks of 10 ms: a child can seem that much older than its parent.
constexpr Duration grain{10};

/// Services with `session = "group"` share the daemon's: a process that stands in it can be of any of them.
bool in_our_session(const World& world, const Process& newcomer) {
  return newcomer.session == world.machine.session;
}

/// A newcomer, and the earliest instant at which it can have started: its age was read some time after the look began,
/// and is taken in later still. A worker that ended before that instant did not start it.
struct Newcomer {
  Process& process;
  Steady earliest{};
};

/// docs/verdicts.md, 3.1: the owner on which all members agree that died since the last look, in whose session it
/// stands and whose life contains its start. Where they name several and all of those are dead, the verdict is the same
/// whoever it was: the one that died last stands for them.
std::optional<ProcessId> agreed_owner(const World& world, const Newcomer& placed) {
  const Process& newcomer = placed.process;
  if (in_our_session(world, newcomer)) return std::nullopt;
  const Process* agreed = nullptr;
  bool disagree = false;
  bool all_gone = true;
  for (const ProcessId& id : world.processes.dead()) {
    const Process& member = *find_process(world, id);
    if (member.service.empty() || member.death->at < world.last_look) continue;
    if (member.session != newcomer.session || newcomer.born + grain < member.born || member.death->at < placed.earliest)
      continue;
    if (member.engine && !is_launcher(world, member, newcomer)) continue;
    const Process* owner = owner_below(world, member);
    if (owner == nullptr) return std::nullopt;
    all_gone = all_gone && !owner->alive() && !is_launcher(world, *owner, newcomer);
    disagree = disagree || (agreed != nullptr && agreed != owner);
    if (agreed == nullptr || (all_gone && owner->death->at > agreed->death->at)) agreed = owner;
  }
  if (agreed == nullptr || (disagree && !all_gone)) return std::nullopt;
  return agreed->id;
}

/// A member that held the newcomer's session while both lived: the number was not given out again in between (law 1).
const Process* member_in_session(const World& world, const Newcomer& placed) {
  if (in_our_session(world, placed.process)) return nullptr;
  for (const auto& [id, member] : world.processes) {
    const bool together = member.alive() || member.death->at >= placed.earliest;
    if (together && member.session == placed.process.session && !member.service.empty()) return &member;
  }
  return nullptr;
}

/// Finds a place for what was first seen below us, or below `adopter`, a member that adopts.
void place_adopted(Turn& turn, const Newcomer& placed, const Sighting& sighting, const Process* adopter) {
  Process& newcomer = placed.process;
  newcomer.provenance = Provenance::adopted;
  newcomer.parent = nobody;
  if (const auto owner = agreed_owner(turn.world, placed)) {
    const Process& parent = *find_process(turn.world, *owner);
    newcomer.parent = *owner;
    newcomer.service = parent.service;
    newcomer.run = parent.run;
    return;
  }
  if (const Process* member = member_in_session(turn.world, placed)) {
    newcomer.service = member->service;
    newcomer.run = member->run;
    return;
  }
  const auto life = turn.world.services.find(sighting.run_service);
  if (life != turn.world.services.end() && sighting.run == life->second.run) {
    newcomer.service = sighting.run_service;
    newcomer.run = sighting.run;
    return;
  }
  if (adopter != nullptr && !adopter->service.empty()) {
    newcomer.service = adopter->service;
    newcomer.run = adopter->run;
    return;
  }
  Entry said = entry(EventKind::census, newcomer,
                     "process " + std::to_string(newcomer.id.pid) + " (" + newcomer.program->comm +
                         ") came to us as its nearest subreaper and belongs to no service, left alone");
  said.level = Level::warning;
  record(turn, said);
}

/// First seen below a member that is known to adopt, though it started before a recorded child of that member died.
bool adopted_by_member(const World& world, const Process& parent, const Newcomer& placed) {
  if (!parent.adopts) return false;
  const auto& dead = world.processes.dead();
  return std::any_of(dead.begin(), dead.end(), [&](const ProcessId& id) {
    const Process& child = *find_process(world, id);
    return child.parent == parent.id && child.death->at >= world.look_before && placed.earliest <= child.death->at;
  });
}

/// While a wrapper has a single child, that one is the app process and no engine whatever its name;
/// with a second child it may be one.
void consider_siblings(Turn& turn, const Process& newcomer) {
  const Process* parent = find_process(turn.world, newcomer.parent);
  if (parent == nullptr || !parent->program->wrapper) return;
  for_each_of(turn.world, parent->service, [&](Process& sibling) {
    if (sibling.alive() && sibling.parent == parent->id && sibling.id != newcomer.id && !sibling.engine)
      consider_as_engine(turn, sibling);
  });
}

/// Ended unseen, after an exec that nobody could look at: as likely a shell as a program that goes into the background.
bool is_nameless(const Process& process) {
  return process.unseen && process.program->comm.empty();
}

/// Rule 1, by the walk: its parent is the one it has now, unless that one adopts.
void place_by_parent(Turn& turn, const Newcomer& placed, const Sighting& sighting) {
  const Process* parent = sighting.ourselves ? nullptr : find_process(turn.world, sighting.parent);
  if (parent == nullptr || adopted_by_member(turn.world, *parent, placed))
    return place_adopted(turn, placed, sighting, parent);
  placed.process.parent = parent->id;
  placed.process.service = parent->service;
  placed.process.run = parent->run;
}

/// Rule 1, by the kernel's word: nothing has to be concluded.
void place_by_forker(Turn& turn, Process& newcomer, const Process& forker) {
  newcomer.provenance = Provenance::forked;
  newcomer.parent = forker.id;
  newcomer.service = forker.service;
  newcomer.run = forker.run;
  Process* adopter = find_process(turn.world, newcomer.current_parent);
  if (adopter != nullptr && adopter->id != forker.id && newcomer.alive()) adopter->adopts = true;
}

void add_process(Turn& turn, const Sighting& sighting, Steady look_began) {
  Process process;
  process.id = sighting.id;
  process.session = sighting.session;
  process.state = sighting.state;
  process.program = program_of(sighting.command);
  turn.world.programs.share(process.program);
  process.first_seen = turn.now.steady;
  process.born = turn.now.steady - sighting.age;
  process.current_parent = sighting.ourselves ? nobody : sighting.parent;
  process.unseen = sighting.unseen;
  if (sighting.unseen) process.death = Death{turn.now.steady, sighting.exit, true, turn.now.steady};
  Process& kept = turn.world.processes.insert(std::move(process));

  const Process* forker = sighting.forker ? find_process(turn.world, *sighting.forker) : nullptr;
  if (forker != nullptr) {
    place_by_forker(turn, kept, *forker);
  } else {
    place_by_parent(turn, Newcomer{kept, look_began - sighting.age}, sighting);
  }
  turn.world.processes.moved(kept, std::string{});
  turn.touch(kept.service);
  if (!kept.alive()) return;
  consider_as_engine(turn, kept);
  consider_siblings(turn, kept);
}

/// Traced ('t') is another matter: somebody looks at it.
void note_stopped(Turn& turn, Process& process) {
  if (!process.engine) return;
  auto& since = process.engine->stopped_since;
  if (process.state != 'T') {
    since.reset();
  } else if (!since) {
    since = turn.now.steady;
  }
}

void change_process(Turn& turn, const Sighting& sighting) {
  Process* process = find_process(turn.world, sighting.id);
  if (process == nullptr || !process->alive()) return;
  turn.touch(process->service);
  const ProcessId parent = sighting.ourselves ? nobody : sighting.parent;
  if (parent != process->current_parent) {
    process->current_parent = parent;
    if (Process* adopter = find_process(turn.world, parent); adopter != nullptr && adopter->id != process->parent)
      adopter->adopts = true;
  }
  process->session = sighting.session;
  process->state = sighting.state;
  note_stopped(turn, *process);
  Shared<Program> program = program_of(sighting.command);
  turn.world.programs.share(program);
  const bool another = program->comm != process->program->comm || program->names != process->program->names ||
                       program->paths != process->program->paths ||
                       program->version_only != process->program->version_only;
  process->program = std::move(program);
  if (another) consider_as_engine(turn, *process);
}

}  // namespace

ProcessId app_process(const World& world, const std::string& service) {
  const ServiceLife& life = world.services.at(service);
  const Process* main = find_process(world, life.main);
  if (main == nullptr || !main->program->wrapper) return life.main;
  std::vector<ProcessId> found;
  reach_through_wrappers(world, life.main, found);
  if (found.size() != 1) return life.main;
  // One that was an engine before it was the only one there (or its shell was made the main process) stays one.
  const Process& only = *find_process(world, found.front());
  return only.engine && only.engine->listed ? life.main : only.id;
}

bool is_launcher(const World& world, const Process& ancestor, const Process& engine) {
  if (ancestor.program->wrapper || ancestor.alive()) return false;
  // A launcher leaves by itself; an engine that we asked to end within its first second is none.
  if (ancestor.asked || ancestor.killed) return false;
  if (ancestor.death->at - ancestor.born >= settle_of(world, engine)) return false;
  const Process* above = find_process(world, ancestor.parent);
  const bool another_session = above != nullptr && above->session != engine.session;
  if (!ancestor.death->exit) return another_session;
  const bool clean = ancestor.death->exit->kind == ExitKind::exited && ancestor.death->exit->code == 0;
  return clean && (!is_nameless(ancestor) || another_session);
}

Owner owner_of(const World& world, const Process& engine) {
  if (engine.engine && engine.engine->by_service) return {};
  const EngineRule* rule = engine.engine ? rule_of(world, engine.service, engine.engine->rule) : nullptr;
  if (rule != nullptr && rule->owner == OwnerKind::service) return {};
  const Process* at = find_process(world, engine.parent);
  const auto passed_over = [&](const Process& one) {
    return one.program->wrapper || (is_nameless(one) && !is_launcher(world, one, engine));
  };
  while (at != nullptr && passed_over(*at)) at = find_process(world, at->parent);
  if (at == nullptr || is_launcher(world, *at, engine)) return {};
  return {at->id};
}

bool below_engine(const World& world, const Process& process) {
  for (const Process* at = find_process(world, process.parent); at != nullptr; at = find_process(world, at->parent)) {
    if (at->engine && !is_launcher(world, *at, process)) return true;
  }
  return false;
}

bool descends_from(const World& world, const Process& process, ProcessId ancestor) {
  for (const Process* at = &process; at != nullptr; at = find_process(world, at->parent)) {
    if (at->id == ancestor) return true;
  }
  return false;
}

SlotKey slot_of(const World& world, const Process& engine) {
  return {engine.service, engine.engine->rule, owner_of(world, engine).worker};
}

std::vector<ProcessId> engines_in(const World& world, const SlotKey& key) {
  std::vector<ProcessId> found;
  for_each_of(world, key.service, [&](const Process& process) {
    if (process.alive() && process.engine && process.engine->listed && process.engine->rule == key.rule &&
        owner_of(world, process).worker == key.owner) {
      found.push_back(process.id);
    }
  });
  return found;
}

void take_in(Turn& turn, const Looked& looked) {
  for (const Sighting& sighting : looked.changed) change_process(turn, sighting);
  // Who stands below a recorded parent first: what was adopted is placed by the sessions of those, too.
  const Steady began = looked.began.value_or(turn.now.steady);
  const auto add = [&turn, began](const Sighting& sighting, bool adopted_too) {
    const bool forker_told = sighting.forker.has_value();
    const ProcessId below = forker_told ? *sighting.forker : sighting.parent;
    const bool below_recorded = (forker_told || !sighting.ourselves) && find_process(turn.world, below) != nullptr;
    if ((below_recorded || adopted_too) && find_process(turn.world, sighting.id) == nullptr)
      add_process(turn, sighting, began);
  };
  for (const Sighting& sighting : looked.fresh) add(sighting, false);
  for (const Sighting& sighting : looked.fresh) add(sighting, true);
  if (!looked.everybody) return;
  turn.world.look_before = turn.world.last_look;
  turn.world.last_look = began;
}

namespace {

/// Dead, and no more of interest for itself. A dead engine is, until its verdict is said and, when it was lost, until
/// it is healed.
bool is_over(const World& world, const Process& process) {
  const bool open_verdict = process.engine && (!process.engine->judged || process.engine->state == EngineState::lost);
  return !process.alive() && !open_verdict && process.death->reaped && process.death->at < world.look_before;
}

/// Whom the service needs for itself, the living and others. Whoever refers to a process is of the same service: a
/// slot, a ladder, a round, a child.
std::set<ProcessId> needed_of(const World& world, const std::string& service) {
  std::set<ProcessId> needed;
  for_each_recorded_of(world, service, [&](const Process& process) {
    if (!is_over(world, process)) needed.insert(process.id);
  });
  for (const auto& [key, slot] : slots_of(world, service)) {
    if (slot.ladder) needed.insert({slot.ladder->subject, slot.ladder->owner, slot.ladder->owner_parent, key.owner});
  }
  if (const auto found = world.services.find(service); found != world.services.end()) {
    const ServiceLife& life = found->second;
    needed.insert(life.main);
    if (life.own.ladder) needed.insert(life.own.ladder->subject);
    if (life.round) needed.insert(life.round->left.begin(), life.round->left.end());
  }
  return needed;
}

/// Whether all that is asked of a line (owner_of, is_launcher, below_engine) has the same answer when `child`, itself
/// ended, is led back to the parent of `between`. (A launcher is known by the session above it, too; but no session
/// that was left on the way down is come back to, so that one above stands in another one as well.)
bool adds_nothing(const Process& between, const Process& child) {
  const bool owner_is_below = !child.program->wrapper && !is_nameless(child);
  return !between.engine && !child.engine && (owner_is_below || between.program->wrapper);
}

/// What forks, ends, and leaves the next one to do the same would otherwise be remembered link by link for as long as
/// the last one lives. A link that nobody asks for is taken out: one whose children have all ended, and that owns no
/// engine.
void shorten_lines(World& world, const std::string& service, const std::set<ProcessId>& needed) {
  std::set<ProcessId> asked_for = needed;
  for_each_recorded_of(world, service, [&](const Process& child) {
    if (needed.contains(child.id) || child.engine) asked_for.insert(child.parent);
    if (child.engine) asked_for.insert(owner_of(world, child).worker);
  });
  for_each_recorded_of(world, service, [&](Process& child) {
    if (asked_for.contains(child.id)) return;
    for (;;) {
      const Process* between = find_process(world, child.parent);
      const Process* above = between != nullptr ? find_process(world, between->parent) : nullptr;
      if (above == nullptr || asked_for.contains(between->id) || !adds_nothing(*between, child)) return;
      child.parent = above->id;
    }
  });
}

void forget_the_dead_of(Turn& turn, const std::string& service) {
  World& world = turn.world;
  const std::set<ProcessId> needed = needed_of(world, service);
  shorten_lines(world, service, needed);
  // With their ancestors: whose they are is read off them.
  std::set<ProcessId> kept{nobody};
  for (const ProcessId& id : needed) {
    for (const Process* at = find_process(world, id); at != nullptr && kept.insert(at->id).second;)
      at = find_process(world, at->parent);
  }
  const std::vector<ProcessId> all = world.processes.recorded_of(service);
  for (const ProcessId& id : all) {
    if (kept.contains(id)) continue;
    turn.emit(Forget{id});
    world.processes.erase(id);
  }
}

}  // namespace

void forget_the_dead(Turn& turn) {
  std::set<std::string> services;
  for (const ProcessId& id : turn.world.processes.dead()) services.insert(find_process(turn.world, id)->service);
  for (const std::string& service : services) forget_the_dead_of(turn, service);
}

}  // namespace plimsoll::core

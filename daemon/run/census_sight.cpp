// What the census tells of a member: as it was first seen, and what has changed since.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "daemon/run/census.hpp"
#include "daemon/run/start_time.hpp"

namespace plimsoll::run {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A process younger than this may be on its way from fork to exec; no rule's `settle` makes it longer.
constexpr milliseconds young_for{2'000};
constexpr milliseconds between_readings{1'000};
/// Tenths of a millisecond that argv and environment may be empty.
constexpr int exec_patience = 20;
/// Of those that are merely due: the longest unread first, so that a thousand of them cost no more than their sampling.
constexpr std::size_t routine_per_look = 32;

/// States that mean something, and one for all that come and go.
char class_of(char state) {
  return state == 'T' || state == 't' || state == 'D' || state == 'Z' ? state : 'S';
}

}  // namespace

core::Sighting Census::sight(const Member& member, const sys::Stat& stat, std::optional<core::ProcessId> forker) {
  core::Sighting sighting;
  sighting.id = member.id;
  sighting.session = stat.session;
  sighting.state = stat.state;
  sighting.age = age_of(stat.start_time);
  sighting.command = read_command(stat);
  set_parent(sighting, stat);
  sighting.forker = forker;
  if (sighting.ourselves && !member.own_child && !forker) read_tag(sighting);

  Told& told = told_[member.id];
  told.parent = sighting.parent;
  told.ourselves = sighting.ourselves;
  told.session = sighting.session;
  told.state = class_of(sighting.state);
  told.command = PackedCommand(sighting.command);
  told.read_at = steady_clock::now();
  const Told* parent = told_.find(sighting.parent);
  // A young parent may itself have gone through an exec since it was told.
  told.as_forked = forker.has_value() || (parent != nullptr && (parent->command.has_argv_of(told.command) ||
                                                                age_of(sighting.parent.start_time) < young_for));
  return sighting;
}

void Census::set_parent(core::Sighting& sighting, const sys::Stat& stat) const {
  sighting.ourselves = stat.ppid == self_;
  sighting.parent = core::nobody;
  if (sighting.ourselves || !is_recorded_parent(stat.ppid)) return;
  sighting.parent = members_.find_alive(stat.ppid)->id;
}

void Census::read_tag(core::Sighting& sighting) const {
  if (!sources_.environ) return;
  auto environment = proc_.environ(sighting.id.pid);
  // In the middle of an exec there is none yet, for microseconds: a tag that is missed then is missed for good.
  for (int again = 0; environment && environment->empty() && again < exec_patience; ++again) {
    const bool settled = !may_be_in_exec(sighting.id.pid);
    if (!settled) ::usleep(100);
    environment = proc_.environ(sighting.id.pid);
    if (settled) break;
  }
  const auto tag = environment ? find_run_tag(*environment) : std::nullopt;
  if (!tag || tag->life != life_) return;
  sighting.run_service = tag->service;
  sighting.run = tag->run;
}

/// Of one whose environment is empty. The kernel shows argv and environment from the same moment on, and of a zombie
/// neither.
bool Census::may_be_in_exec(pid_t pid) const {
  const auto argv = proc_.cmdline(pid);
  if (!argv || !argv->empty()) return false;
  const auto stat = proc_.stat(pid);
  return stat && stat->state != 'Z';
}

core::CommandLine Census::read_command(const sys::Stat& stat) const {
  core::CommandLine command;
  command.comm = stat.comm;
  if (auto argv = proc_.cmdline(stat.pid)) command.argv = std::move(*argv);
  if (!sources_.exe) return command;
  if (auto exe = proc_.exe(stat.pid)) command.exe = std::move(*exe);
  if (!core::needs_cwd(command)) return command;
  if (auto cwd = proc_.cwd(stat.pid)) command.cwd = std::move(*cwd);
  return command;
}

void Census::reread_members(core::Looked& looked) {
  const auto now = steady_clock::now();
  std::vector<std::pair<Steady, const Member*>> routine;
  // Both are in the order of their ids: who is told of and no member any more is passed on the way.
  auto next = told_.begin();
  std::size_t members_told = 0;
  members_.for_each([&](const Member& member) {
    while (next != told_.end() && next->id < member.id) ++next;
    if (next == told_.end() || next->id != member.id) return;
    ++members_told;
    Told& told = *(next++)->held;
    // What this look has told already is not read twice.
    if (member.ended || told.read_at >= look_began_) return;
    if (is_urgent(member, told)) {
      reread(member, told, looked);
    } else if (now - told.read_at >= between_readings) {
      routine.emplace_back(told.read_at, &member);
    }
  });
  if (members_told != told_.size()) told_.erase_if([this](const auto& id) { return members_.find(id) == nullptr; });
  const std::size_t due = std::min(routine.size(), routine_per_look);
  std::partial_sort(routine.begin(), routine.begin() + static_cast<std::ptrdiff_t>(due), routine.end());
  routine.resize(due);
  for (const auto& [read_at, member] : routine) reread(*member, *told_.find(member->id), looked);
  std::erase_if(watched_, [this](const auto& id) { return members_.find(id) == nullptr; });
}

bool Census::is_urgent(const Member& member, const Told& told) const {
  if (watched_.contains(member.id) || age_of(member.id.start_time) < young_for) return true;
  if (told.ourselves || told.parent == core::nobody) return false;
  const Member* parent = members_.find(told.parent);
  return parent == nullptr || parent->ended;
}

void Census::reread(const Member& member, Told& told, core::Looked& looked) {
  if (member.ended) return;
  const auto stat = proc_.stat(member.id.pid);
  // What is dead by now has its own event.
  if (!stat || stat->start_time != member.id.start_time || sys::has_ended(member.pidfd)) return;
  told.read_at = steady_clock::now();
  core::Sighting sighting;
  sighting.id = member.id;
  sighting.session = stat->session;
  sighting.state = stat->state;
  sighting.age = age_of(stat->start_time);
  set_parent(sighting, *stat);
  const bool another_program = reread_program(*stat, sighting.age < young_for, told);
  const bool same = sighting.parent == told.parent && sighting.ourselves == told.ourselves &&
                    sighting.session == told.session && class_of(stat->state) == told.state;
  if (same && !another_program) return;
  if (sighting.ourselves && !told.ourselves && !member.own_child) read_tag(sighting);
  told.parent = sighting.parent;
  told.ourselves = sighting.ourselves;
  told.session = sighting.session;
  told.state = class_of(stat->state);
  sighting.command = told.command.line();
  looked.changed.push_back(std::move(sighting));
}

/// True if it runs something else than was told. argv is read only if something else says that there was an exec, or if
/// nothing else would.
bool Census::reread_program(const sys::Stat& stat, bool young, Told& told) const {
  if (stat.state == 'Z') return false;
  bool exec = stat.comm != told.command.comm();
  if (!exec && (young || !told.command.has_argv())) {
    // In the middle of an exec there is no argv yet.
    if (told.as_forked || !told.command.has_argv()) {
      const auto argv = proc_.cmdline(stat.pid);
      exec = argv && !argv->empty() && !told.command.has_argv(*argv);
    } else if (sources_.exe) {
      const auto exe = proc_.exe(stat.pid);
      exec = exe && *exe != told.command.exe();
    }
  }
  if (!exec) return false;
  core::CommandLine command = read_command(stat);
  if (command.argv.empty()) command.argv = told.command.line().argv;
  told.command = PackedCommand(command);
  told.as_forked = false;
  return true;
}

}  // namespace plimsoll::run

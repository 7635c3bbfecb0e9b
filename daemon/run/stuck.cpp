#include "daemon/run/stuck.hpp"

#include <algorithm>

namespace plimsoll::run {
namespace {

constexpr std::size_t most_named = 8;

std::string state_text(char state) {
  switch (state) {
    case 'D': return "state D, where no signal is taken";
    case 'Z': return "state Z, dead and not let go";
    case 't': return "state t, stopped by its tracer";
    default: return "state " + std::string(1, state);
  }
}

std::string tracer_text(const sys::ProcFs& proc, pid_t tracer) {
  const auto stat = proc.stat(tracer);
  return "traced by " + std::to_string(tracer) + (stat ? " (" + stat->comm + ")" : "");
}

std::string describe(const sys::ProcFs& proc, const sys::Cgroups& cgroups, core::ProcessId id) {
  const std::string pid = std::to_string(id.pid);
  const auto stat = proc.stat(id.pid);
  if (!stat) return pid + " (cannot be read: " + stat.error().message() + ")";
  if (stat->start_time != id.start_time) return pid + " (gone by now)";
  std::string text = pid + " (" + stat->comm + ") in " + state_text(stat->state);
  if (const std::string wchan = proc.wchan(id.pid); !wchan.empty()) text += ", waiting in " + wchan;
  if (const std::string group = cgroups.frozen_by(id.pid); !group.empty()) text += ", frozen by " + group;
  if (const pid_t tracer = proc.tracer(id.pid); tracer != 0) text += ", " + tracer_text(proc, tracer);
  if (proc.dumping(id.pid)) text += ", writing a core dump";
  return text;
}

}  // namespace

std::string describe_stuck(const sys::ProcFs& proc, const sys::Cgroups& cgroups,
                           const std::vector<core::ProcessId>& processes) {
  std::string text = "cannot be killed: ";
  const std::size_t named = std::min(processes.size(), most_named);
  for (std::size_t i = 0; i < named; ++i) text += (i == 0 ? "" : "; ") + describe(proc, cgroups, processes[i]);
  return named == processes.size() ? text : text + "; and " + std::to_string(processes.size() - named) + " more";
}

}  // namespace plimsoll::run

// Plans with a cycle, and an app that does as it is asked.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {

inline Cycle every(Duration period, CycleAct act = CycleAct::reconnect) {
  Cycle cycle;
  cycle.act = act;
  cycle.when = period;
  cycle.zone = std::make_shared<const ZoneRules>();
  return cycle;
}

inline Cycle by_cron(const char* text, CycleAct act = CycleAct::reconnect) {
  Cycle cycle = every(1s, act);
  cycle.when = std::get<Cron>(read_cron(text));
  return cycle;
}

inline Service with(Cycle cycle) {
  Service service = app();
  service.engines[0].memory.soft.reset();
  service.engines[0].memory.hard.reset();
  service.cycles = {std::move(cycle)};
  return service;
}

inline void replaces_when_asked(History& h) {
  h.on_hook = [&h](const CallHook& call) {
    for (auto& [id, process] : h.kernel.all()) {
      if (std::to_string(id.pid) != call.placeholders.at("engine_pid") || process.dead) continue;
      const ProcessId worker = process.parent;
      h.kernel.end(id, by_signal(SIGINT));
      h.forks(worker, {"/srv/query-engine-debian"});
      break;
    }
    h.answers(call.id, HookResult::done);
  };
}

/// When rounds were begun.
inline std::vector<std::int64_t> rounds(const History& h) {
  std::vector<std::int64_t> seconds;
  for (const Said& one : h.of_kind(EventKind::cycle)) {
    if (one.entry.why.find("is due:") != std::string::npos) seconds.push_back(one.at.count() / 1'000);
  }
  return seconds;
}

}  // namespace plimsoll::core

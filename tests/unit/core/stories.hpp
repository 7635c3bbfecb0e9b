// How stories begin: an old worker with an engine, one over its line, an app that heals itself.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {

/// A worker and its engine, both older than settle, at 10 s.
struct Bereaved {
  ProcessId worker;
  ProcessId engine;
};

inline Bereaved old_worker_with_engine(History& h, Service service = app()) {
  h.begin(std::move(service));
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  return {worker, engine};
}

struct Pair {
  ProcessId worker;
  ProcessId engine;
};

/// An old worker with an engine that goes over its soft line at 60 s; the ladder begins at 90 s, when `for` is over.
inline Pair soft_at_90s(History& h, Service service) {
  h.begin(std::move(service));
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.has(engine, 500);
  return {worker, engine};
}

inline Pair soft_ladder(History& h, std::vector<Rung> rungs) {
  Service service = app();
  service.engines[0].on_soft = std::move(rungs);
  return soft_at_90s(h, service);
}

inline Pair hard_ladder(History& h, std::vector<Rung> rungs) {
  Service service = app();
  service.engines[0].on_hard = std::move(rungs);
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(60s);
  h.has(engine, 850);
  return {worker, engine};
}

/// The app replaces an engine as soon as one has ended.
inline void heals_itself(History& h) {
  h.after_step = [&h](const Event& event, const Effects&) {
    const auto* ended = std::get_if<ProcessEnded>(&event);
    if (ended == nullptr) return;
    const Process* engine = find_process(h.world, ended->id);
    if (engine == nullptr || !engine->engine || !h.alive(engine->parent)) return;
    h.forks(engine->parent, {"/srv/query-engine-debian"});
  };
}

using Outcomes = std::vector<std::string>;

}  // namespace plimsoll::core

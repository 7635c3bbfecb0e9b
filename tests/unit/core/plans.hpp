// Plans of the histories: an app with workers and the engine rule of the design's example. Stories change what they are
// about.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/plan/plan.hpp"

namespace plimsoll::core {

constexpr Bytes mib(std::uint64_t count) {
  return Bytes{count << 20};
}

inline Rung rung(RungKind kind) {
  Rung made;
  made.kind = kind;
  return made;
}
inline Rung hook_rung(std::string name) {
  Rung made = rung(RungKind::hook);
  made.hook = std::move(name);
  return made;
}
inline Rung wait_rung(Duration duration) {
  Rung made = rung(RungKind::wait);
  made.duration = duration;
  return made;
}

inline Hook signal_hook(std::string name, HookTarget to = HookTarget::owner) {
  Hook hook;
  hook.name = std::move(name);
  hook.how = SignalHook{35};
  hook.to = to;
  return hook;
}

/// The design's example: soft 400 MiB for 30 s, hard 800 MiB, reconnect by a hook.
inline EngineRule prisma() {
  EngineRule rule;
  rule.name = "prisma";
  rule.match = {"query-engine*"};
  rule.memory.soft = mib(400);
  rule.memory.hard = mib(800);
  rule.reconnect = Reconnect{Reconnect::How::hook, "reconnect"};
  rule.expect.below = mib(200);
  rule.expect.within = Duration{30'000};
  rule.on_soft = {rung(RungKind::reconnect), rung(RungKind::worker), rung(RungKind::restart)};
  rule.on_hard = {rung(RungKind::end), rung(RungKind::worker), rung(RungKind::restart)};
  rule.on_lost = {rung(RungKind::reconnect), rung(RungKind::restart)};
  return rule;
}

inline Service bare(std::string name = "app") {
  Service service;
  service.name = std::move(name);
  service.command = {"/usr/bin/gunicorn", "app:app"};
  service.on_soft = {rung(RungKind::log)};
  service.on_hard = {rung(RungKind::restart)};
  return service;
}

/// gunicorn with workers that own prisma engines.
inline Service app() {
  Service service = bare();
  service.hooks["reconnect"] = signal_hook("reconnect");
  service.engines = {prisma()};
  return service;
}

inline Plan plan_of(std::vector<Service> services) {
  Plan plan;
  plan.services = std::move(services);
  return plan;
}
inline Plan plan_of_one(Service service) {
  std::vector<Service> services;
  services.push_back(std::move(service));
  return plan_of(std::move(services));
}

}  // namespace plimsoll::core

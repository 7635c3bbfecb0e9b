// Which key holds which field: the one place that spells the keys, read by the writer and by the reader alike, so that
// what is written can be read. A visitor `a` has four words:
//   need(key, field)   written always; must be there when read.
//   null(key, field)   an optional that is written as null when it is empty; must be there when read.
//   also(key, field)   an optional is left out when empty; anything else is written always. May be missing when read:
//   an older daemon
//                      does not know it.
//   some(key, field)   written where it applies: not when it is empty, zero or false. May be missing when read.
// The order is the order in the text. A change here is a change of the schema, unless it adds an also().
#pragma once

#include <concepts>
#include <type_traits>

#include "daemon/api/wire/wire.hpp"

namespace plimsoll::wire {

/// T or const T: the writer visits const structs, the reader fills the others.
template <class D, class T>
concept Either = std::same_as<std::remove_const_t<D>, T>;

template <class A, Either<Hold> D>
void fields(A& a, D& hold) {
  a.null("until", hold.until);
  a.also("except_hard", hold.except_hard);
}

template <class A, Either<Container> D>
void fields(A& a, D& container) {
  a.need("limit_bytes", container.limit_bytes);
  a.need("used_bytes", container.used_bytes);
}

template <class A, Either<Daemon> D>
void fields(A& a, D& daemon) {
  a.need("name", daemon.name);
  a.need("version", daemon.version);
  a.need("pid", daemon.pid);
  a.need("uptime_seconds", daemon.uptime_seconds);
  a.need("config", daemon.config);
  a.need("mode", daemon.mode);
  a.need("sources", daemon.sources);
  a.also("container", daemon.container);
  a.also("hold", daemon.hold);
  a.need("well", daemon.well);
  a.also("not_well", daemon.not_well);
}

template <class A, Either<Exit> D>
void fields(A& a, D& exit) {
  a.need("kind", exit.kind);
  a.null("code", exit.code);
  a.null("signal", exit.signal);
  a.need("at", exit.at);
}

template <class A, Either<Engine> D>
void fields(A& a, D& engine) {
  a.need("rule", engine.rule);
  a.need("pid", engine.pid);
  a.need("owner", engine.owner);
  a.null("owner_pid", engine.owner_pid);
  a.need("state", engine.state);
  a.need("rss_bytes", engine.rss_bytes);
  a.need("peak_rss_bytes", engine.peak_rss_bytes);
  a.need("age_seconds", engine.age_seconds);
  a.also("soft_bytes", engine.soft_bytes);
  a.also("hard_bytes", engine.hard_bytes);
  a.also("overshoot_bytes", engine.overshoot_bytes);
}

template <class A, Either<EngineOf> D>
void fields(A& a, D& engine) {
  a.need("service", engine.service);
  fields(a, engine.engine);
}

template <class A, Either<Process> D>
void fields(A& a, D& process) {
  a.need("pid", process.pid);
  a.need("parent", process.parent);
  a.need("name", process.name);
  a.need("role", process.role);
  a.some("rule", process.rule);
  a.need("state", process.state);
  a.need("rss_bytes", process.rss_bytes);
  a.need("age_seconds", process.age_seconds);
}

template <class A, Either<Cycle> D>
void fields(A& a, D& cycle) {
  a.need("do", cycle.act);
  a.need("when", cycle.when);
  a.null("next", cycle.next);
  a.also("done", cycle.done);
  a.also("failed", cycle.failed);
  a.also("last", cycle.last);
}

template <class A, Either<Service> D>
void fields(A& a, D& service) {
  a.need("name", service.name);
  a.need("state", service.state);
  a.null("pid", service.pid);
  a.need("run", service.run);
  a.need("restarts", service.restarts);
  a.need("uptime_seconds", service.uptime_seconds);
  a.need("rss_bytes", service.rss_bytes);
  a.need("tree_rss_bytes", service.tree_rss_bytes);
  a.null("last_exit", service.last_exit);
  a.need("engines", service.engines);
  a.also("soft_bytes", service.soft_bytes);
  a.also("hard_bytes", service.hard_bytes);
  a.also("overshoot_bytes", service.overshoot_bytes);
  a.also("budget_acts", service.budget_acts);
  a.also("budget_spent", service.budget_spent);
  a.also("cycles", service.cycles);
  a.also("not_well", service.not_well);
  a.also("note", service.note);
}

/// GET /v1/services?brief=1: what a table of them shows.
template <class A, Either<Service> D>
void brief_fields(A& a, D& service) {
  a.need("name", service.name);
  a.need("state", service.state);
  a.also("pid", service.pid);
  a.some("restarts", service.restarts);
  a.some("uptime_seconds", service.uptime_seconds);
  a.some("rss_bytes", service.rss_bytes);
  a.some("tree_rss_bytes", service.tree_rss_bytes);
  a.also("last_exit", service.last_exit);
  a.some("engines", service.engines);
  a.also("soft_bytes", service.soft_bytes);
  a.also("hard_bytes", service.hard_bytes);
  a.also("overshoot_bytes", service.overshoot_bytes);
  a.some("budget_acts", service.budget_acts);
  a.some("budget_spent", service.budget_spent);
  a.some("cycles", service.cycles);
  a.some("note", service.note);
}

template <class A, Either<Status> D>
void fields(A& a, D& status) {
  a.need("daemon", status.daemon);
  a.need("services", status.services);
}

template <class A, Either<ServiceDetail> D>
void fields(A& a, D& detail) {
  a.need("service", detail.service);
  a.need("processes", detail.processes);
}

template <class A, Either<Event> D>
void fields(A& a, D& event) {
  a.need("id", event.id);
  a.need("boot", event.boot);
  a.need("at", event.at);
  a.need("kind", event.kind);
  a.need("service", event.service);
  a.need("rule", event.rule);
  a.null("pid", event.pid);
  a.need("why", event.why);
  a.some("rung", event.rung);
  a.some("outcome", event.outcome);
  a.some("would", event.would);
  a.also("limit_bytes", event.limit_bytes);
  a.also("rss_bytes", event.rss_bytes);
  a.also("peak_bytes", event.peak_bytes);
  a.also("exit", event.exit);
}

template <class A, Either<RungTried> D>
void fields(A& a, D& rung) {
  a.need("rung", rung.rung);
  a.need("outcome", rung.outcome);
  a.need("at", rung.at);
  a.also("seconds", rung.seconds);
  a.also("why", rung.why);
}

template <class A, Either<Intervention> D>
void fields(A& a, D& act) {
  a.need("id", act.id);
  a.need("at", act.at);
  a.need("service", act.service);
  a.need("rule", act.rule);
  a.null("pid", act.pid);
  a.null("owner_pid", act.owner_pid);
  a.need("cause", act.cause);
  a.need("why", act.why);
  a.some("would", act.would);
  a.need("rungs", act.rungs);
  a.need("end", act.end);
  a.also("rss_before_bytes", act.rss_before_bytes);
  a.also("peak_bytes", act.peak_bytes);
  a.also("rss_after_bytes", act.rss_after_bytes);
  a.also("freed_bytes", act.freed_bytes);
  a.also("successor_pid", act.successor_pid);
  a.also("seconds_without_engine", act.seconds_without_engine);
  a.also("seconds", act.seconds);
}

}  // namespace plimsoll::wire

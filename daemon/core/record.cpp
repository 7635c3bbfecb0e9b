#include "daemon/core/record.hpp"

#include "config/plan/units.hpp"
#include "daemon/core/world.hpp"

namespace plimsoll::core {

const char* to_text(ExitKind kind) {
  switch (kind) {
    case ExitKind::exited: return "exited";
    case ExitKind::signaled: return "signaled";
    case ExitKind::oom_killed: return "oom_killed";
    case ExitKind::spawn_failed: return "spawn_failed";
    case ExitKind::unknown: return "unknown";
  }
  return "";
}

const char* to_text(EventKind kind) {
  switch (kind) {
    case EventKind::daemon: return "daemon";
    case EventKind::config: return "config";
    case EventKind::operator_: return "operator";
    case EventKind::service_state: return "service_state";
    case EventKind::engine_found: return "engine_found";
    case EventKind::engine_gone: return "engine_gone";
    case EventKind::engine_disconnected: return "engine_disconnected";
    case EventKind::engine_lost: return "engine_lost";
    case EventKind::engine_orphaned: return "engine_orphaned";
    case EventKind::engine_hung: return "engine_hung";
    case EventKind::limit_crossed: return "limit_crossed";
    case EventKind::rung: return "rung";
    case EventKind::hook: return "hook";
    case EventKind::cycle: return "cycle";
    case EventKind::budget: return "budget";
    case EventKind::census: return "census";
  }
  return "";
}

const char* to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::worked: return "worked";
    case Outcome::failed: return "failed";
    case Outcome::timed_out: return "timed_out";
    case Outcome::skipped: return "skipped";
  }
  return "";
}

const char* to_text(LadderEnd end) {
  switch (end) {
    case LadderEnd::worked: return "worked";
    case LadderEnd::subsided: return "subsided";
    case LadderEnd::healed: return "healed";
    case LadderEnd::exhausted: return "exhausted";
    case LadderEnd::preempted: return "preempted";
    case LadderEnd::no_budget: return "no_budget";
  }
  return "";
}

const char* to_text(Cause cause) {
  switch (cause) {
    case Cause::soft: return "soft";
    case Cause::hard: return "hard";
    case Cause::lost: return "lost";
    case Cause::hung: return "hung";
    case Cause::orphan: return "orphan";
    case Cause::cycle: return "cycle";
    case Cause::leftover: return "leftover";
  }
  return "";
}

const char* to_text(ServiceState state) {
  switch (state) {
    case ServiceState::stopped: return "stopped";
    case ServiceState::starting: return "starting";
    case ServiceState::ready: return "ready";
    case ServiceState::late: return "late";
    case ServiceState::stopping: return "stopping";
    case ServiceState::backoff: return "backoff";
    case ServiceState::failed: return "failed";
    case ServiceState::stuck: return "stuck";
  }
  return "";
}

const char* to_text(EngineState state) {
  switch (state) {
    case EngineState::live: return "live";
    case EngineState::hung: return "hung";
    case EngineState::orphan: return "orphan";
    case EngineState::ending: return "ending";
    case EngineState::lost: return "lost";
    case EngineState::gone: return "gone";
  }
  return "";
}

std::string to_sentence(const Exit& exit) {
  switch (exit.kind) {
    case ExitKind::exited: return "exited with " + std::to_string(exit.code);
    case ExitKind::signaled: return "was ended by " + signal_name(exit.signal);
    case ExitKind::oom_killed: return "was killed by the kernel for want of memory";
    case ExitKind::spawn_failed: return "could not be started (errno " + std::to_string(exit.code) + ")";
    case ExitKind::unknown: return "ended, and nobody could read how";
  }
  return {};
}

}  // namespace plimsoll::core

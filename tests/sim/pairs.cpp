#include "tests/sim/pairs.hpp"

#include <algorithm>
#include <string_view>

#include "daemon/core/event.hpp"

namespace plimsoll::sim {
namespace {

using namespace core;

constexpr std::array<const char*, event_kinds> event_names{
    "DaemonStarted",      "SpawnSucceeded", "SpawnFailed",   "Looked",        "ProcessEnded",
    "ProcessReaped",      "ExitRead",       "MemorySampled", "ContainerRead", "PageFaultsCounted",
    "HookAnswered",       "ProbeAnswered",  "ReadySaid",     "Notified",      "EvidenceLookedAt",
    "LeftoversLookedFor", "StuckDescribed", "CommandGiven",  "PlanReplaced",  "StopRequested",
    "SignalToForward",    "DeadlineReached"};

constexpr std::array<const char*, ladder_phases> phase_names{"due", "hook", "ending", "verifying", "waiting"};

template <class Kind>
constexpr std::size_t index_of() {
  return Event{Kind{}}.index();
}

/// A pair that cannot happen, and why. `any`: the whole row or column.
struct Cannot {
  std::string_view state;
  std::string_view event;
  std::string_view why;
};
constexpr std::string_view any = "*";

#include "tests/sim/pairs_table.inc"

template <std::size_t N>
const Cannot* cannot(const std::array<Cannot, N>& table, std::string_view state, std::string_view event) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Cannot& one) {
    const bool all_but = one.state.starts_with('!') && one.state.substr(1) != state;
    return (one.state == any || one.state == state || all_but) && (one.event == any || one.event == event);
  });
  return found == table.end() ? nullptr : &*found;
}

/// The service and the process that an event is about; empty: it names nobody.
struct About {
  std::string service;
  std::optional<ProcessId> process;
  bool nobody = true;
};

struct ReadAbout {
  const World& world;
  About of(ProcessId id) const {
    const auto found = world.processes.find(id);
    return {found == world.processes.end() ? std::string{} : found->second.service, id, false};
  }
  static About of(const std::string& service) { return {service, std::nullopt, false}; }
  About operator()(const SpawnSucceeded& one) const { return of(one.service); }
  About operator()(const SpawnFailed& one) const { return of(one.service); }
  About operator()(const ProcessEnded& one) const { return of(one.id); }
  About operator()(const ProcessReaped& one) const { return of(one.id); }
  About operator()(const ExitRead& one) const { return of(one.id); }
  About operator()(const EvidenceLookedAt& one) const { return of(one.engine); }
  About operator()(const LeftoversLookedFor& one) const { return of(one.service); }
  About operator()(const StuckDescribed& one) const { return of(one.service); }
  About operator()(const ReadySaid& one) const { return of(one.service); }
  About operator()(const Notified& one) const { return of(one.service); }
  About operator()(const CommandGiven& one) const { return of(one.service); }
  template <class T>
  About operator()(const T&) const {
    return {};
  }
};

template <class State>
std::size_t number(State state) {
  return static_cast<std::size_t>(state);
}

template <std::size_t States, std::size_t N, class Name>
void tell(const std::array<std::array<std::uint64_t, event_kinds>, States>& counts, const std::array<Cannot, N>& table,
          const Name& name, const char* what, std::string& text, int& wrong, bool listed = false) {
  std::size_t seen = 0;
  std::size_t impossible = 0;
  std::string lines;
  for (std::size_t state = 0; state < States; ++state) {
    for (std::size_t event = 0; event < event_kinds; ++event) {
      const Cannot* reason = cannot(table, name(state), event_names[event]);
      const bool was = counts[state][event] > 0;
      seen += was ? 1 : 0;
      impossible += reason != nullptr ? 1 : 0;
      if (was == (reason == nullptr)) continue;
      ++wrong;
      lines += std::string{"  "} + (was ? "seen, though it cannot be: " : "never seen: ") + name(state) + " x " +
               event_names[event] + (was ? " (" + std::to_string(counts[state][event]) + " times)" : "") + "\n";
    }
  }
  text += std::string{what} + " x event: " + std::to_string(seen) + " pairs seen, " + std::to_string(impossible) +
          " cannot happen, of " + std::to_string(States * event_kinds) + "\n" + (listed ? lines : "");
}

template <class Counts>
void sum(Counts& to, const Counts& from) {
  for (std::size_t state = 0; state < to.size(); ++state) {
    for (std::size_t event = 0; event < event_kinds; ++event) to[state][event] += from[state][event];
  }
}

}  // namespace

std::string event_name(std::size_t index) {
  return event_names.at(index);
}

void Pairs::note(const World& world, const Event& event) {
  const std::size_t kind = event.index();
  const About about = std::visit(ReadAbout{world}, event);
  for (const auto& [name, life] : world.services) {
    if (about.nobody || about.service == name) ++services_[number(life.state)][kind];
  }
  for (const auto& [id, process] : world.processes) {
    if (!process.engine) continue;
    const bool meant = about.nobody || (about.process ? *about.process == id : about.service == process.service);
    if (meant) ++engines_[number(process.engine->state)][kind];
  }
  for (const auto& [key, slot] : world.slots) {
    if (slot.ladder && (about.nobody || about.service == key.service)) ++ladders_[number(slot.ladder->phase)][kind];
  }
  for (const auto& [name, life] : world.services) {
    if (life.own.ladder && (about.nobody || about.service == name)) ++ladders_[number(life.own.ladder->phase)][kind];
  }
}

void Pairs::add(const Pairs& other) {
  sum(services_, other.services_);
  sum(engines_, other.engines_);
  sum(ladders_, other.ladders_);
}

namespace {

std::string service_name(std::size_t state) {
  return to_text(static_cast<ServiceState>(state));
}
std::string engine_name(std::size_t state) {
  return to_text(static_cast<EngineState>(state));
}
std::string phase_name(std::size_t state) {
  return phase_names.at(state);
}

}  // namespace

std::string Pairs::text(bool listed) const {
  std::string text;
  int ignored = 0;
  tell(services_, services_cannot, service_name, "service state", text, ignored, listed);
  tell(engines_, engines_cannot, engine_name, "engine state", text, ignored, listed);
  tell(ladders_, ladders_cannot, phase_name, "ladder phase", text, ignored, listed);
  return text;
}

int Pairs::wrong() const {
  std::string ignored;
  int wrong = 0;
  tell(services_, services_cannot, service_name, "", ignored, wrong);
  tell(engines_, engines_cannot, engine_name, "", ignored, wrong);
  tell(ladders_, ladders_cannot, phase_name, "", ignored, wrong);
  return wrong;
}

}  // namespace plimsoll::sim

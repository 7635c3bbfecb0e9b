#include "tests/sim/story.hpp"

#include "tests/sim/pairs.hpp"

namespace plimsoll::sim {
namespace {

using namespace core;

std::string of(ProcessId id) {
  return " " + std::to_string(id.pid) + "/" + std::to_string(id.start_time);
}

struct Incoming {
  std::string operator()(const SpawnSucceeded& one) const { return " " + one.service + of(one.main); }
  std::string operator()(const SpawnFailed& one) const { return " " + one.service; }
  std::string operator()(const Looked& one) const {
    std::string text = one.complete ? "" : " (incomplete)";
    for (const auto& seen : one.fresh)
      text += " +" + seen.command.comm + of(seen.id) + "<" + std::to_string(seen.ourselves ? 0 : seen.parent.pid);
    for (const auto& seen : one.changed)
      text += " ~" + seen.command.comm + of(seen.id) + "<" + std::to_string(seen.ourselves ? 0 : seen.parent.pid);
    return text;
  }
  std::string operator()(const ProcessEnded& one) const {
    return of(one.id) + (one.exit ? " " + to_sentence(*one.exit) : " unknown") + (one.reaped ? " reaped" : "");
  }
  std::string operator()(const ProcessReaped& one) const { return of(one.id); }
  std::string operator()(const ExitRead& one) const { return of(one.id) + " " + to_sentence(one.exit); }
  std::string operator()(const MemorySampled& one) const {
    std::string text;
    for (const auto& sample : one.samples) text += of(sample.id) + "=" + to_human(sample.rss);
    return text;
  }
  std::string operator()(const ContainerRead& one) const {
    return " " + to_human(one.used) + " of " + to_human(one.limit);
  }
  std::string operator()(const PageFaultsCounted& one) const {
    return " " + (one.pages ? std::to_string(*one.pages) : "unreadable");
  }
  std::string operator()(const HookAnswered& one) const {
    return " " + std::to_string(one.hook) + " result " + std::to_string(static_cast<int>(one.result));
  }
  std::string operator()(const ProbeAnswered& one) const {
    return " " + std::to_string(one.probe) + (!one.asked ? " could not be put" : one.passed ? " passed" : " failed");
  }
  std::string operator()(const EvidenceLookedAt& one) const {
    return of(one.engine) + (one.connected ? " used by" + of(*one.connected) : " unused");
  }
  std::string operator()(const LeftoversLookedFor& one) const {
    return " " + one.service + ": " + std::to_string(one.found.size());
  }
  std::string operator()(const CommandGiven& one) const {
    return " " + std::to_string(one.id) + " act " + std::to_string(static_cast<int>(one.act)) + " " + one.service +
           (one.force ? " forced" : "") + (one.wait ? "" : " no wait");
  }
  template <class T>
  std::string operator()(const T&) const {
    return {};
  }
};

struct Outgoing {
  std::string operator()(const Spawn& one) const { return "spawn " + one.service + " run " + std::to_string(one.run); }
  std::string operator()(const SendSignal& one) const {
    return "signal " + std::to_string(one.signal) + " to" + of(one.to);
  }
  std::string operator()(const CallHook& one) const {
    return "hook " + std::to_string(one.id) + " " + one.hook.name + " to" + of(one.target);
  }
  std::string operator()(const CancelHook& one) const { return "cancel hook " + std::to_string(one.id); }
  std::string operator()(const SignalLeftover& one) const {
    return "signal " + std::to_string(one.signal) + " to leftover" + of(one.to);
  }
  std::string operator()(const Record& one) const {
    return std::string{to_text(one.entry.kind)} + (one.entry.would ? " would" : "") + ": " + one.entry.service + ": " +
           one.entry.why;
  }
  std::string operator()(const Answer& one) const {
    return "answer " + std::to_string(one.command) + ": " + std::to_string(one.status) + " " + one.message;
  }
  std::string operator()(const AskProbe& one) const { return "ask " + std::to_string(one.id) + " of" + of(one.target); }
  std::string operator()(const CancelProbe& one) const { return "cancel question " + std::to_string(one.id); }
  std::string operator()(const Quit& one) const { return "quit " + std::to_string(one.code); }
  template <class T>
  std::string operator()(const T&) const {
    return {};
  }
};

std::string describe_rungs(const std::vector<Rung>& ladder) {
  std::string text;
  for (const auto& rung : ladder) text += (text.empty() ? "" : " ") + to_text(rung);
  return text;
}

}  // namespace

std::string describe(const Plan& plan) {
  std::string text = plan.daemon.mode == Mode::observe ? "plan, observing:" : "plan:";
  for (const Service& one : plan.services) {
    text += "\n      " + one.name + ": " + one.command.front() + ", restart " +
            std::to_string(static_cast<int>(one.restart)) + ", grace " + to_text(one.stop.grace) + ", heal " +
            to_text(one.heal) + ", cool_down " + to_text(one.cool_down) + ", budget " +
            std::to_string(one.budget.acts) + " per " + to_text(one.budget.per) + (one.essential ? ", essential" : "") +
            (one.give_up ? ", gives up" : "");
    for (const std::string& name : one.required) text += ", requires " + name;
    if (one.memory.soft || one.memory.hard) text += ", has a line";
    for (const EngineRule& rule : one.engines)
      text += "\n        " + rule.name + ": settle " + to_text(rule.settle) +
              (rule.owner == OwnerKind::service ? ", the service's" : "") + ", soft: " + describe_rungs(rule.on_soft) +
              "; hard: " + describe_rungs(rule.on_hard) + "; lost: " + describe_rungs(rule.on_lost);
    text += one.cycles.empty() ? "" : "\n        a cycle";
  }
  return text;
}

std::vector<std::string> describe(const Event& event, const Effects& effects) {
  std::vector<std::string> lines;
  const std::string what = std::visit(Incoming{}, event);
  for (const Effect& effect : effects) {
    std::string line = std::visit(Outgoing{}, effect);
    if (!line.empty()) lines.push_back("    " + std::move(line));
  }
  const bool quiet = std::holds_alternative<DeadlineReached>(event) || std::holds_alternative<MemorySampled>(event) ||
                     std::holds_alternative<Looked>(event);
  if (!lines.empty() || !quiet || (std::holds_alternative<Looked>(event) && !what.empty()))
    lines.insert(lines.begin(), event_name(event.index()) + what);
  return lines;
}

}  // namespace plimsoll::sim

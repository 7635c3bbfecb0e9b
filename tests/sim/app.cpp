// What the services do by themselves: they start workers, the workers start engines; some put back what was lost, at
// once, late, never, or in the very moment in which the daemon acts.
#include <algorithm>
#include <csignal>

#include "tests/sim/life.hpp"
#include "tests/sim/plans.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

void Life::give_nature(SimProcess& process, std::uint64_t bits) {
  using enum OnStop;
  static constexpr std::array<OnStop, 8> natures{dies,    dies, leaves_with_zero,   leaves_with_zero, takes_its_time,
                                                 ignores, dies, leaves_with_failure};
  process.on_stop = natures[bits % 8];
  process.reaps = bits / 8 % 6 != 0;
  process.reap_delay = bits / 64 % 4 == 0 ? Duration{static_cast<Duration::rep>(bits / 256 % 2'500)} : 0ms;
  process.subreaper = process.subreaper || bits / 4096 % 10 == 0;
}

ProcessId Life::app_of(ProcessId main) const {
  const SimProcess* process = kernel_.find(main);
  if (process == nullptr || !process->wrapper) return main;
  for (const SimProcess* child : kernel_.living()) {
    if (child->forker == main && !child->wrapper && child->rule.empty()) return child->id;
  }
  return nobody;
}

void Life::boot(ProcessId main) {
  SimProcess* process = kernel_.find(main);
  if (process == nullptr || !process->alive()) return;
  const std::uint64_t bits = mix(seed_, main.start_time, 37);
  if (process->wrapper && app_of(main) == nobody) {
    SimProcess& app = kernel_.fork(main, steady_);
    give_nature(app, bits);
    Kernel::exec(app, {"/usr/bin/python3", "/srv/serve.py"}, {});
    if (bits % 16 == 3) Kernel::exec(kernel_.fork(main, steady_), {"/usr/bin/tee", "log"}, {});
  }
  const auto life = world_.services.find(process->service);
  if (life != world_.services.end() && life->second.plan->kind == ServiceKind::task) finish_task(main, bits);
  const ProcessId app = app_of(main);
  if (app == nobody || bits % 5 == 0) return;
  for (std::uint64_t i = 0; i < bits / 8 % 3; ++i) fork_worker(app, mix(bits, i));
  if (bits / 64 % 3 == 0) fork_engine(app, mix(bits, 9));
}

/// With success, with a code that may be one, with a failure, or never; whatever it has forked stays behind.
void Life::finish_task(ProcessId main, std::uint64_t bits) {
  static constexpr std::array<int, 8> codes{0, 0, 0, 0, 3, 1, 143, -1};
  const int code = codes[bits / 32 % 8];
  if (code < 0) return;
  const auto most = bits / 256 % 3 == 0 ? 5'000U : 600U;
  later(Duration{static_cast<Duration::rep>(bits / 1'024 % most)}, [this, main, code] {
    const SimProcess* process = kernel_.find(main);
    if (!process->unkillable) kernel_.end(main, code == 143 ? by_signal(SIGTERM) : exited(code), steady_);
  });
}

ProcessId Life::fork_worker(ProcessId parent, std::uint64_t bits) {
  const SimProcess* forker = kernel_.find(parent);
  if (forker == nullptr || !forker->runs() || kernel_.living().size() > 60) return nobody;
  SimProcess& worker = kernel_.fork(parent, steady_);
  give_nature(worker, bits);
  Kernel::exec(worker, {"/usr/bin/python3", "-c", "worker"}, {});
  const ProcessId id = worker.id;
  if (bits / 1'024 % 3 != 0)
    later(Duration{static_cast<Duration::rep>(bits / 4'096 % 600)},
          [this, id, bits] { fork_engine(id, mix(bits, 5)); });
  return id;
}

/// A fork, and some milliseconds later its exec; by way of a shell at times.
ProcessId Life::fork_engine(ProcessId owner, std::uint64_t bits) {
  const SimProcess* forker = kernel_.find(owner);
  if (forker == nullptr || !forker->runs() || kernel_.living().size() > 60) return nobody;
  ProcessId parent = owner;
  if (bits % 8 == 0) {
    SimProcess& shell = kernel_.fork(owner, steady_);
    Kernel::exec(shell, {"/bin/sh", "-c", "engine"}, {});
    parent = shell.id;
  }
  SimProcess& engine = kernel_.fork(parent, steady_);
  give_nature(engine, mix(bits, 1));
  engine.subreaper = false;
  const ProcessId id = engine.id;
  const std::string rule = bits / 8 % 5 == 0 ? "bridge" : "prisma";
  const auto delay = static_cast<Duration::rep>(bits / 64 % 3 == 0 ? bits / 256 % 40 : 0);
  const auto exec = [this, id, rule] {
    SimProcess* process = kernel_.find(id);
    if (process == nullptr || !process->alive()) return;
    Kernel::exec(*process, engine_program(rule), rule);
    if (connector_) later(1ms, [this] { news_due_ = true; });
  };
  if (delay == 0) {
    exec();
  } else {
    later(Duration{delay}, exec);
  }
  return id;
}

/// Nobody forks in no time again and again: who has just replaced one takes a moment for the next.
Duration Life::pause_before_healing(ProcessId healer, Duration delay) {
  constexpr Duration moment{5};
  const auto [last, first] = healed_.try_emplace(healer, steady_);
  if (!first && delay < moment && steady_ - last->second < moment) delay = moment;
  last->second = steady_ + delay;
  return delay;
}

/// By the nature of its owner: at once, soon, when the daemon's patience ends, after that, or never.
void Life::heal_engine(const SimProcess& engine) {
  const SimProcess* owner = kernel_.forked_through_wrappers(engine);
  const auto life = world_.services.find(engine.service);
  if (owner == nullptr || !owner->alive() || !owner->rule.empty() || life == world_.services.end()) return;
  const Duration heal = life->second.plan->heal;
  const std::uint64_t bits = mix(seed_, engine.id.start_time, 41);
  const std::array<Duration, 8> delays{0ms, 100ms, 1s, heal, heal - 1ms, heal + 1ms, heal - 1s, -1ms};
  const Duration delay = delays[bits % 8];
  if (delay < 0ms) return;
  const ProcessId id = owner->id;
  later(pause_before_healing(id, delay), [this, id, bits] { fork_engine(id, mix(bits, 3)); });
}

void Life::heal_worker(const SimProcess& worker) {
  const SimProcess* parent = kernel_.find(worker.forker);
  const std::uint64_t bits = mix(seed_, worker.id.start_time, 43);
  if (parent == nullptr || !parent->alive() || bits % 4 == 0) return;
  const ProcessId id = parent->id;
  const Duration delay = bits % 4 == 1 ? 0ms : Duration{static_cast<Duration::rep>(bits / 4 % 2'000)};
  later(pause_before_healing(id, delay), [this, id, bits] { fork_worker(id, mix(bits, 7)); });
}

/// An app that is asked to reconnect ends its engine and starts the next one: before, with, or after its answer, or
/// not.
void Life::replace_engine(int pid, std::uint64_t bits) {
  const auto& living = kernel_.living();
  const auto found = std::find_if(living.begin(), living.end(), [pid](const SimProcess* one) {
    return one->id.pid == pid && !one->rule.empty() && !one->unkillable;
  });
  if (found == living.end()) return;
  const ProcessId id = (*found)->id;
  const SimProcess* owner = kernel_.forked_through_wrappers(**found);
  const ProcessId by = owner != nullptr && owner->alive() ? owner->id : nobody;
  if (bits % 3 == 0 && by != nobody) fork_engine(by, mix(bits, 1));
  kernel_.end(id, bits / 4 % 2 == 0 ? by_signal(SIGINT) : exited(0), steady_);
}

void Life::answer_hook(const CallHook& call) {
  const std::uint64_t bits = mix(seed_, call.id, 47);
  const unsigned mood = moods_.hooks == 0 ? static_cast<unsigned>(bits % 8) : moods_.hooks;
  const HookId id = call.id;
  const auto answer = [this, id](HookResult result) {
    std::erase(hooks_open_, id);
    happens(HookAnswered{id, result, 0, "as simulated"});
  };
  const auto at = [this, &answer](Duration delay, HookResult result) {
    later(delay, [answer, result] { answer(result); });
  };
  const auto placeholder = call.placeholders.find("engine_pid");
  const int pid = placeholder == call.placeholders.end() ? 0 : std::atoi(placeholder->second.c_str());
  const auto quick = Duration{static_cast<Duration::rep>(bits / 8 % 400)};
  switch (mood) {
    case 1: return at(quick, HookResult::failed);
    case 2: return at(quick, HookResult::skipped);
    case 3: return at(call.timeout, HookResult::timed_out);
    case 4: return;                                                  // the edge lost it
    case 5: return at(call.timeout + 2s + quick, HookResult::done);  // far too late
    case 6: return at(0ms, HookResult::done);                        // done, it says, and does nothing
    default: break;
  }
  at(quick, HookResult::done);
  later(bits % 3 == 0 ? quick : quick / 2, [this, pid, bits] { replace_engine(pid, bits); });
}

}  // namespace plimsoll::sim

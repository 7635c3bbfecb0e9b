// The edge of the simulation: what daemon/run does with an effect, and what comes back.
#include <algorithm>
#include <cerrno>

#include "tests/sim/life.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

void Life::perform(const Spawn& spawn) {
  if (mix(seed_, spawn.run, ++draws_) % 8 < moods_.spawn_fails) {
    const bool missing = draws_ % 2 == 0;
    queue_.emplace_back(SpawnFailed{spawn.service, spawn.run, missing ? ENOENT : EAGAIN, missing ? "exec" : "clone",
                                    missing ? "No such file or directory" : "Resource temporarily unavailable"});
    return;
  }
  const auto life = world_.services.find(spawn.service);
  SimProcess& made = kernel_.spawn(spawn.service, spawn.run, life->second.plan->command, steady_);
  give_nature(made, mix(seed_, spawn.run, made.id.start_time));
  const ProcessId id = made.id;
  queue_.emplace_back(SpawnSucceeded{spawn.service, spawn.run, id});
  const std::uint64_t bits = mix(seed_, id.start_time, 33);
  later(Duration{static_cast<Duration::rep>(5 + mix(seed_, id.start_time, 31) % 300)}, [this, id] { boot(id); });
  // Said whether anybody waits for it or not; at times too late, or never.
  if (bits % 6 != 0)
    later(Duration{static_cast<Duration::rep>(bits / 8 % (bits % 6 == 1 ? 6'000 : 800))}, [this, spawn] {
      happens(ReadySaid{spawn.service, spawn.run, "descriptor 3"});
    });
  if (bits % 3 == 0) later(millis(bits / 64 % 2'000), [this, spawn] { speak(spawn, 0); });
}

/// As its main process: mostly one of its own, at times one that has ended, or anybody.
std::optional<ProcessId> Life::whom_it_names(const Spawn& run, std::uint64_t bits) const {
  std::vector<ProcessId> some;
  for (const auto& [id, process] : kernel_.all()) {
    const bool own = process.service == run.service && process.run == run.run;
    if (bits % 8 == 0 || (own && (process.alive() || bits % 8 == 1))) some.push_back(id);
  }
  if (some.empty()) return std::nullopt;
  return some[bits / 8 % some.size()];
}

/// What a run says by sd_notify, in any order and however little sense it makes; its last words may come after its end.
void Life::speak(const Spawn& run, int number) {
  const std::uint64_t bits = mix(seed_, run.run, 71 + static_cast<std::uint64_t>(number));
  Notified said;
  said.service = run.service;
  said.run = run.run;
  said.ready = bits % 3 == 0;
  said.alive = bits / 4 % 2 == 0;
  said.hung = bits / 8 % 16 == 0;
  said.reloading = bits / 128 % 8 == 0;
  said.stopping = bits / 1'024 % 16 == 0;
  if (bits / 16'384 % 4 == 0) said.alive_by = millis(200 + bits / 65'536 % 4'000);
  if (bits / 4'194'304 % 8 == 0) said.extend = millis(bits / 33'554'432 % 15'000);
  if (bits / 2'048 % 32 == 0) said.main = whom_it_names(run, mix(bits, 5));
  if (bits % 5 == 0) said.status = "word " + std::to_string(number);
  happens(std::move(said));
  if (number < 20) later(millis(bits / 32 % 3'000), [this, run, number] { speak(run, number + 1); });
}

void Life::perform(const SendSignal& send) {
  kernel_.deliver(send.to, send.signal, steady_);
}

void Life::perform(const ReadMemory& read) {
  if (moods_.readings_lost > 0) {
    --moods_.readings_lost;
    for (const ProcessId& id : read.of) {
      if (SimProcess* process = kernel_.find(id)) process->rss_since = steady_;
    }
    return;
  }
  MemorySampled sampled;
  for (const ProcessId& id : read.of) {
    const SimProcess* process = kernel_.find(id);
    if (process == nullptr || !process->alive()) continue;
    const bool exact = read.exact && moods_.exact_readable;
    Sample sample{id, process->rss, std::nullopt, exact, exact ? Bytes{} : moods_.statm_hides};
    if (!exact && sample.rss > moods_.statm_hides) sample.rss.count -= moods_.statm_hides.count;
    if (read.peak) sample.peak = process->rss;
    sampled.samples.push_back(sample);
  }
  queue_.emplace_back(std::move(sampled));
}

/// Who grows does it by page faults.
void Life::have(SimProcess& process, Bytes rss) {
  constexpr std::uint64_t page = 4'096;
  if (rss > process.rss) faulted_pages_ += (rss.count - process.rss.count) / page;
  process.rss = rss;
  process.rss_since = steady_;
}

/// With some noise; now and then it cannot be read.
void Life::perform(const CountPageFaults&) {
  const std::uint64_t bits = mix(seed_, static_cast<std::uint64_t>(steady_.time_since_epoch().count()), 101);
  faulted_pages_ += bits % 4 == 0 ? bits / 4 % 1'000 : bits / 4 % 20;
  const bool readable = bits / 4'096 % 16 != 0;
  queue_.emplace_back(readable ? PageFaultsCounted{faulted_pages_} : PageFaultsCounted{});
}

/// All that lives is in it, and somebody else at times. Who reads it is told the truth, or that there is no limit.
void Life::perform(const ReadContainer&) {
  const std::uint64_t quarter_of_an_hour = static_cast<std::uint64_t>(steady_.time_since_epoch() / 15min);
  const std::uint64_t bits = mix(seed_, quarter_of_an_hour, 97);
  ContainerRead read;
  if (bits % 4 != 0) read.limit = Bytes{(600 + bits / 4 % 3 * 900) << 20};
  if (bits / 16 % 3 == 0) read.used = Bytes{600u << 20};
  for (const SimProcess* process : kernel_.living()) read.used = read.used + process->rss;
  queue_.emplace_back(read);
}

void Life::perform(const CallHook& call) {
  hooks_known_.push_back(call.id);
  hooks_open_.push_back(call.id);
  answer_hook(call);
}

void Life::perform(const CancelHook& cancel) {
  std::erase(hooks_open_, cancel.id);
}

/// What is stopped, or gone, answers nobody. Now and then an answer is lost, and the core has to keep the time.
void Life::perform(const AskProbe& ask) {
  probes_known_.push_back(ask.id);
  const std::uint64_t bits = mix(seed_, ask.id, 53);
  const SimProcess* target = kernel_.find(ask.target);
  const bool well = target != nullptr && target->alive() && !target->halted && bits % 8 >= moods_.probes;
  if (bits / 8 % 32 == 0) return;
  const ProbeId id = ask.id;
  if (bits / 32'768 % 16 < moods_.unasked)
    return later(millis(bits / 256 % 100), [this, id] {
      happens(ProbeAnswered{id, false, "Too many open files", false});
    });
  later(well ? Duration{static_cast<Duration::rep>(bits / 256 % 100)} : ask.timeout, [this, id, well] {
    happens(ProbeAnswered{id, well, well ? "accepted" : "refused"});
  });
}

void Life::perform(const LookAtEvidence& look) {
  if (moods_.evidence_lost > 0) {
    --moods_.evidence_lost;
    return;
  }
  EvidenceLookedAt seen{look.engine, std::nullopt, moods_.ports_known,
                        moods_.ports_known ? "descriptors" : "nothing readable"};
  const auto found = connections_.find(look.engine);
  if (found != connections_.end() && moods_.ports_known) {
    const SimProcess* by = kernel_.find(found->second);
    const bool counts = std::find(look.members.begin(), look.members.end(), found->second) != look.members.end();
    if (counts && by != nullptr && by->alive()) seen.connected = found->second;
  }
  stale_.emplace_back(seen);
  queue_.emplace_back(std::move(seen));
}

void Life::perform(const LookForLeftovers& look) {
  LeftoversLookedFor found{look.service, {}};
  for (const SimProcess* process : kernel_.living()) {
    if (process->leftover_of == look.service) found.found.push_back({process->id, "old", 7, 42});
  }
  if (moods_.leftovers_hidden > 0) {
    --moods_.leftovers_hidden;
    found = {look.service, {}, false};
  }
  queue_.emplace_back(std::move(found));
}

void Life::perform(const SignalLeftover& send) {
  kernel_.deliver(send.to, send.signal, steady_);
}

void Life::perform(const DescribeStuck& stuck) {
  queue_.emplace_back(StuckDescribed{stuck.service, "in state D, waiting in nfs_wait"});
}

}  // namespace plimsoll::sim

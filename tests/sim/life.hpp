// One life of the daemon against the simulated kernel: the World, the edge that performs effects as daemon/run does,
// and the app that answers. Everything follows from a seed and a list of decisions.
//
// The edge keeps daemon/run's order: an event is taken, its effects are performed, what they lead to is queued; a
// census is taken when the queue is empty, and every death that a look could have seen is told before it. What it may
// do to the core is more than a good machine would: answers come late, twice or never.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/step.hpp"
#include "tests/sim/decision.hpp"
#include "tests/sim/kernel.hpp"
#include "tests/sim/laws.hpp"
#include "tests/sim/pairs.hpp"
#include "tests/sim/random.hpp"

namespace plimsoll::sim {

inline Duration millis(std::uint64_t count) {
  return Duration{static_cast<Duration::rep>(count)};
}

class Life {
 public:
  Life(std::uint64_t seed, std::vector<Decision> decisions, Pairs& pairs);

  void live();
  [[nodiscard]] std::size_t steps() const { return steps_; }
  [[nodiscard]] const std::string& broken() const { return laws_.broken(); }

  bool thorough = false;    ///< each step is settled once more, on a copy
  bool tell_story = false;  ///< keeps what happened, line by line
  [[nodiscard]] const std::deque<std::string>& story() const { return story_; }

 private:
  // life.cpp: time and the queue
  [[nodiscard]] core::Now now() const;
  void pass(Duration duration);
  void later(Duration delay, std::function<void()> what);
  void happens(core::Event event);
  void drain();
  void step_with(const core::Event& event);
  void take_look();
  void tell_ends();
  void tell_end(ProcessId id);
  void note(const std::string& line);

  // news.cpp: the process connector, and how much of a look is enough
  void forked(const SimProcess& child);
  void look_for_more();
  void take_own_look();
  void take_news(core::Looked& looked);
  void tell_unseen(ProcessId id, core::Looked& looked);
  void change_connector(const Decision& d);
  [[nodiscard]] bool is_ours(ProcessId id) const;
  [[nodiscard]] bool wants_look() const { return look_wanted_ || own_look_wanted_ || news_due_; }

  // edge.cpp: effects
  void perform(const core::Spawn& spawn);
  [[nodiscard]] std::optional<ProcessId> whom_it_names(const core::Spawn& run, std::uint64_t bits) const;
  void speak(const core::Spawn& run, int number);
  void perform(const core::SendSignal& send);
  void perform(const core::Look& look) { (look.everybody ? look_wanted_ : own_look_wanted_) = true; }
  void perform(const core::ReadMemory& read);
  void perform(const core::CallHook& call);
  void perform(const core::ReadContainer&);
  void perform(const core::CountPageFaults&);
  void have(SimProcess& process, Bytes rss);
  void perform(const core::CancelHook& cancel);
  void perform(const core::AskProbe& ask);
  void perform(const core::CancelProbe&) {}
  void perform(const core::LookAtEvidence& look);
  void perform(const core::LookForLeftovers& look);
  void perform(const core::SignalLeftover& send);
  void perform(const core::DescribeStuck& stuck);
  void perform(const core::FlushOutput&) {}
  void perform(const core::Record&) {}
  void perform(const core::Answer&) {}
  void perform(const core::Forget&) {}
  void perform(const core::Quit&) { quit_ = true; }
  void died(SimProcess& process);
  void reaped(SimProcess& process);

  // app.cpp: what the services do by themselves
  void boot(ProcessId main);
  void finish_task(ProcessId main, std::uint64_t bits);
  ProcessId fork_engine(ProcessId owner, std::uint64_t bits);
  ProcessId fork_worker(ProcessId parent, std::uint64_t bits);
  void give_nature(SimProcess& process, std::uint64_t bits);
  void heal_engine(const SimProcess& engine);
  void heal_worker(const SimProcess& worker);
  Duration pause_before_healing(ProcessId healer, Duration delay);
  void answer_hook(const core::CallHook& call);
  void replace_engine(int pid, std::uint64_t bits);
  ProcessId app_of(ProcessId main) const;

  // acts.cpp: decisions
  void decide(const Decision& decision);
  bool decide_time(const Decision& d);
  bool decide_fork(const Decision& d);
  bool decide_end(const Decision& d);
  bool decide_state(const Decision& d);
  bool decide_edge(const Decision& d);
  void hop(const Decision& d);
  void fork_twice(const Decision& d);
  void operate(const Decision& d);
  void tell_stale(const Decision& d);
  [[nodiscard]] bool is_gone(ProcessId id) const;
  void forward(const Decision& d);
  void stop_daemon();
  void ask_to_stop_again();
  enum class Sort { any, engine, app, main };
  SimProcess* some(Sort sort, std::uint32_t number);
  const std::string& some_service(std::uint32_t number) const;

  std::uint64_t seed_;
  std::vector<Decision> decisions_;
  Pairs& pairs_;
  Kernel kernel_;
  Laws laws_;
  core::World world_;
  std::shared_ptr<const Plan> plan_;

  Steady steady_;
  Duration wall_shift_{};
  bool wall_moved_ = false;  ///< since the last step
  Steady next_census_;
  Duration census_every_;
  std::multimap<Steady, std::function<void()>> agenda_;
  std::deque<core::Event> queue_;
  std::vector<ProcessId> ends_;  ///< dead, told to nobody yet
  bool draining_ = false;
  bool look_wanted_ = false;
  bool own_look_wanted_ = false;
  bool quit_ = false;

  bool connector_ = false;
  bool news_due_ = false;
  std::vector<ProcessId> news_;       ///< forks, in their order, told to nobody yet
  std::set<ProcessId> unseen_;        ///< gone when their fork was told; until all that they did has been told
  std::vector<ProcessId> late_ends_;  ///< dead, and told in this look for the first time
  std::size_t steps_ = 0;

  struct Moods {
    unsigned hooks = 0;
    unsigned probes = 1;         ///< of eight that fail, or get no answer
    unsigned unasked = 0;        ///< of sixteen that cannot be put
    unsigned spawn_fails = 0;    ///< of eight
    unsigned hidden = 0;         ///< of eight
    unsigned readings_lost = 0;  ///< the next so many
    unsigned evidence_lost = 0;
    unsigned leftovers_hidden = 0;  ///< the next so many looks
    bool ports_known = true;
    Bytes statm_hides{};
    bool exact_readable = true;
  } moods_;
  std::map<ProcessId, ProcessId> connections_;  ///< engine → who holds a connection to it
  std::map<ProcessId, Steady> healed_;          ///< who has last replaced one of its own, or will
  std::vector<core::ProbeId> probes_known_;
  std::vector<core::HookId> hooks_known_;  ///< all that were ever called
  std::vector<core::HookId> hooks_open_;
  std::vector<core::Event> stale_;  ///< told once already
  core::CommandId last_command_ = 0;
  std::uint64_t draws_ = 0;
  std::uint64_t faulted_pages_ = 0;
  std::deque<std::string> story_;
};

}  // namespace plimsoll::sim

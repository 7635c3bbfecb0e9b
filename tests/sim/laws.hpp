// The laws, as code of their own, written from docs/architecture.md and docs/verdicts.md and not from the core: nothing
// here calls into daemon/core. What is true comes from the simulated kernel, which wrote down who forked whom; what was
// told to the core comes from the events it was given; what it did and said, from its effects. Of the World only that
// is read which `status` would show anybody: plan, states of services, ladders at work, the ledger, holds.
//
// One word runs through them: a process is `placed` when a census has told of it and it was not named as nobody's. The
// core cannot be held to what it was never told; it is held to everything else.
//
// laws.cpp keeps the record and decides which check sees what; laws_signals.cpp is about who gets a signal and why
// (laws 1, 4, 6), laws_runs.cpp about runs, stops and orphans (2, 3, 4), laws_order.cpp about tasks, who waits for whom
// and how a stop is stretched or hastened (4), laws_ladders.cpp about remedies (5, 6, 7), and laws_answers.cpp about
// whoever waits (8, 10, deadlines).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/effect.hpp"
#include "daemon/core/event.hpp"
#include "daemon/core/world.hpp"
#include "tests/sim/kernel.hpp"

namespace plimsoll::sim {

/// Before anything in a history, and near enough to be reckoned with.
inline constexpr Steady long_ago{};

class Laws {
 public:
  explicit Laws(const Kernel& kernel) : kernel_(kernel) {}

  void begin(const core::World& world);
  void before(const core::World& world, const core::Event& event, core::Now now);
  void after(const core::World& world, const core::Event& event, const core::Effects& effects, core::Now now);
  /// Nothing is queued: the daemon would wait for its timer now.
  void at_rest(const core::World& world, Steady now);
  /// The next step has to come to nothing.
  void expect_nothing(std::string why) { nothing_expected_ = std::move(why); }
  /// Settles everybody once more, on a copy. `clock_set`: the wall clock was, since the last step.
  void nobody_left_out(const core::World& world, const char* when, bool clock_set);
  void never_quit() { breaks("law 4, the daemon ends", "it was told to stop and is still there two minutes later"); }
  [[nodiscard]] const std::string& broken() const { return broken_; }

 private:
  /// What is known of one process.
  struct Seen {
    std::vector<std::string> argv;  ///< as a census has told it
    int session = 0;
    char state = 0;
    Steady told = core::never;   ///< first shown by a census, or spawned
    bool by_its_forker = false;  ///< and then its parent was who forked it, or its forker was named
    bool forker_named = false;   ///< by the connector
    bool nobodys = false;        ///< named as such, or left behind by an operator's word
    Steady end_told = core::never;
    Steady reap_told = core::never;
    std::optional<Exit> exit_told;
    bool exit_in_time = false;  ///< with the end itself
    bool listed = false;        ///< engine_found was said
    bool verdict = false;       ///< a word about its end was said
    std::optional<Steady> asked;
    Duration grace{};
    std::optional<Steady> killed;
    bool doomed = false;               ///< asked outside of a stop: SIGKILL follows when its grace is over
    std::vector<StopStep> steps_left;  ///< and these before it
    bool steps_unknown = false;  ///< below an engine, or its exec was not told: whose stop it gets is the core's to say
    std::optional<Steady> soft_since;
    std::optional<Steady> hard_since;
    Bytes rss;
    Steady read_at = long_ago;
    bool exact_asked = false;         ///< since its last reading
    std::optional<Steady> looked_at;  ///< the evidence about it
    bool used = false;
    bool port_known = true;
    std::optional<Steady> evidence_asked;  ///< and no answer has come yet
    Steady evidence_lost = long_ago;       ///< the last question that got none
    Steady orphan_said = core::never;
    Steady acted_on = long_ago;  ///< a rung for it was tried
    Steady limit_said = long_ago;
  };
  struct Run {
    core::ServiceState state = core::ServiceState::stopped;
    Steady since{};
    RunNumber number = 0;
    bool spawning = false;
    bool refused = false;  ///< the machine had no process to give: no failure of the service
    ProcessId main;
    Steady up_at{};  ///< spawned, then ready
    Steady spawned_at{};
    Steady stop_began{};
    Steady ask_from{};                  ///< the drain before it is over
    Duration grace{};                   ///< of all steps
    std::size_t asks = 0;               ///< of the main process, in this stop
    std::optional<core::HookId> drain;  ///< under way
    Steady drain_until = core::never;
    bool drain_owed = false;  ///< it has to begin in this step
    bool main_asked = false;
    std::optional<Duration> time_limit;        ///< of this run
    bool success = false;                      ///< its main process ended so, by itself
    bool had_turn = false;                     ///< was started once, or tried and failed
    std::map<std::string, RunNumber> engines;  ///< of those that restart with it, when it was spawned
    int failures = 0;
    std::deque<Steady> backoffs;
    Steady backoff_until = long_ago;    ///< the soonest
    Steady backoff_at_most = long_ago;  ///< jitter may make it so late
    bool backoff_known = false;
    bool series_known = true;    ///< how many failures the backoff counts
    bool by_rung = false;        ///< a rung of ours acted on this run's main or app process
    std::optional<bool> again;   ///< whether the policy starts it again, from the end of its main process on
    Steady told_off = long_ago;  ///< an operator's or a reload's last word
    int acts_left_over = 0;
    bool out_of_plan = false;
    Steady leftovers_at = long_ago;
    bool leftovers_hidden = false;  ///< the last look could not read who is left of an earlier daemon
    Steady extended_to = long_ago;  ///< a start, or a stop, by the app's own word
    Duration extended_by{};         ///< of this stop, at most
    bool killing = false;           ///< its last resort has begun
    Steady outlived_at = long_ago;  ///< something of it that had outlived its SIGKILL still lived
  };
  /// Whom a question was about: an engine, or with `nobody` the service.
  using About = std::pair<std::string, ProcessId>;
  /// To those questions, as they were told; those that were given up count as failed.
  struct Answers {
    int failed = 0;       ///< in a row
    int passed = 0;       ///< in a row
    int most_failed = 0;  ///< in a row, while hardly any passed
  };
  struct Asked {
    core::CommandAct act;
    Steady deadline;
  };
  struct Hooked {
    std::string service;
    Steady deadline;
    bool by_ladder = false;
  };
  struct Open {
    std::size_t rungs = 0;
    std::size_t given_back = 0;  ///< looked at for that
    core::Cause cause{};
    std::string service;
    bool acted = false;
  };

  void breaks(const std::string& law, const std::string& how);

  // laws.cpp
  void take_event(const core::World& world, const core::Event& event);
  void take_looked(const core::Looked& looked);
  void take_samples(const core::World& world, const core::MemorySampled& sampled);
  void take_question(const core::ReadMemory& read);
  void take_question(const core::LookAtEvidence& look);
  void take_end(const core::World& world, const core::ProcessEnded& ended);
  void told_otherwise(const std::string& name, Run& run, bool anew);
  void take_command(const core::World& world, const core::CommandGiven& command);
  void take_record(const core::World& world, const core::Entry& entry);
  void take_states(const core::World& world);
  [[nodiscard]] bool budget_spent_for(const std::string& service) const;
  [[nodiscard]] bool just_died(const std::string& service) const;
  void take_state(const core::World& world, const std::string& name, const core::ServiceLife& life);
  [[nodiscard]] bool exempt(const SimProcess& process) const;
  [[nodiscard]] bool placed(const SimProcess& process) const;
  /// Every fork from the main process down to it was shown by a census while it was to be seen, and what each runs.
  [[nodiscard]] bool known_line(const SimProcess& process) const;
  [[nodiscard]] bool shown_line(const core::World& world, const SimProcess& process) const;
  [[nodiscard]] const EngineRule* rule_of(const core::World& world, const SimProcess& process) const;
  [[nodiscard]] bool is_engine(const core::World& world, const SimProcess& process) const;
  [[nodiscard]] bool below_engine(const core::World& world, const SimProcess& process) const;
  /// It is an engine's worker, and may be an engine itself by now.
  [[nodiscard]] bool owns_engine(const SimProcess& process) const;
  [[nodiscard]] static bool withheld(const core::World& world, bool hard);
  [[nodiscard]] const core::Intervention* entry_of(const core::World& world, core::InterventionId id) const;
  [[nodiscard]] const Service* plan_of(const core::World& world, const std::string& name) const;
  [[nodiscard]] bool up(const std::string& service) const;
  [[nodiscard]] bool stopping(const std::string& service) const;
  [[nodiscard]] bool settled(Duration since_reload) const { return now_.steady - reloaded_ > since_reload; }
  static std::string pid(ProcessId id) { return std::to_string(id.pid); }

  // laws_signals.cpp
  void check_signal(const core::World& world, const core::SendSignal& send, const core::Event& event);
  void check_ask(const core::World& world, const SimProcess& process, Seen& seen, int signal);
  void check_kill(const core::World& world, const SimProcess& process, Seen& seen);
  [[nodiscard]] bool descends(const SimProcess& process, ProcessId ancestor) const;
  [[nodiscard]] bool has_reason(const SimProcess& process) const;
  void check_reason(const core::World& world, const SimProcess& process);
  void check_orphan(const core::World& world, const SimProcess& process, const Seen& seen);
  void check_order(const core::World& world, const SimProcess& process);
  void check_leftover(const core::SignalLeftover& send);
  void check_graces(const core::World& world);
  void check_forwarded(const core::World& world, const core::SignalToForward& forward, const core::Effects& effects);
  [[nodiscard]] bool hard_reached(const core::World& world, const SimProcess& process) const;
  [[nodiscard]] bool is_last_resort(const core::World& world, const SimProcess& process, const Seen& seen) const;

  // laws_runs.cpp
  void check_spawn(const core::World& world, const core::Spawn& spawn);
  void check_backoff(const core::World& world, const core::Spawn& spawn);
  void check_rest(const core::World& world);
  void check_stops(const core::World& world);
  void check_stop_begins(const core::World& world, const std::string& name, const core::ServiceLife& life);
  void check_after_end(const core::World& world, const std::string& name, const Run& run);
  void check_orphans(const core::World& world);
  void check_engines(const core::World& world);
  void check_nobodys(const core::World& world, const core::Entry& entry);
  void enter_backoff(const core::World& world, const std::string& name, Run& run, bool ended);

  // laws_order.cpp
  [[nodiscard]] static bool is_success(const Service& service, const Exit& exit);
  void check_tasks(const core::World& world);
  void check_done(const std::string& name, const Run& run);
  void check_turn(const core::World& world, const Service& service);
  void check_stops_after(const core::World& world, const std::string& name, const core::ServiceLife& life);
  void check_stop_waits(const core::World& world);
  void check_new_engines(const core::World& world, const Service& app);
  void check_survives(const core::World& world, const std::string& name, const core::ServiceLife& life);
  void check_released(const core::World& world, const std::string& app);
  void take_stop_request();
  void check_passed_on(const core::World& world, const core::StopRequested& again, const core::Effects& effects);
  void take_drains(const core::World& world);
  void check_drain_begins(const core::World& world, const std::string& name);
  void check_drained(const Run& run, const SimProcess& process);
  void check_step(const StopPolicy& stop, const Run& run, const SimProcess& process, int signal);
  void check_next_step(const SimProcess& process, Seen& seen, int signal);

  // laws_ladders.cpp
  void check_ledger(const core::World& world);
  void check_opened(const core::World& world, const core::Intervention& one);
  void check_container(const core::World& world, const core::Intervention& one);
  [[nodiscard]] bool container_is_full(const Service& service) const;
  void give_back(const core::World& world);
  void check_rung(const core::World& world, const core::Intervention& one);
  void check_lost(const core::World& world, const core::Intervention& one);
  void check_soft(const core::World& world, const core::Intervention& one);
  void check_one_healer(const core::World& world);
  bool plainly_an_engine(const core::World& world, const SimProcess& process);
  void check_watched(const core::World& world);
  void check_hard(const core::World& world);
  void check_verdict(const core::World& world, const core::Entry& entry);
  void check_withheld(const core::World& world, const core::Entry& entry);
  void note_ended(const core::World& world, const core::Intervention& one);

  // laws_answers.cpp
  void check_hook(const core::World& world, const core::CallHook& call, const core::Event& event);
  void cancel_hook(core::HookId id);
  void take_question(const core::World& world, const core::AskProbe& ask);
  void take_answer(const core::ProbeAnswered& answer);
  void cancel_question(core::ProbeId id);
  void note_answer(const About& about, bool passed);
  [[nodiscard]] bool is_main(const SimProcess& process) const;
  void check_main(const core::World& world, const core::Notified& said);
  void take_extension(const core::World& world, const core::Notified& said);
  void check_hung(const core::World& world, const core::Intervention& one);
  void check_answer(const core::Answer& answer);
  void check_waiting(const core::World& world);
  void check_quit(const core::World& world, const core::Quit& quit);
  void check_stopping(const core::World& world, const core::Event& event);
  void check_nothing(const core::World& world, const core::Effects& effects);

  const Kernel& kernel_;
  core::Now now_{};
  std::string broken_;
  std::string nothing_expected_;
  std::map<ProcessId, Seen> seen_;
  std::map<std::string, Run> runs_;
  std::map<core::CommandId, Asked> asked_;
  std::set<core::CommandId> answered_;
  std::map<core::HookId, Hooked> hooks_;
  std::map<core::ProbeId, About> questions_;
  std::map<About, Answers> answers_;
  std::map<core::InterventionId, Open> open_;
  core::InterventionId last_opened_ = 0;
  std::map<std::string, std::deque<Steady>> acts_;
  core::ContainerRead container_told_;
  std::map<std::string, Steady> cool_;  ///< slot or service → when it has cooled down
  std::vector<core::Entry> said_;       ///< in this step
  Steady reloaded_ = long_ago;
  Steady withheld_at_ = long_ago;
  Steady hidden_at_ = long_ago;  ///< the last census that was not complete
  bool stop_asked_ = false;
  int stop_requests_ = 0;
  Steady stop_requested_ = long_ago;
  Steady no_later_ = core::never;  ///< than this is SIGKILL, since it was asked for again
  bool was_stopping_ = false;
  bool forced_ = false;
  Steady stop_deadline_ = core::never;
  Steady second_{};
  int in_second_ = 0;
  Steady last_step_{};
  Steady deadline_ = core::never;                ///< as it was announced
  Steady woke_ = long_ago;                       ///< the daemon stood still until then: nothing could be done in time
  std::set<std::string> rounds_;                 ///< services with a round at work before this step
  const core::CommandGiven* command_ = nullptr;  ///< that this step answers
};

}  // namespace plimsoll::sim

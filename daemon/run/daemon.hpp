// The daemon: events in, effects out. dispatch() queues what happened, turn() hands the queue to step() one event after
// the other, and perform() does what came of it; this is the only place that reads the clock for the core and the only
// one that acts.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "daemon/api/server.hpp"
#include "daemon/core/step.hpp"
#include "daemon/run/census.hpp"
#include "daemon/run/evidence.hpp"
#include "daemon/run/feed.hpp"
#include "daemon/run/forwarding.hpp"
#include "daemon/run/hook_caller.hpp"
#include "daemon/run/journal.hpp"
#include "daemon/run/launcher.hpp"
#include "daemon/run/leftovers.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/run/members.hpp"
#include "daemon/run/notify_channel.hpp"
#include "daemon/run/output.hpp"
#include "daemon/run/prober.hpp"
#include "daemon/run/ready_pipe.hpp"
#include "daemon/run/reserve.hpp"
#include "daemon/run/signals.hpp"
#include "daemon/run/sources.hpp"
#include "daemon/run/trouble.hpp"
#include "daemon/sys/cgroup.hpp"
#include "daemon/sys/notify.hpp"
#include "daemon/sys/procfs.hpp"
#include "daemon/sys/socket_path.hpp"
#include "daemon/sys/terminal.hpp"

namespace plimsoll::run {

class View;

/// What the command line says beside the plan.
struct Options {
  std::string config;                  ///< path; empty for `-- CMD`
  std::vector<std::string> overrides;  ///< of --set, used again at reload
  bool observe = false;
  Sources sources;
  Forwarding forwarding;  ///< of `-- CMD`
};

class Daemon {
 public:
  Daemon(std::shared_ptr<const Plan> plan, Options options);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Until everything is stopped; returns the exit code (75: another daemon has the socket).
  int run();

 private:
  static constexpr int worth_trimming = 256;

  // daemon.cpp: the loop of events
  void dispatch(core::Event event);
  void turn();
  void take_queue();
  [[nodiscard]] bool look_due() const { return look_wanted_ || own_look_wanted_ || news_wanted_; }
  void go_on_later();
  void arm();
  void take_look();
  void take_news();
  bool news_came();
  void want_look();
  void start_feed();
  void look_for_more();
  void look_at_our_own();
  void queue_around(core::Looked looked);
  void let_go();
  [[nodiscard]] core::Now now() const;
  [[nodiscard]] Duration census_interval() const;
  void tick_census();
  void trim_heap();

  // perform.cpp: one function for each effect
  void perform_all(const core::Effects& effects);
  void tell_all();
  void tell(const core::Record& effect, WallTime at);
  void tell(const core::Answer& effect, WallTime at);
  void tell(const core::Quit& effect, WallTime at);
  void perform(const core::Spawn& effect);
  void perform(const core::SendSignal& effect);
  void perform(const core::Look& effect);
  void perform(const core::ReadMemory& effect);
  void perform(const core::CallHook& effect);
  void perform(const core::ReadContainer& effect);
  void perform(const core::CountPageFaults& effect);
  void perform(const core::CancelHook& effect);
  void perform(const core::AskProbe& effect);
  void perform(const core::CancelProbe& effect);
  void perform(const core::LookAtEvidence& effect);
  void perform(const core::LookForLeftovers& effect);
  void perform(const core::SignalLeftover& effect);
  void perform(const core::DescribeStuck& effect);
  void perform(const core::FlushOutput& effect);
  void perform(const core::Record& effect);
  void perform(const core::Answer& effect);
  void perform(const core::Forget& effect);
  void perform(const core::Quit& effect);
  sys::Result<Output::Ends> output_of(const std::string& service);
  std::optional<Unprepared> lend(const Service& service, core::RunNumber run, Launcher::Lent& lent);
  void learn_life();
  void watch_for_ready(const Service& service, core::RunNumber run);

  // notices.cpp: what runs say of themselves
  sys::Result<std::string> listen_to(const Service& service);
  sys::error_code open_ready_pipe(const Service& service, core::RunNumber run);
  bool take_notification(const std::string& service, const sys::Notification& notification);
  [[nodiscard]] const core::Process* speaker(const std::string& service, int pid) const;

  // command_signals.cpp: `-- CMD`
  void choose_group();
  [[nodiscard]] pid_t command() const;
  std::vector<core::ProcessId> command_group();
  void on_signal_of_command(Signals::Caught caught, const std::string& who);
  void follow_stopped_command();

  // control.cpp: what comes from outside
  bool listen();
  void listen_later();
  void on_signal(Signals::Caught caught);
  void reload(const std::string& by, bool dry_run, std::function<void(wire::Answer)> answer);
  [[nodiscard]] wire::Answer rehearse_reload() const;
  [[nodiscard]] std::string why_not(const config::Loaded& loaded) const;
  void take_command(wire::Command command, std::string by, std::function<void(wire::Answer)> answer);
  api::Backend backend();
  [[nodiscard]] wire::Status status();
  [[nodiscard]] wire::Daemon about(const View& view) const;
  [[nodiscard]] std::map<std::string, std::string> sources() const;
  void tell_watchdog();
  void note(core::Level level, const std::string& sentence);
  void say(const core::Entry& event);
  void say_of_census(core::Level level, const std::string& sentence);
  void say_of(core::EventKind kind, const std::optional<Trouble::Said>& said);
  void say_lost(const char* what, const LineSink::Loss& loss);
  void look_at_memory();

  Reserve reserve_;
  std::shared_ptr<const Plan> plan_;
  Options options_;
  sys::ProcFs proc_;
  sys::Cgroups cgroups_;
  sys::ContainerReader container_ = cgroups_.open_container();
  Loop loop_;
  LineSink out_;
  LineSink err_;
  Life life_;
  Environment inherited_;
  sys::Notifier notifier_;
  sys::StatmBound statm_;
  Journal journal_;
  Members members_;
  Feed feed_;
  Census census_;
  Evidence evidence_;
  Leftovers leftovers_;
  std::optional<sys::Terminal> terminal_;  ///< `-- CMD`: ours, if we have one
  bool own_group_ = true;                  ///< `-- CMD`: the command has a process group of its own
  std::unique_ptr<Preparation> preparation_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<HookCaller> hooks_;
  std::unique_ptr<Prober> prober_;
  std::unique_ptr<Signals> signals_;
  std::optional<sys::ListeningSocket> socket_;
  std::unique_ptr<api::Server> server_;
  Outputs outputs_{loop_, out_, err_};
  std::map<std::string, std::unique_ptr<NotifyChannel>> channels_;
  std::map<std::string, std::unique_ptr<ReadyPipe>> ready_pipes_;  ///< of the run that was launched last

  core::World world_;
  /// What this turn has to tell, at its end.
  struct Said {
    std::variant<core::Record, core::Answer, core::Quit> what;
    WallTime at;
  };
  std::vector<Said> said_;
  std::deque<core::Event> queue_;
  bool posted_ = false;
  bool rest_posted_ = false;  ///< of a turn that was cut
  bool look_wanted_ = false;
  bool news_wanted_ = false;
  bool own_look_wanted_ = false;  ///< at our own children only
  std::map<core::CommandId, std::function<void(wire::Answer)>> answers_;
  core::CommandId next_command_ = 1;
  Alarm deadline_;
  Alarm census_alarm_;
  Alarm watchdog_;
  Alarm listen_alarm_;
  int forgotten_ = 0;  ///< processes, and whole plans at their worth, since the heap was last trimmed
  core::Steady forgotten_at_{};
  Trouble census_trouble_{"the census sees everything again"};
  Trouble memory_trouble_{"there is memory again"};
  bool no_control_said_ = false;
  std::optional<int> exit_code_;
};

}  // namespace plimsoll::run

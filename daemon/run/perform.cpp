// Effects become acts. Each function does one thing of what the core decided and hands what came of it back as an
// event.

#include <malloc.h>

#include <csignal>

#include "daemon/core/lineage.hpp"
#include "daemon/run/daemon.hpp"
#include "daemon/run/stuck.hpp"

namespace plimsoll::run {
namespace {

/// Of a thousand services that start in one turn.
constexpr std::size_t most_said = 256;

}  // namespace

/// What acts is done at once, what is said waits for the end of the turn: between a death and the clone of its
/// replacement no sentence is made into a line.
void Daemon::perform_all(const core::Effects& effects) {
  for (const core::Effect& effect : effects) std::visit([this](const auto& one) { perform(one); }, effect);
  if (said_.size() > most_said) tell_all();
}

void Daemon::tell_all() {
  for (const Said& said : std::exchange(said_, {})) {
    std::visit([this, &said](const auto& what) { tell(what, said.at); }, said.what);
  }
  journal_.write_out();
}

void Daemon::perform(const core::Spawn& effect) {
  const Service* service = core::plan_of(world_, effect.service);
  if (service == nullptr) return;
  Launcher::Lent lent;
  if (const auto why = lend(*service, effect.run, lent))
    return dispatch(core::SpawnFailed{effect.service, effect.run, why->error, why->step, why->message});
  std::visit([this](auto outcome) { dispatch(std::move(outcome)); }, launcher_->launch(*service, effect.run, lent));
  if (const auto pipe = ready_pipes_.find(effect.service); pipe != ready_pipes_.end()) pipe->second->close_child_end();
  watch_for_ready(*service, effect.run);
}

/// The line by which a run says that it is ready.
void Daemon::watch_for_ready(const Service& service, core::RunNumber run) {
  Output* output = outputs_.find(service.name);
  const LogProbe* log = service.ready ? std::get_if<LogProbe>(&service.ready->how) : nullptr;
  if (log == nullptr || output == nullptr) return;
  output->watch_lines([this, name = service.name, run, glob = log->line](std::string_view line) {
    if (!core::glob_matches(glob, line)) return false;
    dispatch(core::ReadySaid{name, run, "it said so in its output"});
    return true;
  });
}

void Daemon::perform(const core::SendSignal& effect) {
  const auto error = members_.send_signal(effect.to, effect.signal);
  // ESRCH: it ended before us, and its end is on its way.
  if (!error || error.value() == ESRCH) return;
  note(core::Level::error, "cannot send " + signal_name(effect.signal) + " to process " +
                               std::to_string(effect.to.pid) + ": " + error.message());
}

void Daemon::perform(const core::Look& effect) {
  (effect.everybody ? look_wanted_ : own_look_wanted_) = true;
}

void Daemon::perform(const core::ReadMemory& effect) {
  core::MemorySampled sampled{members_.read_memory(effect.of, effect.peak, effect.exact)};
  if (!statm_.exact) {
    for (core::Sample& sample : sampled.samples) {
      if (sample.exact) continue;
      const auto stat = statm_.per_thread != 0 ? proc_.stat(sample.id.pid) : sys::Result<sys::Stat>{sys::Stat{}};
      sample.bound = Bytes{statm_.per_process + statm_.per_thread * (stat ? stat->threads : 1)};
    }
  }
  dispatch(std::move(sampled));
}

void Daemon::perform(const core::CountPageFaults&) {
  dispatch(core::PageFaultsCounted{members_.counts().page_faults()});
}

void Daemon::perform(const core::ReadContainer&) {
  const auto found = container_.read();
  dispatch(found ? core::ContainerRead{Bytes{found->limit}, Bytes{found->used}} : core::ContainerRead{});
}

void Daemon::perform(const core::CallHook& effect) {
  hooks_->call(effect);
}
void Daemon::perform(const core::CancelHook& effect) {
  hooks_->cancel(effect.id);
}
void Daemon::perform(const core::AskProbe& effect) {
  prober_->ask(effect);
}
void Daemon::perform(const core::CancelProbe& effect) {
  prober_->cancel(effect.id);
}
void Daemon::perform(const core::LookAtEvidence& effect) {
  dispatch(evidence_.look(effect));
}
/// Who we are, if /proc could not be read at our start. Asked before the first run of each service, which carries it.
void Daemon::learn_life() {
  if (life_.process.start_time != 0) return;
  const auto life = own_life(proc_, plan_->daemon.name);
  if (!life) return;
  life_ = *life;
  census_.set_life(life_);
  leftovers_.set_life(life_);
  launcher_->set_life(life_);
}

void Daemon::perform(const core::LookForLeftovers& effect) {
  learn_life();
  const Service* service = core::plan_of(world_, effect.service);
  dispatch(leftovers_.look(effect.service, service != nullptr ? preparation_->user_of(*service) : std::nullopt));
}

void Daemon::perform(const core::SignalLeftover& effect) {
  const Service* service = core::plan_of(world_, effect.service);
  const auto error = leftovers_.signal(effect, service != nullptr ? preparation_->user_of(*service) : std::nullopt);
  if (error && error.value() != ESRCH) {
    note(core::Level::error, "cannot send " + signal_name(effect.signal) + " to leftover " +
                                 std::to_string(effect.to.pid) + ": " + error.message());
  }
}

void Daemon::perform(const core::DescribeStuck& effect) {
  dispatch(core::StuckDescribed{effect.service, describe_stuck(proc_, cgroups_, effect.processes)});
}

void Daemon::perform(const core::FlushOutput& effect) {
  if (Output* output = outputs_.find(effect.service)) output->run_ended();
}

void Daemon::perform(const core::Record& effect) {
  said_.push_back({effect, now().wall});
}
void Daemon::perform(const core::Answer& effect) {
  said_.push_back({effect, now().wall});
}
void Daemon::perform(const core::Quit& effect) {
  said_.push_back({effect, now().wall});
}

void Daemon::tell(const core::Record& effect, WallTime at) {
  journal_.add(effect.entry, at);
  if (server_) server_->events_added();
}

void Daemon::tell(const core::Answer& effect, WallTime) {
  const auto found = answers_.find(effect.command);
  if (found == answers_.end()) return;
  const auto answer = std::move(found->second);
  answers_.erase(found);
  answer({effect.status, effect.message});
}

void Daemon::perform(const core::Forget& effect) {
  members_.forget(effect.id);
  ++forgotten_;
  forgotten_at_ = std::chrono::steady_clock::now();
}

/// A burst of processes leaves free heap behind that glibc would keep, and the daemon sits in every container: it is
/// given back when all of them are forgotten.
void Daemon::trim_heap() {
  if (forgotten_ < worth_trimming || std::chrono::steady_clock::now() - forgotten_at_ < std::chrono::seconds{2}) return;
  forgotten_ = 0;
  ::malloc_trim(0);
}

void Daemon::tell(const core::Quit& effect, WallTime) {
  const bool is_ok = options_.forwarding.exit_ok.contains(effect.code);
  exit_code_ = is_ok ? 0 : effect.code;
  note(core::Level::info, "everything is stopped, ends with " + std::to_string(*exit_code_) +
                              (is_ok && effect.code != 0 ? " in place of " + std::to_string(effect.code) : ""));
  if (server_) server_->stop_accepting();
  // Answers that are due go out first: they are ready to be written in this turn's handlers.
  loop_.post([this] { loop_.post([this] { loop_.stop(); }); });
}

/// Opens what the run is to be given. The step is the key of the plan where it has one.
std::optional<Unprepared> Daemon::lend(const Service& service, core::RunNumber run, Launcher::Lent& lent) {
  const auto cannot = [](const char* step, const sys::error_code& error) {
    return Unprepared{step, error.value(), error.message()};
  };
  const auto ends = output_of(service.name);
  if (!ends) return cannot("output", ends.error());
  lent.output = *ends;
  auto address = listen_to(service);
  if (!address) return cannot("notify", address.error());
  lent.notify_address = std::move(*address);
  if (const auto error = open_ready_pipe(service, run)) return cannot("ready.fd", error);
  if (const auto pipe = ready_pipes_.find(service.name); pipe != ready_pipes_.end())
    lent.notification_fd = pipe->second->child_end();
  return std::nullopt;
}

/// An error only where it would be another one in a moment: a run's output that is not taken at its start is lost to us
/// for as long as it lives.
sys::Result<Output::Ends> Daemon::output_of(const std::string& service) {
  if (plan_->entrypoint || !socket_) return Output::Ends{};
  const auto opened = outputs_.open(Outputs::folder_of(socket_->path()), service);
  if (!opened && sys::is_shortage(opened.error())) return opened.error();
  if (!opened) {
    note(core::Level::error,
         service + ": cannot take its output: " + opened.error().message() + ", it goes where ours goes");
    return Output::Ends{};
  }
  return (*opened)->child_ends();
}

}  // namespace plimsoll::run

#include "tests/sim/life.hpp"

#include <algorithm>
#include <utility>

#include "tests/sim/plans.hpp"
#include "tests/sim/story.hpp"

namespace plimsoll::sim {
namespace {

using namespace std::chrono_literals;
using namespace core;

constexpr Steady start_of_life{std::chrono::hours{24}};
constexpr WallTime wall_start{std::chrono::sys_days{std::chrono::year{2025} / 6 / 2} + std::chrono::hours{12}};

}  // namespace

Life::Life(std::uint64_t seed, std::vector<Decision> decisions, Pairs& pairs)
    : seed_(seed), decisions_(std::move(decisions)), pairs_(pairs), laws_(kernel_), steady_(start_of_life) {
  Random random(mix(seed, 2));
  plan_ = std::make_shared<const Plan>(random_plan(random));
  census_every_ = random.one_in(3) ? 1s : 250ms;
  next_census_ = steady_ + census_every_;
  kernel_.exit_readable = !random.one_in(3);
  kernel_.tag_readable = !random.one_in(3);
  connector_ = random.one_in(2);
  thorough = random.one_in(12);  // it costs as much as ten steps
  kernel_.on_death = [this](SimProcess& process) { died(process); };
  kernel_.on_reaped = [this](SimProcess& process) { reaped(process); };
  kernel_.on_fork = [this](const SimProcess& child) { forked(child); };
  kernel_.end_later = [this](ProcessId id) {
    later(Duration{200 + static_cast<Duration::rep>(mix(seed_, id.start_time) % 2'500)},
          [this, id] { kernel_.end(id, exited(0), steady_); });
  };
  // An earlier daemon's run left something behind.
  for (std::uint64_t i = random.below(8); i > 5; --i) {
    SimProcess& left = kernel_.stranger(steady_);
    left.outside = true;
    left.leftover_of = plan_->services[random.below(plan_->services.size())].name;
    if (random.one_in(2)) left.on_stop = OnStop::ignores;
    const ProcessId id = left.id;
    if (random.one_in(2)) later(5s, [this, id] { kernel_.end(id, exited(0), steady_); });
  }
}

void Life::live() {
  world_ = make_world(plan_, Machine{mix(seed_, 3), Bytes{}}, now());
  laws_.begin(world_);
  if (tell_story) note(describe(*plan_));
  happens(DaemonStarted{});
  for (const Decision& decision : decisions_) {
    if (!broken().empty() || quit_) return;
    if (tell_story) note("* " + to_text(decision));
    decide(decision);
  }
}

Now Life::now() const {
  return {steady_, std::chrono::time_point_cast<std::chrono::milliseconds>(wall_start + (steady_ - start_of_life) +
                                                                           wall_shift_)};
}

void Life::note(const std::string& line) {
  const auto at = std::chrono::duration_cast<Duration>(steady_ - start_of_life).count();
  story_.push_back(std::to_string(at / 1000) + "." + std::to_string(1000 + at % 1000).substr(1) + "  " + line);
  if (story_.size() > 4'000) story_.pop_front();
}

void Life::later(Duration delay, std::function<void()> what) {
  agenda_.emplace(steady_ + delay, std::move(what));
}

void Life::pass(Duration duration) {
  const Steady until = steady_ + duration;
  while (broken().empty() && !quit_) {
    const Steady deadline = next_deadline(world_);
    const Steady first = agenda_.empty() ? never : agenda_.begin()->first;
    const Steady next = std::min({until, deadline, next_census_, first});
    steady_ = std::max(steady_, next);
    if (first <= steady_) {
      const auto what = std::move(agenda_.begin()->second);
      agenda_.erase(agenda_.begin());
      what();
      drain();
    } else if (next_census_ <= steady_) {
      // A long time of one history need not be looked through.
      next_census_ = steady_ + (duration > 5s ? 2s : census_every_);
      look_wanted_ = true;
      drain();
    } else if (deadline <= steady_) {
      happens(DeadlineReached{});
    } else if (steady_ >= until) {
      return;
    }
  }
}

void Life::happens(Event event) {
  queue_.push_back(std::move(event));
  drain();
}

void Life::drain() {
  if (draining_) return;
  draining_ = true;
  const std::size_t before = steps_;
  while ((!queue_.empty() || wants_look()) && broken().empty() && !quit_) {
    if (queue_.empty()) {
      look_for_more();
      continue;
    }
    const Event event = std::move(queue_.front());
    queue_.pop_front();
    step_with(event);
  }
  draining_ = false;
  if (steps_ != before && broken().empty() && !quit_) laws_.at_rest(world_, steady_);
}

void Life::step_with(const Event& event) {
  ++steps_;
  const bool wall_was_set = std::exchange(wall_moved_, false);
  pairs_.note(world_, event);
  laws_.before(world_, event, now());
  if (thorough) laws_.nobody_left_out(world_, "before the step", wall_was_set);
  const Effects effects = step(world_, event, now());
  if (tell_story) {
    for (const std::string& line : describe(event, effects)) note(line);
  }
  laws_.after(world_, event, effects, now());
  if (thorough) laws_.nobody_left_out(world_, "after the step", wall_was_set);
  for (const Effect& effect : effects) {
    std::visit([this](const auto& one) { perform(one); }, effect);
  }
}

/// A look takes a moment. Who was seen re-parented has a parent whose death is known before.
void Life::take_look() {
  look_wanted_ = own_look_wanted_ = false;
  const Steady began = steady_;
  steady_ += 1ms;
  tell_ends();
  Looked looked;
  take_news(looked);
  const auto hidden = [this](const SimProcess& process) {
    return mix(seed_, process.id.start_time, ++draws_) % 8 < moods_.hidden;
  };
  kernel_.look(steady_, hidden, looked);
  looked.began = began;
  if (moods_.hidden > 0 && mix(seed_, 11, ++draws_) % 2 == 0) looked.complete = false;
  queue_.emplace_back(std::move(looked));
  for (const ProcessId& id : std::exchange(late_ends_, {})) tell_end(id);
}

void Life::tell_ends() {
  for (const ProcessId& id : std::exchange(ends_, {})) tell_end(id);
}

void Life::tell_end(ProcessId id) {
  const SimProcess* process = kernel_.find(id);
  const bool ours = process->parent == nobody;
  const bool readable = ours || kernel_.exit_readable;
  // Read late, or only after it was reaped, or never.
  const bool late = readable && !ours && mix(seed_, id.start_time, 17) % 2 == 0;
  std::optional<Exit> exit = readable && !late ? std::optional{process->exit} : std::nullopt;
  if (exit) exit->at = now().wall;
  queue_.emplace_back(ProcessEnded{id, exit, ours});
  stale_.push_back(queue_.back());
  if (!ours && process->reaped) queue_.emplace_back(ProcessReaped{id, std::nullopt});
  if (late && mix(seed_, id.start_time, 18) % 3 != 0) {
    const Exit read = process->exit;
    const std::uint64_t within = mix(seed_, id.start_time, 20) % 3 == 0 ? 1'500 : 12;
    later(Duration{static_cast<Duration::rep>(mix(seed_, id.start_time, 19) % within)}, [this, id, read] {
      happens(ExitRead{id, read});
    });
  }
}

void Life::died(SimProcess& process) {
  if (tell_story)
    note("  (" + process.command.comm + " " + std::to_string(process.id.pid) + " of " + process.service + " ends)");
  if (process.told || process.own_child) {
    const ProcessId id = process.id;
    ends_.push_back(id);
    // The descriptor is readable at once; that it is read takes a moment now and then.
    const auto delay =
        static_cast<Duration::rep>(mix(seed_, id.start_time, 23) % 4 == 0 ? mix(seed_, id.start_time) % 30 : 0);
    later(Duration{delay}, [this, id] {
      if (std::erase(ends_, id) != 0) tell_end(id);
    });
  }
  const ProcessId id = process.id;
  const SimProcess* parent = kernel_.find(process.parent);
  if (parent != nullptr && parent->reaps)
    later(parent->reap_delay, [this, id] {
      const SimProcess* by = kernel_.find(kernel_.find(id)->parent);
      if (by == nullptr || by->alive()) kernel_.reap(id);
    });
  if (!process.rule.empty()) heal_engine(process);
  if (process.rule.empty() && process.command.argv.back() == "worker") heal_worker(process);
}

void Life::reaped(SimProcess& process) {
  const ProcessId id = process.id;
  if (process.own_child || !process.told || std::find(ends_.begin(), ends_.end(), id) != ends_.end()) return;
  const std::optional<Exit> exit =
      kernel_.exit_readable && mix(seed_, id.start_time, 29) % 2 == 0 ? std::optional{process.exit} : std::nullopt;
  if (mix(seed_, id.start_time, 31) % 2 == 0) {
    const std::uint64_t within = mix(seed_, id.start_time, 35) % 4 == 0 ? 2'500 : 60;
    later(Duration{static_cast<Duration::rep>(mix(seed_, id.start_time, 37) % within)}, [this, id, exit] {
      happens(ProcessReaped{id, exit});
    });
  } else {
    queue_.emplace_back(ProcessReaped{id, exit});
  }
}

}  // namespace plimsoll::sim

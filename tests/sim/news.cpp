// The simulation's process connector: forks are told in their order and by their forker, exec and setsid at the next
// taking, and who is gone by then only where something that it forked lives (daemon/run/census_news.cpp does it so). It
// can fail and come back; the look at everybody is the truth behind it.
#include <utility>

#include "tests/sim/life.hpp"

namespace plimsoll::sim {

using namespace std::chrono_literals;
using namespace core;

void Life::forked(const SimProcess& child) {
  if (!connector_) return;
  news_.push_back(child.id);
  later(Duration{static_cast<Duration::rep>(mix(seed_, child.id.start_time, 61) % 4)}, [this] { news_due_ = true; });
}

void Life::change_connector(const Decision& d) {
  news_.clear();
  unseen_.clear();
  connector_ = d.a % 3 != 0;
  look_wanted_ = true;  // what it told last, or did not tell, is looked for
}

bool Life::is_ours(ProcessId id) const {
  const SimProcess* process = kernel_.find(id);
  return process != nullptr && (process->told || process->own_child || unseen_.contains(id));
}

/// The least that will do.
void Life::look_for_more() {
  if (look_wanted_) return take_look();
  if (own_look_wanted_) return take_own_look();
  Looked looked;
  looked.everybody = looked.complete = false;
  take_news(looked);
  if (!looked.fresh.empty() || !looked.changed.empty()) queue_.emplace_back(std::move(looked));
  for (const ProcessId& id : std::exchange(late_ends_, {})) tell_end(id);
}

/// Enough to say who is empty, while each of our own children is known.
void Life::take_own_look() {
  own_look_wanted_ = false;
  tell_ends();
  Looked told;
  told.everybody = told.complete = false;
  take_news(told);
  if (!told.fresh.empty() || !told.changed.empty()) queue_.emplace_back(std::move(told));
  for (const ProcessId& id : std::exchange(late_ends_, {})) tell_end(id);
  if (!kernel_.all_our_own_known()) return take_look();
  Looked looked;
  looked.everybody = false;
  looked.our_own = true;
  queue_.emplace_back(std::move(looked));
}

void Life::take_news(Looked& looked) {
  news_due_ = false;
  if (!connector_) return;
  for (const ProcessId& id : std::exchange(news_, {})) {
    SimProcess& child = *kernel_.find(id);
    if (child.told || child.outside || !is_ours(child.forker)) continue;
    if (child.reaped) {
      unseen_.insert(id);
      continue;
    }
    tell_unseen(child.forker, looked);
    if (!child.alive()) late_ends_.push_back(id);
    kernel_.sight(child, steady_, looked, child.forker);
  }
  unseen_.clear();
  for (SimProcess* process : kernel_.living()) {
    const bool named = process->told_argv != process->command.argv || process->told_session != process->session;
    if (process->told && named) kernel_.sight(*process, steady_, looked);
  }
}

/// With those above it, uppermost first.
void Life::tell_unseen(ProcessId id, Looked& looked) {
  SimProcess& process = *kernel_.find(id);
  if (process.told || !unseen_.contains(id)) return;
  tell_unseen(process.forker, looked);
  Kernel::sight_unseen(process, steady_, kernel_.exit_readable && mix(seed_, id.start_time, 67) % 3 != 0, looked);
}

}  // namespace plimsoll::sim

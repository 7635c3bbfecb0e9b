// Memory of members, read through descriptors that are held: /proc/PID/statm, opened once.
#include <vector>

#include "daemon/run/members.hpp"

namespace plimsoll::run {
namespace {

/// The leader of a process may be dead while other threads live and hold its memory: then they have the answer.
/// Nothing: that could not be read; 0: none of them has any.
std::optional<std::uint64_t> rss_by_a_thread(const std::string& proc_root, core::ProcessId id) {
  const sys::ProcFs threads(proc_root + "/" + std::to_string(id.pid) + "/task");
  const auto listed = threads.list();
  if (!listed) return std::nullopt;
  for (const auto& thread : *listed) {
    if (thread.pid == id.pid) continue;
    const auto statm = threads.open_statm(thread.pid);
    const auto rss = statm ? sys::read_statm_resident(*statm) : std::nullopt;
    if (rss && *rss > 0) return rss;
  }
  return 0;
}

}  // namespace

/// Nothing: it is dead, or cannot be read now. Whatever was read by its pid was its own if it lives afterwards.
std::optional<std::uint64_t> Members::read_rss(Member& member) {
  if (!member.statm_) {
    auto statm = proc_.open_statm(member.id.pid);
    if (!statm || sys::has_ended(member.pidfd)) return std::nullopt;
    member.statm_ = std::move(*statm);
  }
  const auto rss = sys::read_statm_resident(member.statm_);
  if (!rss || *rss > 0) return rss;
  const auto by_thread = rss_by_a_thread("/proc", member.id);
  if (sys::has_ended(member.pidfd)) return std::nullopt;
  return by_thread;
}

std::vector<core::Sample> Members::read_memory(const std::vector<core::ProcessId>& of, bool peak, bool exact) {
  std::vector<core::Sample> samples;
  samples.reserve(of.size());
  for (const auto& id : of) {
    Member* const member = table_.find(id);
    if (member == nullptr || member->ended) continue;
    const auto rss = read_rss(*member);
    if (!rss) continue;
    core::Sample sample;
    sample.id = id;
    sample.rss = Bytes{*rss};
    const auto exact_rss = exact ? proc_.exact_rss(id.pid) : std::nullopt;
    const auto peak_rss = peak ? proc_.peak_rss(id.pid) : std::nullopt;
    const bool alive = !(peak || exact) || !sys::has_ended(member->pidfd);
    if (alive && exact_rss) {
      sample.rss = Bytes{*exact_rss};
      sample.exact = true;
    }
    if (alive && peak_rss) sample.peak = Bytes{*peak_rss};
    samples.push_back(sample);
  }
  return samples;
}

}  // namespace plimsoll::run

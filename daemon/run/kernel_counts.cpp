#include "daemon/run/kernel_counts.hpp"

#include <utility>

namespace plimsoll::run {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds between_countings{1};
/// A large process is dying for a while after the count rose.
constexpr seconds explains_for{2};

}  // namespace

KernelCounts::KernelCounts(sys::ProcFs proc, sys::GroupOomKills group_kills)
    : proc_(std::move(proc)), group_kills_(std::move(group_kills)) {
  watch();
}

void KernelCounts::watch() {
  if (steady_clock::now() - counted_at_ >= between_countings) count_kills();
}

bool KernelCounts::oom_killed_lately() {
  count_kills();
  return rose_at_ && steady_clock::now() - *rose_at_ < explains_for;
}

std::optional<std::uint64_t> KernelCounts::page_faults() {
  const sys::VmStat found = read_vmstat();
  group_kills_.is_open() ? watch() : note(found.oom_kills);
  return found.faulted_pages;
}

void KernelCounts::count_kills() {
  if (!group_kills_.is_open()) return note(read_vmstat().oom_kills);
  const auto kills = group_kills_.read();
  if (kills) return note(kills);
  // Our group is gone, or cannot be read. Another count has nothing to do with what was noted of this one.
  group_kills_ = {};
  kills_.reset();
  note(read_vmstat().oom_kills);
}

void KernelCounts::note(std::optional<std::uint64_t> kills) {
  const auto now = steady_clock::now();
  if (kills && kills_ && *kills > *kills_) rose_at_ = now;
  kills_ = kills;
  counted_at_ = now;
}

sys::VmStat KernelCounts::read_vmstat() {
  if (!vmstat_) {
    if (auto opened = proc_.open_vmstat()) vmstat_ = std::move(*opened);
  }
  return vmstat_ ? sys::read_vmstat(vmstat_) : sys::VmStat{};
}

}  // namespace plimsoll::run

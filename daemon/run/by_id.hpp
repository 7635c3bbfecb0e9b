// A table of what belongs to processes, by ProcessId. It is one sorted list: a thousand processes are looked up in it,
// and walked, for half the memory of a std::map, and as pids grow nearly all newcomers stand at its end. Entries stay
// where they are in memory until they are erased.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "daemon/core/ids.hpp"

namespace plimsoll::run {

template <class T>
class ById {
 public:
  struct Entry {
    core::ProcessId id;
    std::unique_ptr<T> held;
  };

  [[nodiscard]] auto begin() const { return entries_.begin(); }
  [[nodiscard]] auto end() const { return entries_.end(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  /// Null: there is none.
  [[nodiscard]] T* find(core::ProcessId id) const {
    const auto at = place_of(id);
    return at == entries_.end() || at->id != id ? nullptr : at->held.get();
  }
  /// Of those that had the pid the one that started last, or null.
  [[nodiscard]] T* find_last(int pid) const {
    const auto after = place_of({pid + 1, 0});
    return after == entries_.begin() || (after - 1)->id.pid != pid ? nullptr : (after - 1)->held.get();
  }
  /// The one that is there, or a new one.
  T& operator[](core::ProcessId id) {
    auto at = place_of(id);
    if (at == entries_.end() || at->id != id) at = entries_.insert(at, Entry{id, std::make_unique<T>()});
    return *at->held;
  }
  void erase(core::ProcessId id) {
    if (const auto at = place_of(id); at != entries_.end() && at->id == id) entries_.erase(at);
  }
  template <class Fits>
  void erase_if(Fits fits) {
    std::erase_if(entries_, [&](const Entry& entry) { return fits(entry.id); });
  }

 private:
  [[nodiscard]] auto place_of(core::ProcessId id) const {
    return std::lower_bound(entries_.begin(), entries_.end(), id,
                            [](const Entry& entry, core::ProcessId sought) { return entry.id < sought; });
  }

  std::vector<Entry> entries_;
};

}  // namespace plimsoll::run

// A table by pid of small values that have a member `pid`, in one sorted list: it takes no more than they do.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <vector>

namespace plimsoll::run {

template <class T>
class ByPid {
 public:
  /// Null: there is none. Valid until the next change.
  [[nodiscard]] const T* find(pid_t pid) const {
    const auto at = first_from(values_, pid);
    return at == values_.end() || at->pid != pid ? nullptr : &*at;
  }
  [[nodiscard]] auto begin() { return values_.begin(); }
  [[nodiscard]] auto end() { return values_.end(); }
  /// Where it is, or would be put.
  [[nodiscard]] auto place_of(pid_t pid) { return first_from(values_, pid); }
  /// In place of the one with that pid, if any.
  void put(const T& value) {
    const auto at = place_of(value.pid);
    if (at == values_.end() || at->pid != value.pid) {
      values_.insert(at, value);
    } else {
      *at = value;
    }
  }
  void erase(pid_t pid) {
    if (const auto at = place_of(pid); at != values_.end() && at->pid == pid) values_.erase(at);
  }
  template <class Fits>
  void erase_if(Fits fits) {
    std::erase_if(values_, fits);
  }
  void clear() { values_.clear(); }

 private:
  template <class Values>
  static auto first_from(Values& values, pid_t pid) {
    return std::lower_bound(values.begin(), values.end(), pid,
                            [](const T& value, pid_t sought) { return value.pid < sought; });
  }

  std::vector<T> values_;
};

}  // namespace plimsoll::run

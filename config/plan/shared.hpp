// For what is large and nearly always the same: a thousand services have one environment, one ladder, one user. A
// Shared<T> is a value as T is, copied and compared as one; copies hold it together until one of them is edited.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace plimsoll {

template <class T>
class Shared {
 public:
  /// T's own default, which takes no memory.
  Shared() = default;
  template <class From>  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): copies are not taken by it
  requires(!std::same_as<std::remove_cvref_t<From>, Shared> && std::convertible_to<From, T>) Shared(From&& from)
      : held_(std::make_shared<T>(std::forward<From>(from))) {}
  template <class From = T>  // NOLINTNEXTLINE(misc-unconventional-assign-operator): as of std::optional
  requires(!std::same_as<std::remove_cvref_t<From>, Shared> && std::convertible_to<From, T>) Shared& operator=(
      From&& from) {
    held_ = std::make_shared<T>(std::forward<From>(from));
    return *this;
  }

  [[nodiscard]] const T& operator*() const { return held_ ? *held_ : usual(); }
  [[nodiscard]] const T* operator->() const { return &**this; }
  operator const T&() const { return **this; }

  /// To be changed here alone: what others hold stays as it is. Valid until the next copy of this one is made.
  T& edit() {
    if (!held_ || held_.use_count() > 1) held_ = std::make_shared<T>(**this);
    return *held_;
  }

  friend bool operator==(const Shared& a, const Shared& b) { return a.held_ == b.held_ || *a == *b; }

 private:
  static const T& usual() {
    static const T value{};
    return value;
  }
  std::shared_ptr<T> held_;
};

/// Lets equal values that come one after the other be held once. It knows the last few different ones, so that a
/// thousand that differ cost no more than a thousand that do not.
template <class T>
class Alike {
 public:
  /// The value stays the same; who holds it may be another.
  void share(Shared<T>& value) {
    const auto same = std::find(last_.begin(), last_.end(), value);
    if (same != last_.end()) {
      value = *same;
    } else {
      last_.at(next_++ % last_.size()) = value;
    }
  }

 private:
  std::array<Shared<T>, 16> last_;
  std::size_t next_ = 0;
};

}  // namespace plimsoll

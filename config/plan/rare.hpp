// For a member that most of its owners do not have: a std::optional that is a pointer wide while it is empty.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace plimsoll {

/// Used as a std::optional is; the value is on the heap. A copy has a value of its own, and two are equal by value.
template <class T>
class Rare {
 public:
  Rare() = default;
  Rare(std::nullopt_t) {}
  template <class From>  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): copies are not taken by it
  requires(!std::same_as<std::remove_cvref_t<From>, Rare> && std::constructible_from<T, From>) Rare(From&& from)
      : held_(std::make_unique<T>(std::forward<From>(from))) {}

  Rare(const Rare& other) : held_(other ? std::make_unique<T>(*other) : nullptr) {}
  Rare(Rare&& other) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    held_ = std::move(other.held_);
    return *this;
  }
  ~Rare() = default;

  [[nodiscard]] bool has_value() const { return held_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  [[nodiscard]] T& operator*() { return *held_; }
  [[nodiscard]] const T& operator*() const { return *held_; }
  [[nodiscard]] T* operator->() { return held_.get(); }
  [[nodiscard]] const T* operator->() const { return held_.get(); }

  T& emplace() { return *(held_ = std::make_unique<T>()); }
  void reset() { held_.reset(); }

  friend bool operator==(const Rare& a, const Rare& b) { return a && b ? *a == *b : a.has_value() == b.has_value(); }

 private:
  std::unique_ptr<T> held_;
};

}  // namespace plimsoll

// A std::map that looks first where it looked last, and one further. A step asks for the same service, and for the same
// process, dozens of times, and a step about everybody walks them in order: among a thousand each of these searches
// costs ten comparisons with strings that are in no cache. The entries, their order and what makes an iterator invalid
// are those of the std::map.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

namespace plimsoll::core {

template <class Key, class T>
class RecentMap {
  using Map = std::map<Key, T>;

 public:
  using iterator = typename Map::iterator;
  using const_iterator = typename Map::const_iterator;

  RecentMap() = default;
  ~RecentMap() = default;
  // What was found last is a place in the other one's map.
  RecentMap(const RecentMap& other) : all_(other.all_) {}
  RecentMap(RecentMap&& other) noexcept : all_(std::move(other.all_)) { other.recent_.reset(); }
  RecentMap& operator=(const RecentMap& other) {
    recent_.reset();
    all_ = other.all_;
    return *this;
  }
  RecentMap& operator=(RecentMap&& other) noexcept {
    all_ = std::move(other.all_);
    recent_.reset();
    other.recent_.reset();
    return *this;
  }

  [[nodiscard]] iterator begin() { return all_.begin(); }
  [[nodiscard]] iterator end() { return all_.end(); }
  [[nodiscard]] const_iterator begin() const { return all_.begin(); }
  [[nodiscard]] const_iterator end() const { return all_.end(); }
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

  [[nodiscard]] const_iterator find(const Key& key) const { return look_up(key); }
  [[nodiscard]] iterator find(const Key& key) { return writable(look_up(key)); }
  [[nodiscard]] const_iterator lower_bound(const Key& key) const { return all_.lower_bound(key); }
  [[nodiscard]] bool contains(const Key& key) const { return look_up(key) != all_.end(); }
  /// std::out_of_range where it is not there.
  [[nodiscard]] const T& at(const Key& key) const {
    const const_iterator found = look_up(key);
    return found == all_.end() ? all_.at(key) : found->second;
  }
  [[nodiscard]] T& at(const Key& key) {
    const iterator found = find(key);
    return found == all_.end() ? all_.at(key) : found->second;
  }

  T& operator[](const Key& key) { return try_emplace(key).first->second; }
  template <class... Args>
  std::pair<iterator, bool> try_emplace(const Key& key, Args&&... args) {
    if (const const_iterator found = look_up(key); found != all_.end()) return {writable(found), false};
    return all_.try_emplace(key, std::forward<Args>(args)...);
  }
  iterator erase(const_iterator at) {
    recent_.reset();
    return all_.erase(at);
  }
  void erase(const Key& key) {
    recent_.reset();
    all_.erase(key);
  }
  void clear() {
    recent_.reset();
    all_.clear();
  }

  friend bool operator==(const RecentMap& left, const RecentMap& right) { return left.all_ == right.all_; }

 private:
  [[nodiscard]] const_iterator look_up(const Key& key) const {
    if (recent_) {
      if ((*recent_)->first == key) return *recent_;
      const const_iterator next = std::next(*recent_);
      if (next != all_.end() && next->first == key) return *(recent_ = next);
    }
    const const_iterator found = all_.find(key);
    if (found != all_.end()) recent_ = found;
    return found;
  }
  /// The same place: erasing an empty range is the one conversion that a map offers.
  [[nodiscard]] iterator writable(const_iterator at) { return all_.erase(at, at); }

  Map all_;
  mutable std::optional<const_iterator> recent_;
};

}  // namespace plimsoll::core

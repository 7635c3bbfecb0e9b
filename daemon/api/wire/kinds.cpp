#include "daemon/api/wire/kinds.hpp"

#include <algorithm>

#include "daemon/api/wire/json.hpp"

namespace plimsoll::wire {

void Members::find(Frame& frame, std::string_view key, std::string& wrong) const {
  // Our own daemon writes the members in the order in which they are listed; any other order is found too.
  std::size_t index = frame.next;
  while (index < list_.size() && list_[index].key != key) ++index;
  if (index == list_.size()) index = index_of(key);
  if (index == list_.size()) {
    if (refuses_others_) wrong = "has no key " + json_text(key.substr(0, 64)) + "; there are: " + names();
    frame.key = {};
    frame.member = {&anything(), nullptr};
    return;
  }
  const Member& found = list_[index];
  const std::uint64_t bit = std::uint64_t{1} << index;
  frame.key = found.key;
  frame.member = {found.kind, static_cast<std::byte*>(frame.slot.at) + found.distance};
  frame.next = index + 1;
  if (frame.seen & bit) wrong = "is there twice";
  frame.seen |= bit;
}

/// list_.size(): there is none.
std::size_t Members::index_of(std::string_view key) const {
  const auto found = std::find_if(list_.begin(), list_.end(), [&](const Member& member) { return member.key == key; });
  return static_cast<std::size_t>(found - list_.begin());
}

void Members::close(Frame& frame, std::string& wrong) const {
  for (std::size_t i = 0; i < list_.size(); ++i) {
    if (!list_[i].must || (frame.seen & (std::uint64_t{1} << i))) continue;
    frame.key = list_[i].key;
    wrong = "is missing";
    return;
  }
}

std::string Members::names() const {
  std::string names;
  for (const Member& member : list_) {
    if (member.key != "schema") names += (names.empty() ? "" : ", ") + std::string(member.key);
  }
  return names;
}

}  // namespace plimsoll::wire

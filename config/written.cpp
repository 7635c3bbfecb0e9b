#include "config/written.hpp"

#include <algorithm>
#include <charconv>

namespace plimsoll::config {
namespace {

constexpr std::size_t longest_shown = 60;

/// One line, short enough for a message.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text.substr(0, longest_shown)) {
    line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  if (text.size() <= longest_shown) return line;
  while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) line.pop_back();
  if (!line.empty() && static_cast<unsigned char>(line.back()) >= 0xc0) line.pop_back();
  return line + "...";
}

struct Shown {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const {
    char buffer[32];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
  }
  std::string operator()(const std::string& value) const { return one_line(value); }
  std::string operator()(const Moment& value) const { return value.text; }
  std::string operator()(const List& list) const {
    std::string text = "[";
    for (const Value& element : list) {
      if (text.size() > longest_shown) break;
      const bool quote = std::holds_alternative<std::string>(element.is);
      text += (text.size() == 1 ? "" : ", ") + std::string{quote ? "\"" : ""} + shown(element) + (quote ? "\"" : "");
    }
    return one_line(text + "]");
  }
  std::string operator()(const Table&) const { return "a table"; }
};

}  // namespace

const Member* Table::find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(), [key](const Member& m) { return m.key == key; });
  return found == members.end() ? nullptr : &*found;
}

std::string shown(const Value& value) {
  return std::visit(Shown{}, value.is);
}

std::string spelled_key(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? std::string{key} : "\"" + one_line(key) + "\"";
}

void merge(Table& base, Table over) {
  for (Member& member : over.members) {
    const auto same = std::find_if(base.members.begin(), base.members.end(),
                                   [&member](const Member& m) { return m.key == member.key; });
    if (same == base.members.end()) {
      base.members.push_back(std::move(member));
      continue;
    }
    Table* below = std::get_if<Table>(&same->value.is);
    Table* above = std::get_if<Table>(&member.value.is);
    if (below != nullptr && above != nullptr) {
      merge(*below, std::move(*above));
    } else {
      *same = std::move(member);
    }
  }
}

}  // namespace plimsoll::config

// The configuration as written: a tree of values, each of which knows where it stands. It is what is left of TOML
// after parse.cpp, so that one translation unit pays for toml++ and the rest reads plain structs. Members keep the
// order of the file: rules are tried in the order in which a person wrote them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace plimsoll::config {

/// Ordered as problems are: the files as they are read, then each override.
struct Place {
  int source = 0;  ///< which file; behind the files, which override
  int line = 0;
  int column = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Value;
struct Member;
using List = std::vector<Value>;

struct Table {
  std::vector<Member> members;
  [[nodiscard]] const Member* find(std::string_view key) const;
};

/// A date or a time, which no key takes; as text, for the message.
struct Moment {
  std::string text;
};

struct Value {
  Place place;
  std::variant<bool, std::int64_t, double, std::string, Moment, List, Table> is;
};

struct Member {
  std::string key;
  Place place;
  Value value;
};

/// How a message shows a value: a text bare, a number as written, "a table", shortened when it is long.
std::string shown(const Value& value);

/// `key` with the quotes that TOML wants, where it wants them.
std::string spelled_key(std::string_view key);

/// TOML, or the one place where it stops being TOML.
std::variant<Value, Problem> parse_toml(std::string_view text, const std::string& name, int source);

/// "KEY=VALUE" of --set, VALUE in TOML or a bare word.
std::variant<Value, Problem> parse_override(const std::string& text, int source);

/// Puts `over` on top of `base`: tables are merged, anything else is replaced.
void merge(Table& base, Table over);

}  // namespace plimsoll::config

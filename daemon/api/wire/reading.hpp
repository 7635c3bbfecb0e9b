// A body's text into a struct.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "daemon/api/wire/json.hpp"
#include "daemon/api/wire/kinds.hpp"

namespace plimsoll::wire {

/// The value of "schema", whatever stands there: another one is said in preference to all that follows from it.
struct SchemaNumber {
  bool there = false;
  std::int64_t value = 0;  ///< 0: no whole number
};

template <>
class KindOf<SchemaNumber> final : public Kind {
 public:
  KindOf() : Kind("") {}
  void put(void* at, bool, std::string&) const override { take(at, 0); }
  void put(void* at, std::int64_t value, std::string&) const override { take(at, value); }
  void put(void* at, std::uint64_t, std::string&) const override { take(at, 0); }
  void put(void* at, double, std::string&) const override { take(at, 0); }
  void put(void* at, std::string_view, std::string&) const override { take(at, 0); }
  void put(void* at, std::nullptr_t, std::string&) const override { take(at, 0); }
  Slot object(void* at) const override { return other(at); }
  Slot array(void* at) const override { return other(at); }

 private:
  static void take(void* at, std::int64_t value) { *static_cast<SchemaNumber*>(at) = {true, value}; }
  static Slot other(void* at) {
    take(at, 0);
    return {&anything(), nullptr};
  }
};

/// Fills what `root` is about from a text that comes in pieces, cut anywhere.
class TextReader {
 public:
  explicit TextReader(Slot root);
  ~TextReader();
  void add(std::string_view piece);
  /// There is no more of it. `schema` is among the members of `root`. What is wrong with the text, or nothing.
  [[nodiscard]] std::string finish(const SchemaNumber& schema, bool needs_schema);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

/// `list` names the members of the body, beside its schema. An unknown one is a mistake where a schema need not be
/// given: in a command.
template <class T, class List>
Parsed<T> read_body(std::string_view text, List list, bool is_command = false) {
  struct Body {
    SchemaNumber schema;
    T value;
  } body;
  Members members(&body);
  members.also("schema", body.schema);
  list(members, body.value);
  if (is_command) members.refuse_others();
  const ObjectKind kind(std::move(members));
  TextReader reader({&kind, &body});
  reader.add(text);
  std::string wrong = reader.finish(body.schema, !is_command);
  if (!wrong.empty()) return Parsed<T>(std::in_place_index<1>, std::move(wrong));
  return Parsed<T>(std::in_place_index<0>, std::move(body.value));
}

}  // namespace plimsoll::wire

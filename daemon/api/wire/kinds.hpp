// What a stream of JSON values fills: structs, by the same list of fields that writes them, without a tree of values in
// between. A Kind knows how one type is filled and is given the address of what it fills. It says which rule a value
// breaks; where that was, the reader knows (reading.cpp).
#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/api/wire/fields.hpp"

namespace plimsoll::wire {

class Kind;

/// Where the next value goes.
struct Slot {
  const Kind* kind = nullptr;
  void* at = nullptr;
};

/// An object or array that is open.
struct Frame {
  Slot slot;
  Slot member;             ///< of an object: what its last key stands for
  std::string_view key{};  ///< that key, if it is known
  std::size_t next = 0;    ///< of an array: its elements so far; of an object: the member that should follow
  std::uint64_t seen = 0;  ///< of an object: one bit for each member
  bool is_array = false;
};

class Kind {
 public:
  explicit Kind(const char* must) : must_(must) {}
  virtual ~Kind() = default;

  /// Each leaves `wrong` empty, or says there which rule the value breaks.
  virtual void put(void*, bool, std::string& wrong) const { wrong = must_; }
  virtual void put(void*, std::int64_t, std::string& wrong) const { wrong = must_; }
  virtual void put(void*, std::uint64_t, std::string& wrong) const { wrong = must_; }
  virtual void put(void*, double, std::string& wrong) const { wrong = must_; }
  virtual void put(void*, std::string_view, std::string& wrong) const { wrong = must_; }
  virtual void put(void*, std::nullptr_t, std::string& wrong) const { wrong = must_; }
  /// What takes the members, or the elements; none: this is no place for an object, or array.
  virtual Slot object(void*) const { return {}; }
  virtual Slot array(void*) const { return {}; }
  /// Of what object() gave: sets frame.member and frame.key.
  virtual void member(Frame&, std::string_view, std::string&) const {}
  virtual void close(Frame&, std::string&) const {}
  /// Of what array() gave: the place for one element more.
  [[nodiscard]] virtual Slot add(void*) const { return {}; }
  [[nodiscard]] const char* must() const { return must_; }

 private:
  const char* must_;
};

/// A member that we do not know, with all that is in it.
class Anything final : public Kind {
 public:
  Anything() : Kind("") {}
  void put(void*, bool, std::string&) const override {}
  void put(void*, std::int64_t, std::string&) const override {}
  void put(void*, std::uint64_t, std::string&) const override {}
  void put(void*, double, std::string&) const override {}
  void put(void*, std::string_view, std::string&) const override {}
  void put(void*, std::nullptr_t, std::string&) const override {}
  Slot object(void* at) const override { return {this, at}; }
  Slot array(void* at) const override { return {this, at}; }
  void member(Frame& frame, std::string_view, std::string&) const override { frame.member = frame.slot; }
  [[nodiscard]] Slot add(void* at) const override { return {this, at}; }
};

inline const Kind& anything() {
  static const Anything kind;
  return kind;
}

template <class T>
class KindOf;

/// The one for T.
template <class T>
const Kind& kind_of() {
  static const KindOf<T> kind;
  return kind;
}

template <>
class KindOf<bool> final : public Kind {
 public:
  KindOf() : Kind("must be true or false") {}
  using Kind::put;
  void put(void* at, bool value, std::string&) const override { *static_cast<bool*>(at) = value; }
};

template <>
class KindOf<std::string> final : public Kind {
 public:
  KindOf() : Kind("must be a text") {}
  using Kind::put;
  void put(void* at, std::string_view text, std::string&) const override { *static_cast<std::string*>(at) = text; }
};

template <std::integral T>
class KindOf<T> final : public Kind {
 public:
  KindOf() : Kind("must be a whole number") {}
  using Kind::put;
  void put(void* at, std::int64_t value, std::string& wrong) const override { take(at, value, wrong); }
  void put(void* at, std::uint64_t value, std::string& wrong) const override { take(at, value, wrong); }

 private:
  template <class V>
  static void take(void* at, V value, std::string& wrong) {
    if (!std::in_range<T>(value)) wrong = "is out of range";
    *static_cast<T*>(at) = static_cast<T>(value);
  }
};

template <>
class KindOf<double> final : public Kind {
 public:
  KindOf() : Kind("must be a number") {}
  using Kind::put;
  void put(void* at, double value, std::string&) const override { *static_cast<double*>(at) = value; }
  void put(void* at, std::int64_t value, std::string&) const override { take(at, value); }
  void put(void* at, std::uint64_t value, std::string&) const override { take(at, value); }

 private:
  template <class V>
  static void take(void* at, V value) {
    *static_cast<double*>(at) = static_cast<double>(value);
  }
};

/// null, or a T.
template <class T>
class KindOf<std::optional<T>> final : public Kind {
 public:
  KindOf() : Kind(kind_of<T>().must()) {}
  void put(void* at, bool value, std::string& wrong) const override { pass(at, value, wrong); }
  void put(void* at, std::int64_t value, std::string& wrong) const override { pass(at, value, wrong); }
  void put(void* at, std::uint64_t value, std::string& wrong) const override { pass(at, value, wrong); }
  void put(void* at, double value, std::string& wrong) const override { pass(at, value, wrong); }
  void put(void* at, std::string_view text, std::string& wrong) const override { pass(at, text, wrong); }
  void put(void* at, std::nullptr_t, std::string&) const override { static_cast<std::optional<T>*>(at)->reset(); }
  Slot object(void* at) const override { return inner_.object(&static_cast<std::optional<T>*>(at)->emplace()); }
  Slot array(void* at) const override { return inner_.array(&static_cast<std::optional<T>*>(at)->emplace()); }

 private:
  template <class V>
  void pass(void* at, V value, std::string& wrong) const {
    inner_.put(&static_cast<std::optional<T>*>(at)->emplace(), value, wrong);
  }
  const Kind& inner_ = kind_of<T>();
};

template <class T>
class KindOf<std::vector<T>> final : public Kind {
 public:
  KindOf() : Kind("must be an array") {}
  Slot array(void* at) const override { return {this, at}; }
  [[nodiscard]] Slot add(void* at) const override {
    auto& elements = *static_cast<std::vector<T>*>(at);
    // In fewer steps than by itself: each is memory that this process has not touched yet, which costs more than
    // reading.
    constexpr std::size_t many = 64;
    if (elements.size() == elements.capacity() && elements.size() >= many) elements.reserve(4 * elements.size());
    return {&element_, &elements.emplace_back()};
  }

 private:
  const Kind& element_ = kind_of<T>();
};

template <>
class KindOf<std::map<std::string, std::string>> final : public Kind {
 public:
  using Map = std::map<std::string, std::string>;
  KindOf() : Kind("must be an object") {}
  Slot object(void* at) const override { return {this, at}; }
  void member(Frame& frame, std::string_view key, std::string&) const override {
    auto& [name, value] = *static_cast<Map*>(frame.slot.at)->try_emplace(std::string(key)).first;
    frame.key = name;
    frame.member = {&kind_of<std::string>(), &value};
  }
};

/// The members of an object, as fields() lists them: each by its distance from the beginning of the object.
class Members {
 public:
  explicit Members(const void* object) : object_(static_cast<const std::byte*>(object)) {}

  template <class T>
  void need(std::string_view key, const T& field, const Kind& kind = kind_of<T>()) {
    add(key, &field, kind, true);
  }
  template <class T>
  void null(std::string_view key, const std::optional<T>& field) {
    need(key, field);
  }
  template <class T>
  void also(std::string_view key, const T& field) {
    add(key, &field, kind_of<T>(), false);
  }
  template <class T>
  void some(std::string_view key, const T& field) {
    also(key, field);
  }

  /// In a command an unknown key is a mistake of the sender.
  void refuse_others() { refuses_others_ = true; }

  void find(Frame& frame, std::string_view key, std::string& wrong) const;
  void close(Frame& frame, std::string& wrong) const;

 private:
  struct Member {
    std::string_view key;
    std::ptrdiff_t distance;
    const Kind* kind;
    bool must;
  };
  void add(std::string_view key, const void* field, const Kind& kind, bool must) {
    assert(list_.size() < 64);  // Frame::seen has so many bits
    list_.push_back({key, static_cast<const std::byte*>(field) - object_, &kind, must});
  }
  [[nodiscard]] std::size_t index_of(std::string_view key) const;
  /// "a, b, c", without the schema.
  [[nodiscard]] std::string names() const;

  const std::byte* object_;
  std::vector<Member> list_;
  bool refuses_others_ = false;
};

/// An object of these members.
class ObjectKind : public Kind {
 public:
  explicit ObjectKind(Members members) : Kind("must be an object"), members_(std::move(members)) {}
  Slot object(void* at) const override { return {this, at}; }
  void member(Frame& frame, std::string_view key, std::string& wrong) const override {
    members_.find(frame, key, wrong);
  }
  void close(Frame& frame, std::string& wrong) const override { members_.close(frame, wrong); }

 private:
  Members members_;
};

/// A struct of the wire.
template <class T>
requires std::is_class_v<T>
class KindOf<T> final : public ObjectKind {
 public:
  KindOf() : ObjectKind(listed()) {}

 private:
  static Members listed() {
    const T object{};
    Members members(&object);
    fields(members, object);
    return members;
  }
};

}  // namespace plimsoll::wire

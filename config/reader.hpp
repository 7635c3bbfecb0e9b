// Reading a table key by key. Each key is taken with its type; what does not fit is recorded with its place and the
// default stays, so that one run over the file finds everything that is wrong with it. At the end a reader knows which
// keys nobody took: those are mistakes of spelling, and the keys it was asked for are the candidates for a suggestion.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/plan/plan.hpp"
#include "config/written.hpp"

namespace plimsoll::config {

/// Everything found wrong so far.
class Findings {
 public:
  /// `files`: by the sources of places; what is beyond them is an override.
  explicit Findings(std::vector<std::string> files) : files_(std::move(files)) {}
  /// "FILE:LINE".
  [[nodiscard]] std::string place_text(const Place& place) const;
  void add(Place place, std::string text);
  /// `path: rule, not 'value'`, at the value.
  void misfit(const std::string& path, const Value& value, const std::string& rule);
  /// In the order of the lines; what overrides got wrong comes last.
  [[nodiscard]] std::vector<Problem> in_order() &&;

 private:
  struct Finding {
    Place place;
    std::string text;
  };
  [[nodiscard]] std::string file_of(const Place& place) const;
  std::vector<std::string> files_;
  std::vector<Finding> found_;
};

/// The rule that a value breaks; nothing when it was understood.
using Rule = std::optional<std::string>;

/// A signal's number, as a type of its own so that it is read from a name.
struct Signal {
  int number = 0;
};

Rule understand(const Value& value, bool& into);
Rule understand(const Value& value, int& into);
Rule understand(const Value& value, double& into);
Rule understand(const Value& value, std::string& into);
Rule understand(const Value& value, std::vector<std::string>& into);
Rule understand(const Value& value, Bytes& into);
Rule understand(const Value& value, Duration& into);
Rule understand(const Value& value, Share& into);
Rule understand(const Value& value, Slack& into);
Rule understand(const Value& value, Window& into);
Rule understand(const Value& value, Cron& into);
Rule understand(const Value& value, Signal& into);
template <class T>
Rule understand(const Value& value, std::optional<T>& into) {
  T read{};
  if (Rule broken = understand(value, read)) return broken;
  into = std::move(read);
  return std::nullopt;
}

/// One of the words that a key takes.
template <class T>
struct Word {
  std::string_view text;
  T value;
};

class Reader {
 public:
  /// Table and findings outlive the reader. `path` is empty for the file itself.
  Reader(const Table& table, Place place, std::string path, Findings& findings);

  /// What is written for the key, or null; from now on the key is a known one.
  const Value* take(std::string_view key);
  /// True when the key is written and understood; else `into` is as before.
  template <class T>
  bool read(std::string_view key, T& into) {
    const Value* value = take(key);
    if (value == nullptr) return false;
    const Rule broken = understand(*value, into);
    if (broken) findings_->misfit(path_of(key), *value, *broken);
    return !broken;
  }
  template <class T>
  bool read_word(std::string_view key, T& into, std::initializer_list<Word<T>> words,
                 std::initializer_list<std::string_view> not_yet_words = {});
  /// A reader for the table that the key holds; nothing when it is absent or no table (which is recorded).
  std::optional<Reader> table(std::string_view key);
  /// The same for a member of `written()`, whose name is of the person's own choice: any is a known one.
  std::optional<Reader> table(const Member& member) { return table_in(member.key, member.value); }

  /// Keys that a later release will take.
  void not_yet(std::initializer_list<std::string_view> keys);
  /// Records that a written key breaks a rule which its type alone does not show.
  void refuse(std::string_view key, const std::string& rule);
  void require(bool holds, std::string_view key, const std::string& rule) {
    if (!holds) refuse(key, rule);
  }
  /// Records what the table as a whole lacks.
  void lacks(const std::string& rule);
  /// Records each key that nobody asked for.
  void finish();

  [[nodiscard]] bool has(std::string_view key) const { return table_->find(key) != nullptr; }
  [[nodiscard]] const Table& written() const { return *table_; }
  [[nodiscard]] Place place() const { return place_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path_of(std::string_view key) const;
  [[nodiscard]] Findings& findings() const { return *findings_; }

 private:
  std::optional<Reader> table_in(std::string_view key, const Value& value);
  bool refuse_word(std::string_view key, const Value& value, const std::vector<std::string_view>& words,
                   std::initializer_list<std::string_view> not_yet_words);

  const Table* table_;
  Place place_;
  std::string path_;
  Findings* findings_;
  std::vector<std::string_view> known_;  ///< keys of the code's own, never of the file; some twice
};

template <class T>
bool Reader::read_word(std::string_view key, T& into, std::initializer_list<Word<T>> words,
                       std::initializer_list<std::string_view> not_yet_words) {
  const Value* value = take(key);
  if (value == nullptr) return false;
  const std::string* text = std::get_if<std::string>(&value->is);
  std::vector<std::string_view> offered;
  for (const Word<T>& word : words) {
    offered.push_back(word.text);
    if (text == nullptr || *text != word.text) continue;
    into = word.value;
    return true;
  }
  return refuse_word(key, *value, offered, not_yet_words);
}

/// "a, b or c"
std::string enumerated(const std::vector<std::string_view>& words);

/// True for what may name a service, an engine, a hook or a daemon.
bool is_name(std::string_view text);
inline const std::string name_rule = "must be a name of 1 to 64 letters, digits, '_', '.' or '-'";

}  // namespace plimsoll::config

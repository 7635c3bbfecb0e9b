// Text in TOML's own writing: strings, keys, lists, tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/plan/plan.hpp"

namespace plimsoll::config {

std::string quoted(std::string_view text);
/// Bare where TOML allows it. (spelled_key() is for messages, and shortens.)
std::string key_text(std::string_view key);
std::string list_of(const std::vector<std::string>& texts);
std::string number(double value);
std::string flag(bool value);

/// `{ a = 1, b = 2 }`, members added one by one.
class Inline {
 public:
  Inline& add(std::string_view key, const std::string& value) {
    text_ += (text_.empty() ? "" : ", ") + key_text(key) + " = " + value;
    return *this;
  }
  template <class T>
  Inline& add_if(std::string_view key, const std::optional<T>& value) {
    return value ? add(key, quoted(plimsoll::to_text(*value))) : *this;
  }
  [[nodiscard]] std::string text() const { return text_.empty() ? "{}" : "{ " + text_ + " }"; }

 private:
  std::string text_;
};

/// The file, line by line.
class Page {
 public:
  void heading(const std::string& text) { text_ += (text_.empty() ? "" : "\n") + text + "\n"; }
  void line(std::string_view key, const std::string& value) { text_ += key_text(key) + " = " + value + "\n"; }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace plimsoll::config

#include "config/toml_text.hpp"

#include <array>
#include <charconv>

#include "config/written.hpp"

namespace plimsoll::config {

std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      result += "\\u00";
      result += digits[byte >> 4U];
      result += digits[byte & 15U];
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string key_text(std::string_view key) {
  return spelled_key(key) == key ? std::string{key} : quoted(key);
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string result = "[";
  for (const std::string& text : texts) result += (result.size() == 1 ? "" : ", ") + quoted(text);
  return result + "]";
}

std::string number(double value) {
  std::array<char, 32> buffer{};
  std::string text{buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string flag(bool value) {
  return value ? "true" : "false";
}

}  // namespace plimsoll::config

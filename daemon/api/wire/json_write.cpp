// Writing needs no tree of values in between: the text is put together in one pass. (Boost.JSON would also write 2.5
// as 2.5E0.)
#include <charconv>
#include <cmath>

#include "daemon/api/wire/fields.hpp"
#include "daemon/api/wire/json.hpp"

namespace plimsoll::wire {
namespace {

/// Length of the valid UTF-8 sequence at the beginning of `s`, 0 if it is none (overlong, surrogate, cut off, beyond
/// U+10FFFF).
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&s](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (first == 0xE0 && byte(1) < 0xA0) return 0;
  if (first == 0xED && byte(1) >= 0xA0) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) >= 0x90) return 0;
  return length;
}

void write_escaped(std::string& out, char c) {
  static constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  const auto code = static_cast<unsigned char>(c);
  if (code >= 0x20 && code != 0x7F) {
    out += c;
    return;
  }
  out += "\\u00";
  out += digits[code >> 4];
  out += digits[code & 0xF];
}

void write(std::string& out, const std::string& text) {
  out += '"';
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 1) {
      write_escaped(out, rest[0]);
    } else if (length == 0) {
      out += "\xEF\xBF\xBD";  // U+FFFD in place of what is no UTF-8
    } else {
      out += rest.substr(0, length);
    }
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void write(std::string& out, bool value) {
  out += value ? "true" : "false";
}

template <std::integral T>
void write(std::string& out, T value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

/// In milliseconds' grain, never with an exponent; what is no number is 0, JSON has no word for it.
void write(std::string& out, double value) {
  char digits[400];
  if (!std::isfinite(value)) value = 0.0;
  if (std::abs(value) < 1e15) {  // a larger one has no thousandths
    value = static_cast<double>(static_cast<std::int64_t>(value * 1000 + (value < 0 ? -0.5 : 0.5))) / 1000;
  }
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed).ptr);
}

void write(std::string& out, const std::map<std::string, std::string>& values) {
  out += '{';
  for (bool first = true; const auto& [key, value] : values) {
    if (!first) out += ',';
    first = false;
    write(out, key);
    out += ':';
    write(out, value);
  }
  out += '}';
}

template <class T>
requires std::is_class_v<T>
void write(std::string& out, const T& value);

template <class T>
void write(std::string& out, const std::vector<T>& values) {
  out += '[';
  for (bool first = true; const T& value : values) {
    if (!first) out += ',';
    first = false;
    write(out, value);
  }
  out += ']';
}

class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void close() { out_ += '}'; }

  template <class T>
  void need(const char* key, const T& value) {
    put_key(key);
    write(out_, value);
  }
  template <class T>
  void also(const char* key, const T& value) {
    need(key, value);
  }
  template <class T>
  void also(const char* key, const std::optional<T>& value) {
    if (value) need(key, *value);
  }
  void some(const char* key, const std::string& value) {
    if (!value.empty()) need(key, value);
  }
  void some(const char* key, bool value) {
    if (value) need(key, value);
  }
  template <class T>
  void null(const char* key, const std::optional<T>& value) {
    put_key(key);
    if (value) {
      write(out_, *value);
    } else {
      out_ += "null";
    }
  }

 private:
  void put_key(const char* key) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += key;
    out_ += "\":";
  }
  std::string& out_;
};

template <class T>
requires std::is_class_v<T>
void write(std::string& out, const T& value) {
  ObjectWriter object(out);
  fields(object, value);
  object.close();
}

template <class Fill>
std::string body(Fill fill) {
  std::string out;
  ObjectWriter object(out);
  object.need("schema", schema);
  fill(object);
  object.close();
  return out;
}

}  // namespace

std::string to_json(const Status& status) {
  return body([&](ObjectWriter& object) { fields(object, status); });
}
std::string to_json(const Daemon& daemon) {
  return body([&](ObjectWriter& object) { object.need("daemon", daemon); });
}
std::string to_json(const ServiceDetail& detail) {
  return body([&](ObjectWriter& object) { fields(object, detail); });
}
std::string to_json(const std::vector<EngineOf>& engines) {
  return body([&](ObjectWriter& object) { object.need("engines", engines); });
}
std::string to_json(const Event& event) {
  return body([&](ObjectWriter& object) { fields(object, event); });
}
std::string to_json(const std::vector<Event>& events) {
  return body([&](ObjectWriter& object) { object.need("events", events); });
}
std::string to_json(const std::vector<Intervention>& ledger) {
  return body([&](ObjectWriter& object) { object.need("interventions", ledger); });
}
std::string to_json(const Answer& answer) {
  return body([&](ObjectWriter& object) { object.need(answer.status < 400 ? "message" : "error", answer.message); });
}

std::string to_json(const Command& command) {
  return body([&](ObjectWriter& object) {
    if (!command.service.empty()) object.need("do", command.act);
    if (!command.hook.empty()) object.need("hook", command.hook);
    if (!command.rule.empty()) object.need("rule", command.rule);
    object.also("pid", command.pid);
    object.also("for", command.for_milliseconds);
    if (command.except_hard) object.need("except", std::string("hard"));
    if (command.force) object.need("force", true);
    if (command.dry_run) object.need("dry_run", true);
    if (!command.wait) object.need("wait", false);
  });
}

std::string json_text(std::string_view text) {
  std::string out;
  write(out, std::string(text));
  return out;
}

}  // namespace plimsoll::wire

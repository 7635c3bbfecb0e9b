// Writing needs no tree of values in between: the text is put together in one pass. (Boost.JSON would also write 2.5
// as 2.5E0.)
#include <algorithm>
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

/// The text as it grows: room is made for a whole member at once.
class Text {
 public:
  explicit Text(std::size_t expected) : text_(expected, '\0') {}

  /// Where the next `count` bytes go; took() says how many were used.
  char* room(std::size_t count) {
    if (text_.size() - used_ < count) text_.resize(std::max(text_.size() * 2, used_ + count));
    return text_.data() + used_;
  }
  void took(const char* end) { used_ = static_cast<std::size_t>(end - text_.data()); }
  void put(std::string_view text) {
    char* at = room(text.size());
    took(std::copy(text.begin(), text.end(), at));
  }
  void put(char c) { put(std::string_view(&c, 1)); }
  [[nodiscard]] char last() const { return text_[used_ - 1]; }
  [[nodiscard]] std::string_view so_far() const { return {text_.data(), used_}; }
  void begin_anew() { used_ = 0; }
  std::string finished() && {
    text_.resize(used_);
    return std::move(text_);
  }

 private:
  std::string text_;
  std::size_t used_ = 0;
};

bool is_plain(char c) {
  const auto code = static_cast<unsigned char>(c);
  return code >= 0x20 && code < 0x7F && c != '"' && c != '\\';
}

/// One that is not plain, or not ASCII.
void write_escaped(Text& out, char c) {
  static constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"': return out.put("\\\"");
    case '\\': return out.put("\\\\");
    case '\n': return out.put("\\n");
    case '\r': return out.put("\\r");
    case '\t': return out.put("\\t");
    default: break;
  }
  const auto code = static_cast<unsigned char>(c);
  out.put("\\u00");
  out.put(digits[code >> 4]);
  out.put(digits[code & 0xF]);
}

void write(Text& out, std::string_view text) {
  out.put('"');
  while (!text.empty()) {
    const auto odd = std::find_if_not(text.begin(), text.end(), is_plain);
    const auto plain = static_cast<std::size_t>(odd - text.begin());
    out.put(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t length = utf8_length(text);
    if (length == 1) write_escaped(out, text[0]);
    if (length == 0) out.put("\xEF\xBF\xBD");  // U+FFFD in place of what is no UTF-8
    if (length > 1) out.put(text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.put('"');
}

void write(Text& out, const std::string& text) {
  write(out, std::string_view(text));
}

void write(Text& out, bool value) {
  out.put(value ? std::string_view("true") : std::string_view("false"));
}

template <std::integral T>
void write(Text& out, T value) {
  constexpr std::size_t longest = 24;
  char* at = out.room(longest);
  out.took(std::to_chars(at, at + longest, value).ptr);
}

/// In milliseconds' grain, never with an exponent; what is no number is 0, JSON has no word for it.
void write(Text& out, double value) {
  constexpr double exact = 1e12;  // a thousand times this has all its milliseconds
  if (!(std::abs(value) < exact)) {
    char* at = out.room(400);
    return out.took(std::to_chars(at, at + 400, std::isfinite(value) ? value : 0.0, std::chars_format::fixed).ptr);
  }
  const auto grains = static_cast<long long>(value * 1000 + (value < 0 ? -0.5 : 0.5));
  if (grains < 0) out.put('-');
  write(out, std::abs(grains) / 1000);
  const auto part = static_cast<int>(std::abs(grains) % 1000);
  if (part == 0) return;
  const char digits[] = {'.', static_cast<char>('0' + part / 100), static_cast<char>('0' + part / 10 % 10),
                         static_cast<char>('0' + part % 10)};
  out.put(std::string_view(digits, part % 10 != 0 ? 4 : part % 100 != 0 ? 3 : 2));
}

void write(Text& out, const std::map<std::string, std::string>& values) {
  out.put('{');
  for (bool first = true; const auto& [key, value] : values) {
    if (!first) out.put(',');
    first = false;
    write(out, key);
    out.put(':');
    write(out, value);
  }
  out.put('}');
}

template <class T>
requires std::is_class_v<T>
void write(Text& out, const T& value);

template <class T>
void write(Text& out, const std::vector<T>& values) {
  out.put('[');
  for (bool first = true; const T& value : values) {
    if (!first) out.put(',');
    first = false;
    write(out, value);
  }
  out.put(']');
}

class ObjectWriter {
 public:
  explicit ObjectWriter(Text& out) : out_(out) { out_.put('{'); }
  void close() { out_.put('}'); }

  template <class T, std::size_t N>
  void need(const char (&key)[N], const T& value) {
    put_key(key);
    write(out_, value);
  }
  template <class T, std::size_t N>
  void also(const char (&key)[N], const T& value) {
    need(key, value);
  }
  template <class T, std::size_t N>
  void also(const char (&key)[N], const std::optional<T>& value) {
    if (value) need(key, *value);
  }
  template <class T, std::size_t N>
  void some(const char (&key)[N], const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      if (value != T{}) need(key, value);
    } else {
      if (!value.empty()) need(key, value);
    }
  }
  template <class T, std::size_t N>
  void null(const char (&key)[N], const std::optional<T>& value) {
    put_key(key);
    if (value) {
      write(out_, *value);
    } else {
      out_.put("null");
    }
  }
  /// An array of `count` elements; `write_next` writes one.
  template <class WriteNext, std::size_t N>
  void each(const char (&key)[N], std::size_t count, const WriteNext& write_next) {
    put_key(key);
    out_.put('[');
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out_.put(',');
      write_next(out_);
    }
    out_.put(']');
  }

 private:
  template <std::size_t N>
  void put_key(const char (&key)[N]) {
    char* at = out_.room(N + 3);
    if (out_.last() != '{') *at++ = ',';
    *at++ = '"';
    at = std::copy_n(key, N - 1, at);
    *at++ = '"';
    *at++ = ':';
    out_.took(at);
  }
  Text& out_;
};

template <class T>
requires std::is_class_v<T>
void write(Text& out, const T& value) {
  ObjectWriter object(out);
  fields(object, value);
  object.close();
}

/// Of a budget nothing is said until something of it is spent.
void write_brief(Text& out, Service service) {
  if (service.budget_spent == 0) service.budget_acts = 0;
  ObjectWriter object(out);
  brief_fields(object, service);
  object.close();
}

/// A thousand services are 300 kB: the text would be moved ten times while it grows from nothing.
constexpr std::size_t expected = 256;
constexpr std::size_t expected_of_service = 320;
/// Two hundred services: the reader of one piece is at work while the next is made.
constexpr std::size_t piece_of_brief = 32 * 1024;

template <class Fill>
std::string body(Fill fill, std::size_t size = expected) {
  Text out(size);
  ObjectWriter object(out);
  object.need("schema", schema);
  fill(object);
  object.close();
  return std::move(out).finished();
}

}  // namespace

std::string to_json(const Status& status) {
  return body([&](ObjectWriter& object) { fields(object, status); });
}
std::string to_json(const Daemon& daemon, std::size_t count, const std::function<Service()>& next) {
  const auto fill = [&](ObjectWriter& object) {
    object.need("daemon", daemon);
    object.each("services", count, [&](Text& out) { write(out, next()); });
  };
  return body(fill, 4 * expected + count * expected_of_service);
}
void write_brief_json(const Daemon& daemon, std::size_t count, const std::function<Service()>& next,
                      const std::function<void(std::string_view piece)>& put) {
  Text out(piece_of_brief + 4 * expected);
  ObjectWriter object(out);
  object.need("schema", schema);
  object.need("daemon", daemon);
  object.each("services", count, [&](Text&) {
    write_brief(out, next());
    if (out.so_far().size() < piece_of_brief) return;
    put(out.so_far());
    out.begin_anew();
  });
  object.close();
  put(out.so_far());
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
  return body([&](ObjectWriter& object) {
    if (answer.status < 400) object.need("message", answer.message);
    if (answer.status >= 400) object.need("error", answer.message);
  });
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
  Text out(text.size() + 2);
  write(out, text);
  return std::move(out).finished();
}

}  // namespace plimsoll::wire

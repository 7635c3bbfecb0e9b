// What is not in the manual was read off systemd's behaviour (its parser as of version 254): quotes count only before
// a value has begun without them (`a=b "c"` keeps its quotes), quoted pieces join (`'a' "b"` is ab), a backslash
// outside of quotes takes any character as it is, inside of double quotes only `"`, `\`, a backtick and `$`; one before
// the end of a line takes that away, in a comment not. A value whose quotes are not closed runs to the end of the file.
#include "daemon/sys/environment_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "daemon/sys/fd.hpp"

namespace plimsoll::sys {
namespace {

constexpr std::size_t largest_file = std::size_t{1} << 20U;

bool ends_line(char c) {
  return c == '\n' || c == '\r';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || ends_line(c);
}

/// What a shell can use: others are dropped by most programs that read their environment.
bool is_variable(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), fits);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  EnvironmentText whole() && {
    while (skip_to_something()) {
      if (text_[at_] == '#' || text_[at_] == ';') {
        skip_line();
      } else {
        take_assignment();
      }
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool more() const { return at_ < text_.size(); }

  char next() {
    if (text_[at_] == '\n') ++line_;
    return text_[at_++];
  }

  bool skip_to_something() {
    while (more() && is_space(text_[at_])) next();
    return more();
  }

  void skip_line() {
    while (more() && !ends_line(next())) {
    }
  }

  void take_assignment() {
    const int line = line_;
    // The first character is of the name whatever it is, '=' too.
    const std::size_t equals = text_.find_first_of("=\n\r", at_ + 1);
    if (equals == std::string_view::npos || text_[equals] != '=') {
      result_.not_taken.push_back(line);
      skip_line();
      return;
    }
    std::string_view name = text_.substr(at_, equals - at_);
    while (is_space(name.back())) name.remove_suffix(1);
    at_ = equals + 1;
    std::string value = take_value();
    if (is_variable(name)) {
      result_.variables.emplace_back(name, std::move(value));
    } else {
      result_.not_taken.push_back(line);
    }
  }

  std::string take_value() {
    std::string value;
    while (more()) {
      const char c = text_[at_];
      if (c == '\'') {
        next();
        take_single_quoted(value);
      } else if (c == '"') {
        next();
        take_double_quoted(value);
      } else if (ends_line(c)) {
        next();
        break;
      } else if (is_space(c)) {
        next();
      } else {
        take_bare(value);
        break;
      }
    }
    return value;
  }

  void take_single_quoted(std::string& value) {
    while (more()) {
      const char c = next();
      if (c == '\'') return;
      value += c;
    }
  }

  void take_double_quoted(std::string& value) {
    while (more()) {
      const char c = next();
      if (c == '"') return;
      if (c != '\\') {
        value += c;
      } else if (more()) {
        const char escaped = next();
        if (escaped == '\n') continue;
        if (std::string_view{"\"\\`$"}.find(escaped) == std::string_view::npos) value += c;
        value += escaped;
      }
    }
  }

  /// To the end of the line, without the spaces before it that no backslash keeps.
  void take_bare(std::string& value) {
    std::size_t kept = value.size();
    while (more()) {
      const char c = next();
      if (ends_line(c)) break;
      if (c == '\\') {
        if (!more()) return;  // and keeps the spaces before it
        const char escaped = next();
        if (!ends_line(escaped)) value += escaped;
        kept = value.size();
      } else {
        value += c;
        if (!is_space(c)) kept = value.size();
      }
    }
    value.resize(kept);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  EnvironmentText result_;
};

}  // namespace

EnvironmentText parse_environment(std::string_view text) {
  return Parser(text).whole();
}

Result<std::string> read_environment_file(const std::string& path) {
  // Never waits for the other end of a FIFO: what is none is refused after it.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return last_error();
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return last_error();
  if (!S_ISREG(found.st_mode)) return error_of(S_ISDIR(found.st_mode) ? EISDIR : EINVAL);
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return last_error();
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > largest_file) return error_of(EFBIG);
  }
  if (text.find('\0') != std::string::npos) return error_of(EBADMSG);
  return text;
}

}  // namespace plimsoll::sys

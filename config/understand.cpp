// From a written value to a type of the Plan. Sizes, durations and percentages are texts with a unit; a size may also
// be a bare number of bytes, and a duration a bare 0, the only number that needs no unit.
#include <limits>

#include "config/reader.hpp"

namespace plimsoll::config {
namespace {

template <class T>
Rule take(Read<T> read, T& into) {
  if (const Misread* misread = std::get_if<Misread>(&read)) return misread->rule;
  into = std::move(std::get<T>(read));
  return std::nullopt;
}

/// For keys whose value is a text of its own grammar: a wrong type breaks the same rule as a wrong text.
template <class T>
Rule take_text(const Value& value, Read<T> (*reader)(std::string_view), T& into) {
  const std::string* text = std::get_if<std::string>(&value.is);
  return take(reader(text == nullptr ? std::string_view{} : std::string_view{*text}), into);
}

}  // namespace

Rule understand(const Value& value, bool& into) {
  const bool* flag = std::get_if<bool>(&value.is);
  if (flag == nullptr) return "must be true or false";
  into = *flag;
  return std::nullopt;
}

Rule understand(const Value& value, int& into) {
  const std::int64_t* number = std::get_if<std::int64_t>(&value.is);
  if (number == nullptr || *number < std::numeric_limits<int>::min() || *number > std::numeric_limits<int>::max()) {
    return "must be a whole number";
  }
  into = static_cast<int>(*number);
  return std::nullopt;
}

Rule understand(const Value& value, double& into) {
  if (const double* number = std::get_if<double>(&value.is)) {
    into = *number;
  } else if (const std::int64_t* whole = std::get_if<std::int64_t>(&value.is)) {
    into = static_cast<double>(*whole);
  } else {
    return "must be a number";
  }
  return std::nullopt;
}

Rule understand(const Value& value, std::string& into) {
  const std::string* text = std::get_if<std::string>(&value.is);
  if (text == nullptr) return "must be a string";
  if (text->find('\0') != std::string::npos) return "must be a string without a zero byte";
  into = *text;
  return std::nullopt;
}

Rule understand(const Value& value, std::vector<std::string>& into) {
  const List* list = std::get_if<List>(&value.is);
  if (list == nullptr) return "must be a list of strings";
  std::vector<std::string> texts(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (understand((*list)[i], texts[i])) return "must be a list of strings only";
  }
  into = std::move(texts);
  return std::nullopt;
}

Rule understand(const Value& value, Bytes& into) {
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value.is); number != nullptr && *number >= 0) {
    into = Bytes{static_cast<std::uint64_t>(*number)};
    return std::nullopt;
  }
  return take_text(value, read_bytes, into);
}

Rule understand(const Value& value, Duration& into) {
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value.is)) {
    return take(read_duration(std::to_string(*number)), into);
  }
  return take_text(value, read_duration, into);
}

Rule understand(const Value& value, Share& into) {
  return take_text(value, read_share, into);
}
Rule understand(const Value& value, Window& into) {
  return take_text(value, read_window, into);
}
Rule understand(const Value& value, Cron& into) {
  return take_text(value, read_cron, into);
}

Rule understand(const Value& value, Slack& into) {
  Share share;
  Bytes size;
  if (!understand(value, share)) {
    into = share;
  } else if (!understand(value, size)) {
    into = size;
  } else {
    return "must be a percentage such as 10% or a size such as 50MiB";
  }
  return std::nullopt;
}

Rule understand(const Value& value, Signal& into) {
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value.is)) {
    return take(read_signal(std::to_string(*number)), into.number);
  }
  return take_text(value, read_signal, into.number);
}

}  // namespace plimsoll::config

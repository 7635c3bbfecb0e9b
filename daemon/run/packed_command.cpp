#include "daemon/run/packed_command.hpp"

namespace plimsoll::run {
namespace {

/// Of a text in which a NUL stands behind each word, what is behind the first one.
std::string_view after_word(std::string_view text) {
  return text.substr(text.find('\0') + 1);
}

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

}  // namespace

PackedCommand::PackedCommand(const core::CommandLine& line) {
  std::size_t size = line.comm.size() + line.exe.size() + line.cwd.size() + 3;
  for (const std::string& word : line.argv) size += word.size() + 1;
  text_.reserve(size);
  for (const std::string* text : {&line.comm, &line.exe, &line.cwd}) text_.append(*text).push_back('\0');
  for (const std::string& word : line.argv) text_.append(word).push_back('\0');
}

core::CommandLine PackedCommand::line() const {
  core::CommandLine line;
  line.comm = comm();
  line.exe = exe();
  line.cwd = part(2);
  for (std::string_view rest = words(); !rest.empty(); rest = after_word(rest))
    line.argv.emplace_back(first_word(rest));
  return line;
}

bool PackedCommand::has_argv(const std::vector<std::string>& argv) const {
  std::string_view rest = words();
  for (const std::string& word : argv) {
    if (rest.empty() || first_word(rest) != word) return false;
    rest = after_word(rest);
  }
  return rest.empty();
}

std::string_view PackedCommand::part(int index) const {
  std::string_view rest = text_;
  for (int i = 0; i < index; ++i) rest = after_word(rest);
  return first_word(rest);
}

std::string_view PackedCommand::words() const {
  return after_word(after_word(after_word(text_)));
}

}  // namespace plimsoll::run

// A command line as it is kept of every member: in one text, as four strings and a list of strings are three hundred
// bytes a process.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/program.hpp"

namespace plimsoll::run {

class PackedCommand {
 public:
  PackedCommand() : PackedCommand(core::CommandLine{}) {}
  explicit PackedCommand(const core::CommandLine& line);

  [[nodiscard]] core::CommandLine line() const;
  [[nodiscard]] std::string_view comm() const { return part(0); }
  [[nodiscard]] std::string_view exe() const { return part(1); }
  [[nodiscard]] bool has_argv() const { return !words().empty(); }
  [[nodiscard]] bool has_argv(const std::vector<std::string>& argv) const;
  [[nodiscard]] bool has_argv_of(const PackedCommand& other) const { return words() == other.words(); }

 private:
  [[nodiscard]] std::string_view part(int index) const;
  /// Each word of argv with a NUL behind it.
  [[nodiscard]] std::string_view words() const;

  std::string text_;  ///< comm, exe, cwd and the words of argv, a NUL behind each: none of them can hold one
};

}  // namespace plimsoll::run

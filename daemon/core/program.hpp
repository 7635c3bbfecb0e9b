// What a process runs, as far as verdicts need it: is it a wrapper, does an engine rule match it. Command lines are
// looked at here and do not become part of the World: they may hold secrets, and a World may be shown or stored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/plan/plan.hpp"

namespace plimsoll::core {

/// As read from /proc by the edge; `exe` is empty where it may not be read, `cwd` also where needs_cwd() says no.
struct CommandLine {
  std::string comm;
  std::string exe;
  std::string cwd;
  std::vector<std::string> argv;
};

struct Program {
  std::string comm;
  std::vector<std::string> names;  ///< basenames a glob without '/' is compared with: executable, argv[0], script
  std::vector<std::string> paths;  ///< absolute paths a glob with '/' is compared with
  std::string script;              ///< path of the script an interpreter runs; empty if none
  bool wrapper = false;            ///< only runs another: sh, npm, tini …
  bool version_only = false;  ///< its only argument, after the script, is --version: a look at the binary, no engine
  friend bool operator==(const Program&, const Program&) = default;
};

/// Whether program_of() has a relative path to complete: of the line without its `cwd`.
bool needs_cwd(const CommandLine& line);
Program program_of(const CommandLine& line);

/// Shell glob over the whole of `text`: `*` (any run, '/' included), `?`, `[a-z]`. No braces.
bool glob_matches(std::string_view glob, std::string_view text);

/// Whether one of the rule's globs matches.
bool matches(const EngineRule& rule, const Program& program);

}  // namespace plimsoll::core

// From text to Plan: file → TOML → Plan, or a list of everything that is wrong with it. This folder is the only
// place that sees toml++. Nothing here reads the clock, talks, or changes anything.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "config/plan/plan.hpp"

namespace plimsoll::config {

/// One thing wrong with a configuration, as `file:line:column: key: rule, not 'value'`.
struct Problem {
  std::string file;  ///< as given on the command line; "--set" for an override
  int line = 0;      ///< counted from 1; 0 when the file itself cannot be read
  int column = 0;
  std::string text;  ///< "services.web.memory.soft: must be a size such as 400MiB, not '4 apples'"
};
std::string to_text(const Problem& problem);

struct Loaded {
  Plan plan;                         ///< meaningful only if `problems` is empty
  std::vector<Problem> problems;     ///< in the order of the files and their lines
  std::vector<std::string> files{};  ///< that it was read from, in that order; empty if one of them is no TOML
  [[nodiscard]] bool ok() const { return problems.empty(); }
};

/// `overrides` are texts of `--set KEY=VALUE`, VALUE in TOML or a bare word (taken as a string); a problem in one is
/// placed at
/// `--set:1:COLUMN`. Zones are read from the machine here.
Loaded load_text(std::string_view text, const std::string& name, const std::vector<std::string>& overrides = {});
/// Reads `path`, and every `conf.d/*.toml` beside it, which adds services to it (and may have the `[daemon]`).
Loaded load_file(const std::string& path, const std::vector<std::string>& overrides = {});

/// The whole plan as TOML, every default written out. load_text() of it gives an equal plan.
std::string to_toml(const Plan& plan);

/// What `plimsolld -- CMD ARG…` runs: one service named after CMD, the presets' engines, no line of its own.
/// `entrypoint` is set.
Plan entrypoint_plan(const std::vector<std::string>& command, bool observe);

/// For `--check`: the problem list, or "ok" and the next five runs of each cycle that has a cron expression.
std::string describe(const Plan& plan, WallSeconds now);

}  // namespace plimsoll::config

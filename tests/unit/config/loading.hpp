// Loading as the tests want it: a text that must be right, or the list of what is wrong with it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/config.hpp"

namespace plimsoll::config {

using Texts = std::vector<std::string>;

inline Texts problems_of(const std::string& text, const Texts& overrides = {}) {
  Texts texts;
  for (const Problem& problem : load_text(text, "f.toml", overrides).problems) texts.push_back(to_text(problem));
  return texts;
}

inline Plan plan_of(const std::string& text, const Texts& overrides = {}) {
  Loaded loaded = load_text(text, "f.toml", overrides);
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << to_text(problem);
  return std::move(loaded.plan);
}

/// The only service of a text that may leave out its command.
inline Service service_of(const std::string& keys, const Texts& overrides = {}) {
  Plan plan = plan_of("[services.web]\ncommand = [\"x\"]\n" + keys, overrides);
  if (plan.services.size() != 1) {
    ADD_FAILURE() << plan.services.size() << " services";
    return {};
  }
  return std::move(plan.services.front());
}

/// Keys from line 3 on.
inline Texts service_problems(const std::string& keys) {
  return problems_of("[services.web]\ncommand = [\"x\"]\n" + keys);
}

inline const std::string web = "services.web";

/// One key in line 3: what is wrong with it, without the file's name.
inline std::string problem(const std::string& line) {
  const Texts problems = service_problems(line + "\n");
  if (problems.size() != 1) {
    for (const std::string& text : problems) ADD_FAILURE() << text;
    return std::to_string(problems.size()) + " problems";
  }
  return problems[0].substr(std::string{"f.toml:"}.size());
}

/// One line in an engine's table, in line 9: there is a hook "own" for owners and a hook "app" for the service.
inline std::string engine_problem(const std::string& line) {
  return problem(
      "[services.web.hooks.own]\nsignal = \"USR2\"\n[services.web.hooks.app]\nexec = [\"x\"]\n"
      "[services.web.engines.e]\nmatch = [\"q\"]\n" +
      line);
}

}  // namespace plimsoll::config

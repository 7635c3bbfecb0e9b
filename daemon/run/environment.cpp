#include "daemon/run/environment.hpp"

#include <unistd.h>

#include <algorithm>

#include "daemon/run/run_tag.hpp"

namespace plimsoll::run {
namespace {

bool is_of(std::string_view word, std::string_view name) {
  return word.starts_with(name) && word.substr(name.size()).starts_with('=');
}

/// Nothing as a value unsets it.
void set(Environment& words, const std::string& name, const std::optional<std::string>& value) {
  std::erase_if(words, [&name](const std::string& word) { return is_of(word, name); });
  if (value) words.push_back(name + "=" + *value);
}

Environment inherited_by(const Inherit& inherit, const Environment& inherited) {
  if (const bool* all = std::get_if<bool>(&inherit)) return *all ? inherited : Environment{};
  Environment words;
  for (const std::string& name : std::get<std::vector<std::string>>(inherit)) {
    if (const auto value = look_up(inherited, name)) set(words, name, value);
  }
  return words;
}

}  // namespace

Environment inherited_environment() {
  Environment words;
  for (char** word = ::environ; word != nullptr && *word != nullptr; ++word) {
    if (!is_of(*word, run_variable)) words.emplace_back(*word);
  }
  return words;
}

Environment environment_of(const Service& service, const Environment& inherited, const Variables& between) {
  Environment words = inherited_by(service.surroundings->inherit, inherited);
  for (const auto& [name, value] : between) set(words, name, value);
  for (const auto& [name, value] : *service.environment) set(words, name, value);
  return words;
}

std::optional<std::string> look_up(const Environment& environment, std::string_view name) {
  const auto found =
      std::find_if(environment.begin(), environment.end(), [&](const auto& word) { return is_of(word, name); });
  if (found == environment.end()) return std::nullopt;
  return found->substr(name.size() + 1);
}

}  // namespace plimsoll::run

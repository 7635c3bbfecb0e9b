#include "daemon/run/environment.hpp"

#include <unistd.h>

#include <algorithm>

#include "daemon/run/run_tag.hpp"

namespace plimsoll::run {
namespace {

bool is_of(std::string_view word, std::string_view name) {
  return word.starts_with(name) && word.substr(name.size()).starts_with('=');
}

}  // namespace

Environment inherited_environment() {
  Environment words;
  for (char** word = ::environ; word != nullptr && *word != nullptr; ++word) {
    if (!is_of(*word, run_variable)) words.emplace_back(*word);
  }
  return words;
}

Environment environment_of(const Service& service, const Environment& inherited) {
  Environment words = inherited;
  for (const auto& [name, value] : service.environment) {
    std::erase_if(words, [&variable = name](const std::string& word) { return is_of(word, variable); });
    if (value) words.push_back(name + "=" + *value);
  }
  return words;
}

std::optional<std::string> look_up(const Environment& environment, std::string_view name) {
  const auto found =
      std::find_if(environment.begin(), environment.end(), [&](const auto& word) { return is_of(word, name); });
  if (found == environment.end()) return std::nullopt;
  return found->substr(name.size() + 1);
}

std::optional<std::string> look_up(const Service& service, const Environment& inherited, std::string_view name) {
  const auto configured = service.environment.find(std::string(name));
  if (configured != service.environment.end() && configured->second) return configured->second;
  return look_up(inherited, name);
}

}  // namespace plimsoll::run

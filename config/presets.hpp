// Presets: what we know about engines of others, as configuration that a user's own keys override.
#pragma once

#include <string_view>
#include <vector>

namespace plimsoll::config {

struct EnginePreset {
  std::string_view name;
  std::string_view text;  ///< TOML: keys of an engine's table
};
const std::vector<EnginePreset>& engine_presets();

}  // namespace plimsoll::config

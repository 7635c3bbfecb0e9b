// The files that a configuration is made of: the one that is named, and those in a `conf.d` beside it.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace plimsoll::config {

struct File {
  std::string path;
  std::string text;
};

/// The file first, then every `conf.d/*.toml` beside it in the order of their names' bytes; names that begin with a
/// dot are passed over, as editors leave them. Else every one that cannot be read, and a `conf.d` that cannot.
std::variant<std::vector<File>, std::vector<Problem>> read_files(const std::string& path);

}  // namespace plimsoll::config

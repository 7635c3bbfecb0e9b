// A file of environment variables, in the form that systemd gives its EnvironmentFile= (systemd.exec(5)), so that one
// file serves both: NAME=value by lines, comments that begin with '#' or ';', quotes and backslashes as a shell reads
// them, and no expansion of anything. Its values are secrets: nothing here puts one into an error.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

struct EnvironmentText {
  std::vector<std::pair<std::string, std::string>> variables;  ///< in their order; of one name the last one counts
  std::vector<int> not_taken;  ///< lines that are no assignment, or assign to what no variable can be called
};

EnvironmentText parse_environment(std::string_view text);

/// The whole file. EINVAL: it is no regular file; EFBIG: more than 1 MiB; EBADMSG: there is a zero byte in it.
Result<std::string> read_environment_file(const std::string& path);

}  // namespace plimsoll::sys

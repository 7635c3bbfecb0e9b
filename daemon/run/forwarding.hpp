// What `plimsolld -- CMD` does with signals and with the command's end: the options --rewrite, --to-group and
// --exit-ok, after the model of dumb-init and tini.
#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace plimsoll::run {

struct Forwarding {
  std::map<int, int> rewrite;  ///< what came → what is passed on; 0: dropped
  bool to_group = false;       ///< to each recorded member of the command's process group, not to it alone
  std::set<int> exit_ok;       ///< codes of the command that become 0

  /// What that signal is for the command; 0: nothing.
  [[nodiscard]] int rewritten(int signal) const;
};

/// The texts of --rewrite ("TERM:INT", "15:2", "HUP:0") and of --exit-ok ("143"), or what is wrong with one of them.
std::variant<Forwarding, std::string> read_forwarding(const std::vector<std::string>& rewrites,
                                                      const std::vector<std::string>& exit_ok, bool to_group);

}  // namespace plimsoll::run

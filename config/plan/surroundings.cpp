// Names of limits and of capabilities. Capability numbers are the kernel's interface and the same on every machine;
// those of rlimits are not, so here they have only names.
#include "config/plan/surroundings.hpp"

#include <algorithm>
#include <array>

namespace plimsoll {
namespace {

constexpr std::array<RlimitName, 16> limits{{{"as", RlimitUnit::bytes},
                                             {"core", RlimitUnit::bytes},
                                             {"cpu", RlimitUnit::seconds},
                                             {"data", RlimitUnit::bytes},
                                             {"fsize", RlimitUnit::bytes},
                                             {"locks", RlimitUnit::count},
                                             {"memlock", RlimitUnit::bytes},
                                             {"msgqueue", RlimitUnit::bytes},
                                             {"nice", RlimitUnit::count},
                                             {"nofile", RlimitUnit::count},
                                             {"nproc", RlimitUnit::count},
                                             {"rss", RlimitUnit::bytes},
                                             {"rtprio", RlimitUnit::count},
                                             {"rttime", RlimitUnit::microseconds},
                                             {"sigpending", RlimitUnit::count},
                                             {"stack", RlimitUnit::bytes}}};

/// By number, from 0.
constexpr std::array<std::string_view, 41> capabilities{"CHOWN",
                                                        "DAC_OVERRIDE",
                                                        "DAC_READ_SEARCH",
                                                        "FOWNER",
                                                        "FSETID",
                                                        "KILL",
                                                        "SETGID",
                                                        "SETUID",
                                                        "SETPCAP",
                                                        "LINUX_IMMUTABLE",
                                                        "NET_BIND_SERVICE",
                                                        "NET_BROADCAST",
                                                        "NET_ADMIN",
                                                        "NET_RAW",
                                                        "IPC_LOCK",
                                                        "IPC_OWNER",
                                                        "SYS_MODULE",
                                                        "SYS_RAWIO",
                                                        "SYS_CHROOT",
                                                        "SYS_PTRACE",
                                                        "SYS_PACCT",
                                                        "SYS_ADMIN",
                                                        "SYS_BOOT",
                                                        "SYS_NICE",
                                                        "SYS_RESOURCE",
                                                        "SYS_TIME",
                                                        "SYS_TTY_CONFIG",
                                                        "MKNOD",
                                                        "LEASE",
                                                        "AUDIT_WRITE",
                                                        "AUDIT_CONTROL",
                                                        "SETFCAP",
                                                        "MAC_OVERRIDE",
                                                        "MAC_ADMIN",
                                                        "SYSLOG",
                                                        "WAKE_ALARM",
                                                        "BLOCK_SUSPEND",
                                                        "AUDIT_READ",
                                                        "PERFMON",
                                                        "BPF",
                                                        "CHECKPOINT_RESTORE"};

}  // namespace

std::span<const RlimitName> rlimit_names() {
  return limits;
}

std::optional<int> capability_number(std::string_view name) {
  if (name.starts_with("CAP_")) name.remove_prefix(4);
  const auto found = std::find(capabilities.begin(), capabilities.end(), name);
  if (found == capabilities.end()) return std::nullopt;
  return static_cast<int>(found - capabilities.begin());
}

std::vector<std::string> names_of(CapabilitySet set) {
  std::vector<std::string> names;
  for (std::size_t number = 0; number < capabilities.size(); ++number) {
    if ((set >> number & 1U) != 0) names.push_back("CAP_" + std::string{capabilities[number]});
  }
  return names;
}

}  // namespace plimsoll

#include "daemon/run/surroundings.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "daemon/sys/environment_file.hpp"
#include "daemon/sys/io_priority.hpp"

namespace plimsoll::run {
namespace {

constexpr std::string_view service_variable = "PLIMSOLL_SERVICE";

constexpr std::array<std::pair<std::string_view, int>, 16> resources{{{"as", RLIMIT_AS},
                                                                      {"core", RLIMIT_CORE},
                                                                      {"cpu", RLIMIT_CPU},
                                                                      {"data", RLIMIT_DATA},
                                                                      {"fsize", RLIMIT_FSIZE},
                                                                      {"locks", RLIMIT_LOCKS},
                                                                      {"memlock", RLIMIT_MEMLOCK},
                                                                      {"msgqueue", RLIMIT_MSGQUEUE},
                                                                      {"nice", RLIMIT_NICE},
                                                                      {"nofile", RLIMIT_NOFILE},
                                                                      {"nproc", RLIMIT_NPROC},
                                                                      {"rss", RLIMIT_RSS},
                                                                      {"rtprio", RLIMIT_RTPRIO},
                                                                      {"rttime", RLIMIT_RTTIME},
                                                                      {"sigpending", RLIMIT_SIGPENDING},
                                                                      {"stack", RLIMIT_STACK}}};

std::string error_text(int error) {
  const char* text = ::strerrordesc_np(error);
  return text != nullptr ? text : "error " + std::to_string(error);
}

Unprepared cannot_look_up(const char* step, const std::string& name, const sys::error_code& error) {
  return {step, error.value(), "cannot look up '" + name + "': " + error.message()};
}

int io_priority_of(const IoPriority& priority) {
  switch (priority.class_) {
    case IoClass::realtime: return sys::io_priority(sys::IoPriorityClass::realtime, priority.level);
    case IoClass::best_effort: return sys::io_priority(sys::IoPriorityClass::best_effort, priority.level);
    case IoClass::idle: return sys::io_priority(sys::IoPriorityClass::idle, 0);
  }
  return 0;
}

void take_limits(const Surroundings& around, sys::SpawnRequest& request) {
  for (const auto& [name, resource] : resources) {
    const auto limit = around.rlimits.find(std::string{name});
    if (limit != around.rlimits.end()) request.limits.push_back({resource, limit->second.soft, limit->second.hard});
  }
}

/// All that is a number in the plan already.
void take_numbers(const Surroundings& around, sys::SpawnRequest& request) {
  take_limits(around, request);
  request.oom_score_adj = around.oom_score_adj;
  request.nice = around.nice;
  if (around.ionice) request.io_priority = io_priority_of(*around.ionice);
  request.capabilities = around.capabilities;
  request.no_new_privs = around.no_new_privs;
  if (around.umask) request.umask = static_cast<mode_t>(*around.umask);
}

/// Who the processes are to be. What is nothing stays as it is with us.
struct Identity {
  std::optional<sys::Account> account;  ///< the user's entry, if it has one
  std::optional<uid_t> user;
  std::optional<gid_t> group;
  std::optional<std::vector<gid_t>> groups;
};

std::optional<Unprepared> find_user(Accounts& accounts, const Surroundings& around, Identity& into) {
  const auto account = accounts.find_account(around.user);
  if (!account) return cannot_look_up("user", around.user, account.error());
  into.account = *account;
  if (into.account) {
    into.user = into.account->uid;
    into.group = into.account->gid;
    return std::nullopt;
  }
  into.user = sys::account_number(around.user);
  if (!into.user) return Unprepared{"user", ENOENT, "no user '" + around.user + "'"};
  if (!around.group.empty()) return std::nullopt;
  return Unprepared{"user", ENOENT, "user " + around.user + " has no entry, so 'group' must be written"};
}

std::optional<Unprepared> find_group(Accounts& accounts, const char* step, const std::string& name, gid_t& into) {
  const auto group = accounts.find_group(name);
  if (!group) return cannot_look_up(step, name, group.error());
  if (!*group) return Unprepared{step, ENOENT, "no group '" + name + "'"};
  into = **group;
  return std::nullopt;
}

std::optional<Unprepared> find_groups(Accounts& accounts, const Surroundings& around, Identity& into) {
  if (!around.group.empty()) {
    gid_t group = 0;
    if (auto why = find_group(accounts, "group", around.group, group)) return why;
    into.group = group;
  }
  if (around.groups) {
    into.groups.emplace(around.groups->size());
    for (std::size_t i = 0; i < around.groups->size(); ++i) {
      if (auto why = find_group(accounts, "groups", (*around.groups)[i], (*into.groups)[i])) return why;
    }
  } else if (into.account) {
    into.groups = accounts.groups_of(into.account->name, *into.group);
  } else if (into.user) {
    into.groups = {*into.group};
  }
  return std::nullopt;
}

bool same_groups(std::vector<gid_t> some, std::vector<gid_t> others) {
  std::sort(some.begin(), some.end());
  std::sort(others.begin(), others.end());
  return some == others;
}

/// Only what differs from ours is asked for: a daemon without rights can start services of its own user.
void take_identity(const Identity& identity, sys::SpawnRequest& request) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  ::getresuid(&real, &effective, &saved);
  if (identity.user && (real != *identity.user || effective != *identity.user || saved != *identity.user)) {
    request.user = identity.user;
  }
  ::getresgid(&real, &effective, &saved);
  if (identity.group && (real != *identity.group || effective != *identity.group || saved != *identity.group)) {
    request.group = identity.group;
  }
  if (!identity.groups) return;
  const auto own = sys::own_groups();
  if (!own || !same_groups(*own, *identity.groups)) request.groups = identity.groups;
}

Variables variables_of(const std::optional<sys::Account>& account) {
  if (!account) return {};
  Variables variables{{"USER", account->name}, {"LOGNAME", account->name}};
  if (!account->home.empty()) variables.emplace_back("HOME", account->home);
  if (!account->shell.empty()) variables.emplace_back("SHELL", account->shell);
  return variables;
}

std::string lines_text(const std::vector<int>& lines) {
  constexpr std::size_t most = 5;
  std::string text = lines.size() == 1 ? "line " : "lines ";
  for (std::size_t i = 0; i < lines.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + std::to_string(lines[i]);
  return lines.size() > most ? text + " and " + std::to_string(lines.size() - most) + " more" : text;
}

}  // namespace

Unprepared told(const sys::SpawnFailure& failure) {
  std::string step = sys::to_text(failure.step);
  for (const auto& [name, resource] : resources) {
    if (resource == failure.resource) step.append(".").append(name);
  }
  return {step, failure.error, error_text(failure.error)};
}

std::optional<Unprepared> Preparation::prepare(const Service& service, sys::SpawnRequest& request) {
  if (auto why = read_files(service)) return why;
  return prepare_beside(service, request);
}

std::optional<Unprepared> Preparation::prepare_beside(const Service& service, sys::SpawnRequest& request) {
  const Surroundings& around = service.surroundings;
  Identity identity;
  if (!around.user.empty() || !around.group.empty() || around.groups) accounts_.look_at_files();
  if (!around.user.empty()) {
    if (auto why = find_user(accounts_, around, identity)) return why;
  }
  if (auto why = find_groups(accounts_, around, identity)) return why;
  take_identity(identity, request);
  take_numbers(around, request);
  request.descriptor_limit = settings_.descriptor_limit;
  request.working_directory = service.working_directory;

  Variables between = variables_of(identity.account);
  const auto from_files = from_files_.find(service.name);
  if (from_files != from_files_.end()) {
    between.insert(between.end(), from_files->second.begin(), from_files->second.end());
  }
  request.environment = environment_of(service, settings_.inherited, between);
  request.environment.push_back(std::string(service_variable) + "=" + service.name);
  return std::nullopt;
}

std::optional<Unprepared> Preparation::read_files(const Service& service) {
  from_files_.erase(service.name);
  if (service.surroundings->environment_file.empty()) return std::nullopt;
  Variables variables;
  for (const EnvironmentFile& file : service.surroundings->environment_file) {
    const auto text = sys::read_environment_file(file.path);
    if (!text && file.optional && text.error().value() == ENOENT) continue;
    if (!text) {
      return Unprepared{"environment_file", text.error().value(), file.path + ": " + error_text(text.error().value())};
    }
    sys::EnvironmentText read = sys::parse_environment(*text);
    // Which lines, and not a word of what is in them.
    if (!read.not_taken.empty() && settings_.say) {
      settings_.say(service.name, "cannot take " + lines_text(read.not_taken) + " of " + file.path +
                                      ": not NAME=value; the rest of the file is used");
    }
    std::move(read.variables.begin(), read.variables.end(), std::back_inserter(variables));
  }
  std::erase_if(variables, [](const auto& variable) { return variable.first == "PLIMSOLL_RUN"; });
  from_files_[service.name] = std::move(variables);
  return std::nullopt;
}

std::optional<std::string> Preparation::look_up(const Service& service, std::string_view name) const {
  const auto configured = service.environment->find(std::string(name));
  if (configured != service.environment->end() && configured->second) return configured->second;
  if (const auto files = from_files_.find(service.name); files != from_files_.end()) {
    const auto found = std::find_if(files->second.rbegin(), files->second.rend(),
                                    [name](const auto& variable) { return variable.first == name; });
    if (found != files->second.rend()) return found->second;
  }
  return run::look_up(settings_.inherited, name);
}

std::optional<uid_t> Preparation::user_of(const Service& service) {
  if (service.surroundings->user.empty()) return ::geteuid();
  accounts_.look_at_files();
  const auto account = accounts_.find_account(service.surroundings->user);
  if (account && *account) return (*account)->uid;
  return sys::account_number(service.surroundings->user);
}

}  // namespace plimsoll::run

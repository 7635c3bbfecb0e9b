// Everything the child needs stands ready before the clone: it runs on our memory (spawn_child.cpp), so it has a stack
// of its own, and no handler of ours may run in it.
#include "daemon/sys/spawn.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <iterator>
#include <memory>
#include <string_view>

#include "daemon/sys/spawn_child.hpp"

/// clone(2) under its other name in the C library: ThreadSanitizer takes a call of the first one for a fork, and from
/// then on the memory that the child shares with us for that of a forked process.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the library's own name
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace plimsoll::sys {
namespace {

constexpr std::size_t stack_size = 64 * 1024;
constexpr std::size_t guard_size = 64 * 1024;  ///< a multiple of every page size in use

/// The child's stack, with a guard below it.
class Stack {
 public:
  Stack()
      : base_(::mmap(nullptr, guard_size + stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                     -1, 0)) {
    if (base_ == MAP_FAILED) return;
    if (::mprotect(base_, guard_size, PROT_NONE) != 0) error_ = errno;
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() {
    if (base_ != MAP_FAILED) ::munmap(base_, guard_size + stack_size);
  }
  [[nodiscard]] int error() const { return base_ == MAP_FAILED ? ENOMEM : error_; }
  [[nodiscard]] void* top() const { return static_cast<char*>(base_) + guard_size + stack_size; }

 private:
  void* base_;
  int error_ = 0;
};

/// Every signal is blocked while this lives, the C library's own two included, which pthread_sigmask would leave out: a
/// handler of ours must not run in the child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    const std::uint64_t all = ~std::uint64_t{0};
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, kernel_mask_size);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, kernel_mask_size); }

 private:
  std::uint64_t before_ = 0;
};

/// Who is not at its default: 62 calls, and exec resets all but the ignored. What cannot be asked is among them, so
/// that the child tells why.
std::uint64_t signals_to_reset() {
  constexpr int last_signal = 64;
  std::uint64_t signals = 0;
  for (int signal = 1; signal <= last_signal; ++signal) {
    KernelSigaction found;
    const bool known = ::syscall(SYS_rt_sigaction, signal, nullptr, &found, kernel_mask_size) == 0;
    const bool usual = std::all_of(std::begin(found.words), std::end(found.words), [](auto word) { return word == 0; });
    if (!known || !usual) signals |= std::uint64_t{1} << (signal - 1);
  }
  return signals;
}

/// A child that takes another user or group takes the mark "dumpable" from the address space that is also ours: core
/// dumps, and our own files in /proc as another user than root. It comes back at the end.
class DumpableKept {
 public:
  explicit DumpableKept(const Orders& orders) : before_(may_take_it(orders) ? ::prctl(PR_GET_DUMPABLE) : -1) {}
  DumpableKept(const DumpableKept&) = delete;
  DumpableKept& operator=(const DumpableKept&) = delete;
  ~DumpableKept() {
    if (before_ == 1 && ::prctl(PR_GET_DUMPABLE) != 1) ::prctl(PR_SET_DUMPABLE, 1);
  }

 private:
  static bool may_take_it(const Orders& orders) {
    return orders.has_user || orders.has_group || orders.groups != nullptr || orders.has_capabilities;
  }
  int before_;
};

std::vector<std::string> candidates_for(const SpawnRequest& request) {
  const std::string& name = request.argv.front();
  if (name.empty()) return {};
  if (name.find('/') != std::string::npos) return {name};
  std::string_view search = "/bin:/usr/bin";
  for (const std::string& variable : request.environment) {
    if (variable.starts_with("PATH=")) search = std::string_view(variable).substr(5);
  }
  std::vector<std::string> paths;
  for (;;) {
    const auto colon = search.find(':');
    const std::string_view folder = search.substr(0, colon);
    paths.push_back(std::string(folder.empty() ? "." : folder).append("/").append(name));
    if (colon == std::string_view::npos) return paths;
    search.remove_prefix(colon + 1);
  }
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  // execve takes them without const by tradition; nobody writes to them.
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// A NUL inside would silently start something else than what was asked for.
bool holds_nul(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) return true;
  }
  return false;
}

SpawnOutcome failed(SpawnFailure failure) {
  SpawnOutcome outcome;
  outcome.failure = failure;
  return outcome;
}

void reap_failed(const Fd& pidfd) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

/// Low descriptors that are lent to each child for its stdio and what is placed beside it. They stand below all that is
/// opened later, so that a child which unshares our table above them has a small one. Kept, as is the child's stack: a
/// restart should cost a clone.
class Landing {
 public:
  Landing() {
    // An empty range is EINVAL wherever the call is known (5.9) and let through.
    if (::syscall(SYS_close_range, 1U, 0U, CLOSE_RANGE_UNSHARE) != 0 && errno != EINVAL) return;
    null_ = Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    usable_ = static_cast<bool>(null_);
    for (Fd& place : places_) {
      place = Fd(::fcntl(null_.get(), F_DUPFD_CLOEXEC, 3));
      usable_ = usable_ && place;
    }
  }

  /// Moves the descriptors of `orders` there. Nothing is changed where that cannot be done: the child gets a copy of
  /// all.
  void lend(Orders& orders) {
    if (!usable_) return;
    int places[placed_descriptors] = {-1, -1, -1, -1};
    unsigned highest = 2;
    for (std::size_t i = 0; i < placed_descriptors; ++i) {
      const int source = orders.sources[i];
      if (source < 0) continue;
      if (::dup3(source, places_[i].get(), O_CLOEXEC) < 0) return;
      places[i] = places_[i].get();
      highest = std::max(highest, static_cast<unsigned>(places[i]));
    }
    std::copy(std::begin(places), std::end(places), std::begin(orders.sources));
    orders.first_unneeded = highest + 1;
  }

  /// What was lent stays open in the child alone.
  void take_back(const Orders& orders) const {
    if (!usable_) return;
    for (std::size_t i = 0; i < placed_descriptors; ++i) {
      if (orders.sources[i] >= 0) ::dup3(null_.get(), places_[i].get(), O_CLOEXEC);
    }
  }

 private:
  Fd null_;
  std::array<Fd, placed_descriptors> places_;
  bool usable_ = false;
};

SpawnOutcome launch(Orders& orders) {
  thread_local std::unique_ptr<const Stack> stack;
  if (!stack || stack->error() != 0) stack = std::make_unique<const Stack>();
  if (stack->error() != 0) return failed({SpawnStep::clone, stack->error()});
  thread_local Landing landing;
  thread_local const std::uint64_t signals = signals_to_reset();
  orders.signals = signals;
  landing.lend(orders);
  const int files = orders.first_unneeded != 0 ? CLONE_FILES : 0;
  int pidfd_number = -1;
  pid_t pid = -1;
  int error = 0;
  {
    const SignalsBlocked blocked;
    const DumpableKept kept(orders);
    pid = ::__clone(run_child, stack->top(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | files | SIGCHLD, &orders,
                    &pidfd_number);
    error = errno;
  }
  landing.take_back(orders);
  if (pid < 0) return failed({SpawnStep::clone, error});
  Fd pidfd(pidfd_number);
  if (orders.failure.error != 0) {
    reap_failed(pidfd);
    if (orders.failure.step != SpawnStep::limits) orders.failure.resource = -1;
    return failed(orders.failure);
  }
  SpawnOutcome outcome;
  outcome.ok = true;
  outcome.spawned.pid = pid;
  outcome.spawned.pidfd = std::move(pidfd);
  return outcome;
}

std::vector<Orders::Limit> limits_of(const SpawnRequest& request) {
  std::vector<Orders::Limit> limits;
  for (const SpawnLimit& limit : request.limits) {
    limits.push_back({limit.resource, limit.soft.has_value(), limit.hard.has_value(), limit.soft.value_or(0),
                      limit.hard.value_or(0)});
  }
  return limits;
}

void order_priorities(const SpawnRequest& request, Orders& orders) {
  if (request.oom_score_adj) {
    char* const text = orders.oom_score_adj;
    std::to_chars(text, text + sizeof orders.oom_score_adj - 1, *request.oom_score_adj);
  }
  orders.has_nice = request.nice.has_value();
  orders.nice = request.nice.value_or(0);
  orders.has_io_priority = request.io_priority.has_value();
  orders.io_priority = request.io_priority.value_or(0);
}

/// No list at all and an empty list are two things here: one stays, the other takes every group away.
constexpr gid_t no_groups[1] = {0};

void order_rights(const SpawnRequest& request, Orders& orders) {
  if (request.groups) {
    orders.groups = request.groups->empty() ? no_groups : request.groups->data();
    orders.group_count = request.groups->size();
  }
  orders.has_group = request.group.has_value();
  orders.group = request.group.value_or(0);
  orders.has_capabilities = request.capabilities.has_value();
  orders.capabilities = request.capabilities.value_or(0);
  orders.has_user = request.user.has_value();
  orders.user = request.user.value_or(0);
  orders.no_new_privs = request.no_new_privs;
  orders.has_umask = request.umask.has_value();
  orders.umask = request.umask.value_or(0);
}

}  // namespace

const char* to_text(SpawnStep step) {
  switch (step) {
    case SpawnStep::clone: return "clone";
    case SpawnStep::signals: return "signals";
    case SpawnStep::session: return "session";
    case SpawnStep::descriptors: return "descriptors";
    case SpawnStep::limits: return "rlimits";
    case SpawnStep::oom_score_adj: return "oom_score_adj";
    case SpawnStep::nice: return "nice";
    case SpawnStep::io_priority: return "ionice";
    case SpawnStep::groups: return "groups";
    case SpawnStep::group: return "group";
    case SpawnStep::capabilities: return "capabilities";
    case SpawnStep::user: return "user";
    case SpawnStep::no_new_privs: return "no_new_privs";
    case SpawnStep::umask: return "umask";
    case SpawnStep::working_directory: return "working_directory";
    case SpawnStep::exec: return "exec";
  }
  return "?";
}

SpawnOutcome spawn(const SpawnRequest& request) {
  if (request.argv.empty() || holds_nul(request.argv) || holds_nul(request.environment)) {
    return failed({SpawnStep::exec, EINVAL});
  }
  const std::vector<std::string> paths = candidates_for(request);
  const std::vector<char*> argv = pointers_to(request.argv);
  const std::vector<char*> environment = pointers_to(request.environment);
  const std::vector<char*> candidates = pointers_to(paths);
  const std::vector<Orders::Limit> limits = limits_of(request);

  Orders orders;
  orders.argv = argv.data();
  orders.environment = environment.data();
  orders.candidates = candidates.data();
  orders.working_directory = request.working_directory.empty() ? nullptr : request.working_directory.c_str();
  orders.sources[0] = request.stdin_fd;
  orders.sources[1] = request.stdout_fd;
  orders.sources[2] = request.stderr_fd;
  orders.sources[3] = request.notification_fd;
  orders.targets[3] = request.notification_target;
  orders.session = request.session;
  orders.terminal_fd = request.terminal_fd;
  orders.descriptor_limit = request.descriptor_limit;
  orders.limits = limits.data();
  orders.limit_count = limits.size();
  order_priorities(request, orders);
  order_rights(request, orders);
  return launch(orders);
}

}  // namespace plimsoll::sys

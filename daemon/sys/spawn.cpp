// Everything the child needs stands ready before the clone: it runs on our memory, while the thread that called waits,
// and any other thread of ours may hold any lock. So the child has a stack of its own, calls the kernel and nothing
// else, and does so through syscall(2): the C library's functions of the same names are wrapped by the sanitizers,
// which would write the child's affairs (its descriptors, its dispositions) into the parent's books.
#include "daemon/sys/spawn.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

#define PLIMSOLL_IN_CHILD __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

/// clone(2) under its other name in the C library: ThreadSanitizer takes a call of the first one for a fork, and from
/// then on the memory that the child shares with us for that of a forked process.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the library's own name
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace plimsoll::sys {
namespace {

constexpr std::size_t stack_size = 64 * 1024;
constexpr std::size_t guard_size = 64 * 1024;  ///< a multiple of every page size in use
constexpr int last_signal = 64;
constexpr std::size_t kernel_mask_size = 8;  ///< bytes: the kernel's sigset_t, not the C library's

/// rt_sigaction's own form. All zero is SIG_DFL, no flags and an empty mask on every architecture, in any order of
/// fields.
struct KernelSigaction {
  unsigned long words[4] = {};
};

/// What the child works from and answers into. Plain pointers: it may not run anybody's operator[].
struct Orders {
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* const* candidates = nullptr;  ///< paths to try, ended by null
  const char* working_directory = nullptr;  ///< null: ours
  int stdio[3] = {-1, -1, -1};
  bool new_session = true;
  unsigned long descriptor_limit = 0;

  SpawnStep failed_step = SpawnStep::clone;
  int error = 0;  ///< 0 when the exec succeeded
};

// In the child
// ------------------------------------------------------------------------------------------------------------

/// Handlers too, though exec would reset them: one that ran in the child before the exec would run on our memory.
PLIMSOLL_IN_CHILD int reset_dispositions() {
  const KernelSigaction reset;
  for (int signal = 1; signal <= last_signal; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    if (::syscall(SYS_rt_sigaction, signal, &reset, nullptr, kernel_mask_size) != 0) return errno;
  }
  return 0;
}

PLIMSOLL_IN_CHILD int place_stdio(int* stdio) {
  // First out of the way what stands on a place that another one is to take, so that 0 and 1 can also be exchanged.
  for (int target = 0; target < 3; ++target) {
    const int source = stdio[target];
    if (source < 0 || source > 2 || source == target) continue;
    const long moved = ::syscall(SYS_fcntl, source, F_DUPFD_CLOEXEC, 3);
    if (moved < 0) return errno;
    stdio[target] = static_cast<int>(moved);
  }
  for (int target = 0; target < 3; ++target) {
    const int source = stdio[target];
    if (source < 0) continue;
    // dup3 onto itself is an error, and its flag would stay.
    const long done =
        source == target ? ::syscall(SYS_fcntl, target, F_SETFD, 0) : ::syscall(SYS_dup3, source, target, 0);
    if (done < 0) return errno;
  }
  return 0;
}

PLIMSOLL_IN_CHILD int limit_descriptors(unsigned long soft) {
  struct {
    std::uint64_t soft, hard;
  } limit{};
  if (::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) != 0) return errno;
  limit.soft = soft < limit.hard ? soft : limit.hard;
  if (::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr) != 0) return errno;
  return 0;
}

/// Errors after which the next folder of PATH is tried, as execvp(3) does.
PLIMSOLL_IN_CHILD bool try_next(int error) {
  return error == EACCES || error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ESTALE ||
         error == ENODEV || error == ETIMEDOUT;
}

/// Returns only if no candidate could be executed. "Not executable" says more than the "not found" of a later folder.
PLIMSOLL_IN_CHILD int execute(const Orders& orders) {
  int error = ENOENT;
  bool denied = false;
  for (const char* const* path = orders.candidates; *path != nullptr; ++path) {
    ::syscall(SYS_execve, *path, orders.argv, orders.environment);
    error = errno;
    if (!try_next(error)) return error;
    denied = denied || error == EACCES;
  }
  return denied ? EACCES : error;
}

PLIMSOLL_IN_CHILD int take_step(SpawnStep step, Orders& orders) {
  switch (step) {
    case SpawnStep::clone: return 0;
    case SpawnStep::session: return orders.new_session && ::syscall(SYS_setsid) < 0 ? errno : 0;
    case SpawnStep::signals: return reset_dispositions();
    case SpawnStep::descriptors: {
      if (const int error = place_stdio(orders.stdio)) return error;
      // A net for descriptors of libraries that forgot O_CLOEXEC: where the kernel cannot (before 5.11) there is none.
      ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
      return 0;
    }
    case SpawnStep::limits: return orders.descriptor_limit == 0 ? 0 : limit_descriptors(orders.descriptor_limit);
    case SpawnStep::working_directory:
      return orders.working_directory != nullptr && ::syscall(SYS_chdir, orders.working_directory) != 0 ? errno : 0;
    case SpawnStep::exec: {
      // Last, as a signal that waits would now end us: by its default action, for no handler is left.
      const std::uint64_t none = 0;
      if (::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_mask_size) != 0) return errno;
      return execute(orders);
    }
  }
  return EINVAL;
}

PLIMSOLL_IN_CHILD int child_main(void* argument) {
  Orders& orders = *static_cast<Orders*>(argument);
  constexpr SpawnStep way[] = {SpawnStep::signals,     SpawnStep::session, SpawnStep::working_directory,
                               SpawnStep::descriptors, SpawnStep::limits,  SpawnStep::exec};
  for (const SpawnStep* step = way; step != way + sizeof way / sizeof *way; ++step) {
    if (const int error = take_step(*step, orders)) {
      orders.failed_step = *step;
      orders.error = error;
      break;
    }
  }
  for (;;) ::syscall(SYS_exit_group, 127);
}

// In the parent
// -----------------------------------------------------------------------------------------------------------

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

SpawnOutcome failed(SpawnStep step, int error) {
  SpawnOutcome outcome;
  outcome.failure = {step, error};
  return outcome;
}

void reap_failed(const Fd& pidfd) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

SpawnOutcome launch(Orders& orders) {
  const Stack stack;
  if (stack.error() != 0) return failed(SpawnStep::clone, stack.error());
  int pidfd_number = -1;
  pid_t pid = -1;
  int error = 0;
  {
    const SignalsBlocked blocked;
    pid = ::__clone(child_main, stack.top(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &orders, &pidfd_number);
    error = errno;
  }
  if (pid < 0) return failed(SpawnStep::clone, error);
  Fd pidfd(pidfd_number);
  if (orders.error != 0) {
    reap_failed(pidfd);
    return failed(orders.failed_step, orders.error);
  }
  SpawnOutcome outcome;
  outcome.ok = true;
  outcome.spawned.pid = pid;
  outcome.spawned.pidfd = std::move(pidfd);
  return outcome;
}

}  // namespace

const char* to_text(SpawnStep step) {
  switch (step) {
    case SpawnStep::clone: return "clone";
    case SpawnStep::session: return "session";
    case SpawnStep::signals: return "signals";
    case SpawnStep::descriptors: return "descriptors";
    case SpawnStep::limits: return "limits";
    case SpawnStep::working_directory: return "working_directory";
    case SpawnStep::exec: return "exec";
  }
  return "?";
}

SpawnOutcome spawn(const SpawnRequest& request) {
  if (request.argv.empty() || holds_nul(request.argv) || holds_nul(request.environment)) {
    return failed(SpawnStep::exec, EINVAL);
  }
  const std::vector<std::string> paths = candidates_for(request);
  const std::vector<char*> argv = pointers_to(request.argv);
  const std::vector<char*> environment = pointers_to(request.environment);
  const std::vector<char*> candidates = pointers_to(paths);

  Orders orders;
  orders.argv = argv.data();
  orders.environment = environment.data();
  orders.candidates = candidates.data();
  orders.working_directory = request.working_directory.empty() ? nullptr : request.working_directory.c_str();
  orders.stdio[0] = request.stdin_fd;
  orders.stdio[1] = request.stdout_fd;
  orders.stdio[2] = request.stderr_fd;
  orders.new_session = request.new_session;
  orders.descriptor_limit = request.descriptor_limit;
  return launch(orders);
}

}  // namespace plimsoll::sys

#include "daemon/sys/second_thread.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "daemon/sys/procfs.hpp"
#include "tests/unit/sys/processes.hpp"

namespace plimsoll::sys {
namespace {

std::vector<pid_t> children_of_thread(pid_t thread) {
  const auto held = ProcFs().open_children(::getpid(), thread);
  const auto listed = held ? read_children(*held) : Result<std::vector<pid_t>>{held.error()};
  return listed ? *listed : std::vector<pid_t>{};
}

bool holds(const std::vector<pid_t>& list, pid_t pid) {
  return std::find(list.begin(), list.end(), pid) != list.end();
}

/// What a child says of one that it has made, which stays until it is killed.
pid_t made_below(const std::function<pid_t()>& make) {
  Pipe pipe;
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t made = make();
    if (made == 0) {
      for (;;) ::pause();
    }
    const ssize_t told = ::write(pipe.write_end.get(), &made, sizeof made);
    ::_exit(told == sizeof made ? 0 : 1);
  }
  pid_t made = -1;
  const std::string text = read_exactly(pipe.read_end, sizeof made);
  std::copy(text.begin(), text.end(), reinterpret_cast<char*>(&made));
  return ::waitpid(child, nullptr, 0) == child ? made : -1;
}

void end(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

/// "" if `pid` stands in the list of orphans, or in that of what this thread has forked, and not in the other one.
std::string stands(pid_t pid, bool among_orphans) {
  const bool orphan = holds(children_of_thread(::getpid()), pid);
  const bool forked = holds(children_of_thread(::gettid()), pid);
  if (orphan == among_orphans && forked != among_orphans) return {};
  return std::string("among the orphans: ") + (orphan ? "yes" : "no") + ", the forked: " + (forked ? "yes" : "no");
}

/// In a process of its own, on its second thread.
void on_a_second_thread(const std::function<std::string()>& check) {
  in_own_process([&check] {
    std::string wrong = "it did not run";
    const int code = on_second_thread([&] {
      wrong = ::gettid() == ::getpid() ? "there is no second thread" : check();
      return 7;
    });
    return code == 7 ? wrong : std::string("its result is lost");
  });
}

TEST(SecondThread, HasAListOfWhatItForksApartFromTheOrphans) {
  on_a_second_thread([]() -> std::string {
    if (become_subreaper()) return "no subreaper";
    const pid_t forked = ::fork();
    if (forked == 0) {
      for (;;) ::pause();
    }
    const pid_t orphan = made_below([] { return ::fork(); });
    std::string wrong = stands(forked, false) + stands(orphan, true);
    end(forked);
    end(orphan);
    return wrong;
  });
}

TEST(SecondThread, HasASisterOfItsChildInItsOwnList) {
  on_a_second_thread([] {
    const pid_t sister = made_below(
        [] { return static_cast<pid_t>(::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, 0)); });
    std::string wrong = stands(sister, false);
    end(sister);
    return wrong;
  });
}

TEST(SecondThread, IsTheFirstOneWhereThereMayBeNoOther) {
  in_own_process([]() -> std::string {
    // A limit of processes binds those without privileges.
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return "cannot become nobody";
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) return "no limit";
    const int code = on_second_thread([] { return ::gettid() == ::getpid() ? 7 : 1; });
    return code == 7 ? "" : "there is a second thread, or its result is lost";
  });
}

}  // namespace
}  // namespace plimsoll::sys

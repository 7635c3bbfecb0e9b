#include "daemon/run/own_children.hpp"

#include <unistd.h>

namespace plimsoll::run {

sys::Result<std::vector<pid_t>> OwnChildren::orphans() {
  return of_thread(orphans_, ::getpid());
}

sys::Result<std::vector<pid_t>> OwnChildren::all() {
  auto children = orphans();
  if (!children || ::gettid() == ::getpid()) return children;
  const auto forked = of_thread(forked_, ::gettid());
  if (!forked) return forked.error();
  children->insert(children->end(), forked->begin(), forked->end());
  return children;
}

sys::Result<std::vector<pid_t>> OwnChildren::of_thread(sys::Fd& held, pid_t thread) {
  if (!held) {
    auto opened = proc_.open_children(::getpid(), thread);
    if (!opened) return opened.error();
    held = std::move(*opened);
  }
  return sys::read_children(held);
}

}  // namespace plimsoll::run

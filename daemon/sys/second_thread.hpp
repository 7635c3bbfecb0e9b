// Linux keeps a list of children for each thread, not for each process (/proc/PID/task/TID/children), and gives orphans
// to the first thread of whoever adopts them (find_new_reaper() in kernel/exit.c). So a process that forks on its
// second thread, while the first one only sleeps, has its orphans in a list of their own: whether a dead tree has left
// anything behind is then a question of a short list, however many children were forked.
//
// A child that was cloned with CLONE_PARENT by one of our children is in the second thread's list: it has no dead
// parent.
#pragma once

#include <functional>

namespace plimsoll::sys {

/// What `act` returns. It runs on a thread of its own, while the caller sleeps; where none can be had (EAGAIN: a limit
/// of processes), on the caller's. Both threads have the caller's mask of signals, and must keep the same one: a signal
/// that is blocked here and not there would end even the first process of a pid namespace.
int on_second_thread(const std::function<int()>& act);

}  // namespace plimsoll::sys

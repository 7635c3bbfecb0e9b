// The child's side of a spawn: what it works from and answers into, and its main function.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "daemon/sys/spawn.hpp"

namespace plimsoll::sys {

/// Bytes of the kernel's sigset_t, which is not the C library's.
inline constexpr std::size_t kernel_mask_size = 8;

/// rt_sigaction's own form. All zero is SIG_DFL, no flags and an empty mask on every architecture, in any order of
/// fields.
struct KernelSigaction {
  unsigned long words[4] = {};
};

/// Stdin, stdout, stderr, and one that the app says something on.
inline constexpr int placed_descriptors = 4;

/// Plain numbers and pointers: the child may not run anybody's operator[], which a sanitizer may have instrumented.
struct Orders {
  struct Limit {
    int resource;
    bool has_soft, has_hard;
    std::uint64_t soft, hard;
  };

  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* const* candidates = nullptr;             ///< paths to try, ended by null
  const char* working_directory = nullptr;             ///< null: ours
  int sources[placed_descriptors] = {-1, -1, -1, -1};  ///< -1: what is there stays
  int targets[placed_descriptors] = {0, 1, 2, 3};      ///< in this order
  std::uint64_t signals = 0;                           ///< bit N - 1: signal N is to get its default back
  SpawnSession session = SpawnSession::own;
  int terminal_fd = -1;
  unsigned long descriptor_limit = 0;
  const Limit* limits = nullptr;
  std::size_t limit_count = 0;
  char oom_score_adj[16] = {};  ///< its text; empty: ours
  bool has_nice = false;
  int nice = 0;
  bool has_io_priority = false;
  int io_priority = 0;
  const gid_t* groups = nullptr;  ///< null: ours; with a count of 0 none
  std::size_t group_count = 0;
  bool has_group = false;
  gid_t group = 0;
  bool has_capabilities = false;
  std::uint64_t capabilities = 0;
  bool has_user = false;
  uid_t user = 0;
  bool no_new_privs = false;
  bool has_umask = false;
  mode_t umask = 0;

  /// 0: the child has a copy of our descriptors. Else it shares our table, and unshares it from this one on as its
  /// first act on it: what is copied then are those below, and not the thousands that we hold.
  unsigned first_unneeded = 0;

  SpawnFailure failure;  ///< the answer; its error is 0 when the exec succeeded
};

/// For clone(2): takes every step of `*static_cast<Orders*>(orders)`, and returns only by the end of the process.
int run_child(void* orders);

}  // namespace plimsoll::sys

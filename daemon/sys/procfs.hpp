// /proc, read and parsed. Parsing is separate from reading and takes text, for tests and fuzzing; reading takes the
// root of the tree as a value (`ProcFs`), so that a fixture tree stands in for the kernel. proc(5),
// Documentation/filesystems/proc.rst.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/pidfd.hpp"
#include "daemon/sys/result.hpp"
#include "daemon/sys/tcp_sockets.hpp"

namespace plimsoll::sys {

/// What this project uses of /proc/PID/stat.
struct Stat {
  pid_t pid = 0;
  std::string comm;  ///< at most 15 bytes; may hold blanks and parentheses
  char state = '?';  ///< R S D Z T t X I
  pid_t ppid = 0;
  pid_t pgrp = 0;
  pid_t session = 0;
  std::uint64_t start_time = 0;  ///< clock ticks since boot
  unsigned threads = 0;
  std::optional<int>
      exit_code;  ///< field 52, as wait(2) status; only meaningful for a zombie, and 0 where it may not be read
};
std::optional<Stat> parse_stat(std::string_view text);

/// Resident pages of /proc/PID/statm (second number).
std::optional<std::uint64_t> parse_statm_resident(std::string_view text);
/// A "Name:   123 kB" line's number of /proc/PID/status or smaps_rollup, in bytes.
std::optional<std::uint64_t> parse_kb_line(std::string_view text, std::string_view name);
/// NUL-separated words (cmdline, environ); a last word without its NUL counts.
std::vector<std::string> parse_words(std::string_view text);
/// "1 22 333 " of a children file; what is no number is left out.
std::vector<pid_t> parse_children(std::string_view text);

/// Of /proc/PID/net/tcp or tcp6.
std::vector<TcpSocket> parse_tcp(std::string_view text);

/// Identity of a process in the directory listing: the pid and the inode of /proc/PID, which is another one when
/// the pid was given to another process.
struct Listed {
  pid_t pid = 0;
  std::uint64_t inode = 0;
};

class ProcFs {
 public:
  explicit ProcFs(std::string root = "/proc") : root_(std::move(root)) {}

  /// All processes that can be seen. Not a snapshot: what forks and ends meanwhile may be missed.
  [[nodiscard]] Result<std::vector<Listed>> list() const;
  [[nodiscard]] Result<Stat> stat(pid_t pid) const;
  /// /proc/PID/stat, only to see whether it can be opened.
  [[nodiscard]] Result<Fd> open_stat(pid_t pid) const;
  /// Whether this error of a file of /proc/PID says nothing about the process: we are out of descriptors or memory, or
  /// nobody is there, not even we, as something else is mounted over /proc. Any other one means that it is gone, or not
  /// ours to see.
  [[nodiscard]] bool cannot_say(const error_code& error) const;
  [[nodiscard]] Result<std::vector<std::string>> cmdline(pid_t pid) const;
  [[nodiscard]] Result<std::vector<std::string>> environ(pid_t pid) const;
  /// Target of /proc/PID/exe (" (deleted)" removed); EACCES for another uid without CAP_SYS_PTRACE.
  [[nodiscard]] Result<std::string> exe(pid_t pid) const;
  [[nodiscard]] Result<std::string> cwd(pid_t pid) const;
  /// The real one.
  [[nodiscard]] Result<uid_t> uid(pid_t pid) const;
  /// The children of one thread, to be held: what is held can be read without a descriptor, and whatever is mounted
  /// over /proc.
  [[nodiscard]] Result<Fd> open_children(pid_t pid, pid_t thread) const;
  /// VmHWM; nothing for a zombie.
  [[nodiscard]] std::optional<std::uint64_t> peak_rss(pid_t pid) const;
  /// smaps_rollup's Rss: exact, but walks the page tables (about 10 ms for 1 GB).
  [[nodiscard]] std::optional<std::uint64_t> exact_rss(pid_t pid) const;
  /// What each open descriptor of `pid` is a socket of: socket inodes. EACCES as above.
  [[nodiscard]] Result<std::vector<std::uint64_t>> socket_inodes(pid_t pid) const;
  /// What /proc/PID/net/tcp and tcp6 tell of the network namespace of `pid`.
  [[nodiscard]] Result<std::vector<TcpSocket>> tcp(pid_t pid) const;
  /// Opens /proc/PID/statm to be held; pread it with read_statm_resident().
  [[nodiscard]] Result<Fd> open_statm(pid_t pid) const;
  /// SigCgt of /proc/PID/status: whether the process has a handler for `signal`.
  [[nodiscard]] Result<bool> catches(pid_t pid, int signal) const;
  /// wchan, for the message about a process that cannot be killed; empty where it cannot be read.
  [[nodiscard]] std::string wchan(pid_t pid) const;
  /// TracerPid of status; 0 if none.
  [[nodiscard]] pid_t tracer(pid_t pid) const;
  /// CoreDumping of status (Linux 4.15): its memory is being written down, and it ends when that is done.
  [[nodiscard]] bool dumping(pid_t pid) const;
  /// /proc/vmstat, to be held for read_vmstat().
  [[nodiscard]] Result<Fd> open_vmstat() const;
  /// The pid that was given out last in our pid namespace, by /proc/loadavg: while it stays the same nothing was
  /// forked. Nothing where another file system lies over that file (lxcfs), as its answer is late.
  [[nodiscard]] std::optional<pid_t> last_pid() const;
  /// Boot id and the inode of our pid namespace: with a pid and its start time, who a process is beyond this boot and
  /// container (law 11). Empty and 0 where they cannot be read.
  [[nodiscard]] std::string boot_id() const;
  [[nodiscard]] std::uint64_t pid_namespace() const;
  /// The inode of the network namespace of `pid`; 0 where it cannot be read (another uid's without CAP_SYS_PTRACE).
  [[nodiscard]] std::uint64_t network_namespace(pid_t pid) const;

 private:
  [[nodiscard]] std::string path(pid_t pid, std::string_view name) const;
  std::string root_;
};

/// Resident bytes through a held descriptor of /proc/PID/statm; nothing once the process is gone. 0 means that it has
/// no address space (a zombie, or between two), never "small".
std::optional<std::uint64_t> read_statm_resident(const Fd& statm);

/// Of the whole machine, since its start.
struct VmStat {
  std::optional<std::uint64_t> oom_kills;  ///< oom_kill: processes that the kernel's OOM killer has ended
  /// What page faults have brought in, in small pages: pgfault, and a huge page for what thp_fault_alloc and
  /// thp_file_mapped count. Faults that brought nothing are in it, too.
  std::optional<std::uint64_t> faulted_pages;
};
VmStat parse_vmstat(std::string_view text);
/// Through a held descriptor of /proc/vmstat.
VmStat read_vmstat(const Fd& vmstat);

/// Through a held descriptor of a children file.
Result<std::vector<pid_t>> read_children(const Fd& children);

/// How far statm can be below the truth on this kernel, in bytes per counter, measured once at start: pages are touched
/// and statm is compared with smaps_rollup. 0 where the kernel sums its counters (6.16 and newer).
struct StatmBound {
  bool exact = false;
  std::uint64_t per_thread = 0;   ///< kernels before 6.2: up to 64 pages a thread and counter
  std::uint64_t per_process = 0;  ///< 6.2 to 6.15: nCPU × max(32, 2·nCPU) pages a counter
};
StatmBound measure_statm_bound(const ProcFs& proc);

}  // namespace plimsoll::sys

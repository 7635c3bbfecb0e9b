#include "daemon/sys/procfs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <memory>

namespace plimsoll::sys {
namespace {

/// A text that is there but not what proc(5) says.
error_code bad_text() {
  return error_of(EBADMSG);
}

Result<Fd> open_to_read(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return last_error();
  return fd;
}

/// `longest_line`: the file is made of lines no longer than that, so that a read which leaves room for another one was
/// the last; to be told so by an empty read can cost as much as the whole table did. 0: read until nothing comes.
/// No more than `most` bytes are read.
Result<std::string> read_file(const std::string& path, std::size_t longest_line = 0,
                              std::size_t most = std::string::npos) {
  const auto fd = open_to_read(path);
  if (!fd) return fd.error();
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t got = ::read(fd->get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return last_error();
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    const std::size_t room = piece.size() - static_cast<std::size_t>(got);
    if (longest_line != 0 && room > longest_line && text.back() == '\n') return text;
    if (text.size() >= most) return text;
  }
}

Result<std::string> read_link(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return last_error();
  return std::string(target.data(), static_cast<std::size_t>(length));
}

/// Calls `take(name, inode)` for each entry; an error if the folder cannot be read to its end.
template <class Take>
error_code for_each_entry(const std::string& path, Take take) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(path.c_str()), ::closedir);
  if (!listing) return last_error();
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(listing.get());
    if (entry == nullptr) return errno == 0 ? error_code() : last_error();
    take(std::string_view(entry->d_name), std::uint64_t{entry->d_ino});
  }
}

template <class Number>
std::optional<Number> leading_number(std::string_view text, int base = 10) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || stop == text.data()) return std::nullopt;
  return value;
}

/// A process's name in a listing: digits only, no zero in front.
std::optional<pid_t> pid_of(std::string_view name) {
  const auto pid = leading_number<pid_t>(name);
  if (!pid || *pid <= 0 || std::to_string(*pid) != name) return std::nullopt;
  return pid;
}

/// What follows `label` at the beginning of a line.
std::optional<std::string_view> after_label(std::string_view text, std::string_view label) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(label)) return line.substr(label.size());
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return std::nullopt;
}

std::string_view without_end(std::string_view text, std::string_view end) {
  if (text.ends_with(end)) text.remove_suffix(end.size());
  return text;
}

}  // namespace

std::string ProcFs::path(pid_t pid, std::string_view name) const {
  std::string path = root_ + "/" + std::to_string(pid) + "/";
  return path.append(name);
}

Result<std::vector<Listed>> ProcFs::list() const {
  std::vector<Listed> processes;
  const error_code error = for_each_entry(root_, [&](std::string_view name, std::uint64_t inode) {
    if (const auto pid = pid_of(name)) processes.push_back({*pid, inode});
  });
  if (error) return error;
  return processes;
}

Result<Stat> ProcFs::stat(pid_t pid) const {
  constexpr std::size_t longest_line = 1024;  // of 52 numbers
  const auto text = read_file(path(pid, "stat"), longest_line);
  if (!text) return text.error();
  auto parsed = parse_stat(*text);
  if (!parsed) return bad_text();
  return std::move(*parsed);
}

Result<Fd> ProcFs::open_stat(pid_t pid) const {
  return open_to_read(path(pid, "stat"));
}

bool ProcFs::cannot_say(const error_code& error) const {
  if (error.value() != ENOENT) return is_shortage(error);
  struct stat found {};
  return ::lstat((root_ + "/self").c_str(), &found) != 0;
}

namespace {

/// Where a process's words are in its memory is for itself to say (PR_SET_MM, prctl(2)): the kernel sets no bound.
constexpr std::size_t most_of_words = 1 << 20;

}  // namespace

Result<std::vector<std::string>> ProcFs::cmdline(pid_t pid) const {
  const auto text = read_file(path(pid, "cmdline"), 0, most_of_words);
  if (!text) return text.error();
  return parse_words(*text);
}

Result<std::vector<std::string>> ProcFs::environ(pid_t pid) const {
  const auto text = read_file(path(pid, "environ"), 0, most_of_words);
  if (!text) return text.error();
  return parse_words(*text);
}

Result<std::string> ProcFs::exe(pid_t pid) const {
  const auto target = read_link(path(pid, "exe"));
  if (!target) return target.error();
  return std::string(without_end(*target, " (deleted)"));
}

Result<std::string> ProcFs::cwd(pid_t pid) const {
  const auto target = read_link(path(pid, "cwd"));
  if (!target) return target.error();
  return std::string(without_end(*target, " (deleted)"));
}

Result<uid_t> ProcFs::uid(pid_t pid) const {
  const auto text = read_file(path(pid, "status"));
  if (!text) return text.error();
  const auto line = after_label(*text, "Uid:");
  const auto real = line ? leading_number<uid_t>(*line) : std::nullopt;
  if (!real) return bad_text();
  return *real;
}

Result<std::vector<pid_t>> ProcFs::children(pid_t pid) const {
  std::vector<std::string> threads;
  const error_code error = for_each_entry(path(pid, "task"), [&](std::string_view name, std::uint64_t) {
    if (pid_of(name)) threads.emplace_back(name);
  });
  if (error) return error;

  std::vector<pid_t> children;
  // A thread that ended meanwhile is nothing; that no thread's file could be read is a kernel without them.
  bool any = false;
  error_code last = error_of(ESRCH);
  for (const std::string& thread : threads) {
    const auto text = read_file(path(pid, "task/" + thread + "/children"));
    if (!text) {
      last = text.error();
      continue;
    }
    any = true;
    const auto more = parse_children(*text);
    children.insert(children.end(), more.begin(), more.end());
  }
  if (!any) return last;
  return children;
}

Result<Fd> ProcFs::open_children(pid_t pid, pid_t thread) const {
  return open_to_read(path(pid, "task/" + std::to_string(thread) + "/children"));
}

Result<std::vector<pid_t>> read_children(const Fd& children) {
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t got = ::pread(children.get(), piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return last_error();
    if (got == 0) return parse_children(text);
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

std::optional<std::uint64_t> ProcFs::peak_rss(pid_t pid) const {
  const auto text = read_file(path(pid, "status"));
  return text ? parse_kb_line(*text, "VmHWM") : std::nullopt;
}

std::optional<std::uint64_t> ProcFs::exact_rss(pid_t pid) const {
  const auto text = read_file(path(pid, "smaps_rollup"));
  return text ? parse_kb_line(*text, "Rss") : std::nullopt;
}

Result<std::vector<std::uint64_t>> ProcFs::socket_inodes(pid_t pid) const {
  constexpr std::string_view prefix = "socket:[";
  const std::string folder = path(pid, "fd");
  std::vector<std::uint64_t> inodes;
  const error_code error = for_each_entry(folder, [&](std::string_view name, std::uint64_t) {
    std::string link = folder + "/";
    const auto target = read_link(link.append(name));
    if (!target || !target->starts_with(prefix)) return;
    if (const auto inode = leading_number<std::uint64_t>(std::string_view(*target).substr(prefix.size()))) {
      inodes.push_back(*inode);
    }
  });
  if (error) return error;
  return inodes;
}

Result<std::vector<TcpLine>> ProcFs::tcp(pid_t pid) const {
  // Lines are padded to 149 and (6) some 180 bytes. The kernel walks all buckets of its table for each reading: 2 ms on
  // a machine of 24 GiB, however few connections there are.
  constexpr std::size_t longest_line = 512;
  const auto four = read_file(path(pid, "net/tcp"), longest_line);
  const auto six = read_file(path(pid, "net/tcp6"), longest_line);
  if (!four && !six) return four.error();  // one alone: a kernel without the other
  std::vector<TcpLine> lines = four ? parse_tcp(*four) : std::vector<TcpLine>();
  if (six) {
    const auto more = parse_tcp(*six);
    lines.insert(lines.end(), more.begin(), more.end());
  }
  return lines;
}

Result<Fd> ProcFs::open_statm(pid_t pid) const {
  return open_to_read(path(pid, "statm"));
}

Result<bool> ProcFs::catches(pid_t pid, int signal) const {
  constexpr int last_signal = 64;
  if (signal < 1 || signal > last_signal) return false;
  const auto text = read_file(path(pid, "status"));
  if (!text) return {boost::system::in_place_error, text.error()};  // an error_code would also make a bool
  const auto line = after_label(*text, "SigCgt:");
  const auto mask = line ? leading_number<std::uint64_t>(*line, 16) : std::nullopt;
  if (!mask) return {boost::system::in_place_error, bad_text()};
  return (*mask >> (signal - 1) & 1U) != 0;
}

std::string ProcFs::wchan(pid_t pid) const {
  const auto text = read_file(path(pid, "wchan"));
  // "0": it runs, or we may not know.
  if (!text || *text == "0") return {};
  return *text;
}

pid_t ProcFs::tracer(pid_t pid) const {
  const auto text = read_file(path(pid, "status"));
  const auto line = text ? after_label(*text, "TracerPid:") : std::nullopt;
  return line ? leading_number<pid_t>(*line).value_or(0) : 0;
}

bool ProcFs::dumping(pid_t pid) const {
  const auto text = read_file(path(pid, "status"));
  const auto line = text ? after_label(*text, "CoreDumping:") : std::nullopt;
  return line && leading_number<int>(*line).value_or(0) == 1;
}

Result<Fd> ProcFs::open_vmstat() const {
  return open_to_read(root_ + "/vmstat");
}

std::optional<std::uint64_t> read_oom_kills(const Fd& vmstat) {
  // By its own position: a pread(2) from the middle would have the kernel make up all that comes before it.
  if (::lseek(vmstat.get(), 0, SEEK_SET) != 0) return std::nullopt;
  std::string text;
  std::array<char, 8192> piece;
  for (;;) {
    const ssize_t got = ::read(vmstat.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
    // What is cut off is not believed.
    const auto line = text.ends_with('\n') ? after_label(text, "oom_kill ") : std::nullopt;
    if (line) return leading_number<std::uint64_t>(*line);
    if (got <= 0) return std::nullopt;
  }
}

std::optional<pid_t> ProcFs::last_pid() const {
  const std::string path = root_ + "/loadavg";
  struct stat root {};
  struct stat file {};
  if (::stat(root_.c_str(), &root) != 0 || ::stat(path.c_str(), &file) != 0 || root.st_dev != file.st_dev)
    return std::nullopt;
  const auto text = read_file(path);
  const auto at = text ? text->rfind(' ') : std::string::npos;
  return at == std::string::npos ? std::nullopt : leading_number<pid_t>(std::string_view(*text).substr(at));
}

std::string ProcFs::boot_id() const {
  const auto text = read_file(root_ + "/sys/kernel/random/boot_id");
  return text ? std::string(without_end(*text, "\n")) : std::string();
}

std::uint64_t ProcFs::pid_namespace() const {
  struct stat found {};
  const std::string link = root_ + "/self/ns/pid";
  return ::stat(link.c_str(), &found) == 0 ? found.st_ino : 0;
}

}  // namespace plimsoll::sys

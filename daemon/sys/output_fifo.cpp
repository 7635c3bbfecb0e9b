#include "daemon/sys/output_fifo.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace plimsoll::sys {
namespace {

constexpr mode_t folder_mode = 0700;
constexpr mode_t fifo_mode = 0600;
/// Past this much of one FIFO its writer is still writing, and reading on would never end.
constexpr std::size_t most_of_one_fifo = 1U << 20;

/// Errors that mean "nothing can be written here": a read-only or full file system, or a folder that is not ours to
/// fill.
bool is_unwritable(const error_code& error) {
  switch (error.value()) {
    case EROFS:
    case EACCES:
    case EPERM:
    case ENOENT:
    case ENOSPC:
    case EDQUOT: return true;
    default: return false;
  }
}

/// A folder of another user, or a link to one, is EEXIST: what stands in the way is not ours to use.
Result<Fd> open_folder(const std::string& folder) {
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno == ENOTDIR || errno == ELOOP ? error_of(EEXIST) : last_error();
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return last_error();
  if (found.st_uid != ::geteuid()) return error_of(EEXIST);
  return fd;
}

/// Nobody but us (and root) can have put anything into it.
bool is_closed(const Fd& folder) {
  struct stat found {};
  return ::fstat(folder.get(), &found) == 0 && (found.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool is_private(const struct stat& found) {
  return (found.st_mode & 07777) == fifo_mode;
}

/// Of our uid, or given by us to the user of its service.
bool is_our_fifo(const Fd& folder, const struct stat& found) {
  return S_ISFIFO(found.st_mode) && (found.st_uid == ::geteuid() || is_closed(folder));
}

/// Leaves a FIFO of ours under that name, the one that is there if it is one.
error_code make_fifo(const Fd& folder, const std::string& name) {
  if (::mkfifoat(folder.get(), name.c_str(), fifo_mode) == 0) return {};
  struct stat found {};
  if (errno != EEXIST || ::fstatat(folder.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return last_error();
  if (is_our_fifo(folder, found) && is_private(found)) return {};
  if (found.st_uid != ::geteuid()) return error_of(EEXIST);
  if (::unlinkat(folder.get(), name.c_str(), 0) != 0) return last_error();
  if (::mkfifoat(folder.get(), name.c_str(), fifo_mode) != 0) return last_error();
  return {};
}

/// Looks at what it has opened, and gives it what the umask took away.
Result<Fd> open_child_end(const Fd& folder, const std::string& name) {
  // fifo(7): with O_RDWR the open never waits for the other end, and there is always a reader.
  const auto open = [&] { return Fd(::openat(folder.get(), name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)); };
  Fd end = open();
  if (!end && errno == EACCES && ::fchmodat(folder.get(), name.c_str(), fifo_mode, 0) == 0) end = open();
  if (!end) return last_error();
  struct stat found {};
  if (::fstat(end.get(), &found) != 0) return last_error();
  if (!is_our_fifo(folder, found)) return error_of(EEXIST);
  if (!is_private(found) && ::fchmod(end.get(), fifo_mode) != 0) return last_error();
  return end;
}

error_code make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), folder_mode) != 0) return errno == EEXIST ? error_code() : last_error();
  if (::chmod(path.c_str(), folder_mode) != 0) return last_error();  // as above
  return {};
}

Result<OutputFifo> open_in(const Fd& folder, const std::string& name) {
  if (const error_code error = make_fifo(folder, name)) return error;
  OutputFifo fifo;
  auto child_end = open_child_end(folder, name);
  if (!child_end) return child_end.error();
  fifo.child_end = std::move(*child_end);
  fifo.read_end = Fd(::openat(folder.get(), name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!fifo.read_end) return last_error();
  return fifo;
}

Result<OutputFifo> open_unnamed() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return last_error();
  OutputFifo pipe;
  pipe.read_end = Fd(ends[0]);
  const Fd write_end(ends[1]);
  // Opened again, it is a description of its own: readable, and blocking although ours is not.
  const std::string again = "/proc/self/fd/" + std::to_string(write_end.get());
  pipe.child_end = Fd(::open(again.c_str(), O_RDWR | O_CLOEXEC));
  if (!pipe.child_end) return last_error();
  return pipe;
}

std::vector<std::string> names_in(const Fd& folder) {
  std::vector<std::string> names;
  Fd own(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // with a position of its own
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(own ? ::fdopendir(own.get()) : nullptr, ::closedir);
  if (!listing) return names;
  (void)own.release();  // closedir closes it
  while (const dirent* entry = ::readdir(listing.get())) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

void drain_one(const Fd& fifo, std::string& into) {
  std::array<char, 65536> piece{};
  for (std::size_t taken = 0; taken < most_of_one_fifo;) {
    const ssize_t got = ::read(fifo.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    into.append(piece.data(), static_cast<std::size_t>(got));
    taken += static_cast<std::size_t>(got);
  }
}

}  // namespace

error_code OutputFolder::take() {
  if (const error_code error = make_folder(path_)) return error;
  auto folder = open_folder(path_);
  if (!folder) return folder.error();
  fd_ = std::move(*folder);
  return {};
}

Result<OutputFifo> OutputFolder::open_named(const std::string& name) {
  const error_code error = fd_ ? error_code() : take();
  return error ? Result<OutputFifo>(error) : open_in(fd_, name);
}

Result<OutputFifo> OutputFolder::open(const std::string& name) {
  const bool held = static_cast<bool>(fd_);
  auto opened = open_named(name);
  if (held && !opened && opened.error().value() == ENOENT) {
    fd_ = Fd();  // it was removed: what has its name now is another one
    opened = open_named(name);
  }
  if (opened || !is_unwritable(opened.error())) return opened;
  return open_unnamed();
}

Result<std::string> drain_fifos(const std::string& folder_path) {
  const auto folder = open_folder(folder_path);
  if (!folder) return folder.error().value() == ENOENT ? Result<std::string>(std::string()) : folder.error();
  std::string bytes;
  for (const std::string& name : names_in(*folder)) {
    struct stat found {};
    if (::fstatat(folder->get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0 || !is_our_fifo(*folder, found) ||
        !is_private(found))
      continue;
    const Fd fifo(::openat(folder->get(), name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (fifo) drain_one(fifo, bytes);
  }
  return bytes;
}

}  // namespace plimsoll::sys

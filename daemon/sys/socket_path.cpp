// Whose the path is, is decided by the lock alone: flock goes with the process, so a daemon that was killed leaves a
// socket file but no lock. The lock file is removed by its holder; one who opened it before and gets the lock
// afterwards sees that the name no longer leads to what it has locked, and begins anew.
#include "daemon/sys/socket_path.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

namespace plimsoll::sys {
namespace {

constexpr int backlog = 128;
constexpr mode_t socket_mode = 0666;  ///< who may do what is decided by peer credentials
constexpr int lock_attempts = 16;     ///< each lost only to a daemon that ended at that very moment

std::string private_folder() {
  return "/tmp/plimsoll-" + std::to_string(::geteuid());
}
std::string lock_path_of(const std::string& path) {
  return path + ".lock";
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.find('\0') != std::string::npos) return error_of(EINVAL);
  if (path.size() >= sizeof address.sun_path) return error_of(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// In /tmp anybody can have made that folder first: it must be ours alone, and really a folder.
error_code check_private(const std::string& folder) {
  struct stat found {};
  if (::lstat(folder.c_str(), &found) != 0) return last_error();
  if (!S_ISDIR(found.st_mode)) return error_of(ENOTDIR);
  if (found.st_uid != ::geteuid() || (found.st_mode & 022) != 0) return error_of(EPERM);
  return {};
}

/// Elsewhere the administrator has chosen; only a folder of a third user is refused.
error_code check_chosen(const std::string& folder) {
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0) return last_error();
  if (!S_ISDIR(found.st_mode)) return error_of(ENOTDIR);
  if (found.st_uid != ::geteuid() && found.st_uid != 0) return error_of(EPERM);
  return {};
}

error_code make_folder(const std::string& folder) {
  const bool is_private = folder == private_folder();
  const mode_t mode = is_private ? 0700 : 0755;
  if (::mkdir(folder.c_str(), mode) == 0) {
    // A strict umask would keep the operators out.
    if (::chmod(folder.c_str(), mode) != 0) return last_error();
  } else if (errno != EEXIST) {
    return last_error();
  }
  return is_private ? check_private(folder) : check_chosen(folder);
}

/// Whether `path` still leads to the file that `fd` has open.
bool leads_to(const std::string& path, const Fd& fd) {
  struct stat named {};
  struct stat opened {};
  if (::lstat(path.c_str(), &named) != 0 || ::fstat(fd.get(), &opened) != 0) return false;
  return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

Result<Fd> take_lock(const std::string& path) {
  for (int attempt = 0; attempt < lock_attempts; ++attempt) {
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (!lock) return last_error();
    struct stat found {};
    if (::fstat(lock.get(), &found) != 0) return last_error();
    if (found.st_uid != ::geteuid()) return error_of(EPERM);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? error_of(EADDRINUSE) : last_error();
    if (leads_to(path, lock)) return lock;
  }
  return error_of(EADDRINUSE);
}

Result<Fd> open_stream() {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return last_error();
  return socket;
}

/// We hold the lock, so a socket in the way is stale; but one that answers belongs to somebody who knows no lock.
error_code clear_the_way(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return errno == ENOENT ? error_code() : last_error();
  if (!S_ISSOCK(found.st_mode)) return error_of(EEXIST);
  const auto caller = open_stream();
  if (!caller) return caller.error();
  // EAGAIN: it listens, and its queue is full.
  if (::connect(caller->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    return error_of(EADDRINUSE);
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return last_error();
  return {};
}

/// A descriptor that a client sends along is let go where we read, and to let go of one can take as long as its owner
/// likes (a TCP socket that lingers). Nobody has a reason to send one here: who does is refused with EPERM, before it
/// is in our queue. Connections have it from the listening socket. Before Linux 6.16 there is no such option, and no
/// other means.
void refuse_descriptors(const Fd& socket) {
  constexpr int passes_rights = 83;  // SO_PASSRIGHTS, newer than our headers
  const int off = 0;
  (void)::setsockopt(socket.get(), SOL_SOCKET, passes_rights, &off, sizeof off);
}

Result<Fd> listen_at(const std::string& path, const sockaddr_un& address) {
  auto socket = open_stream();
  if (!socket) return socket.error();
  refuse_descriptors(*socket);
  if (::bind(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return last_error();
  // Before listen: until then nobody can connect, whatever the umask left.
  if (::chmod(path.c_str(), socket_mode) != 0 || ::listen(socket->get(), backlog) != 0) {
    const error_code error = last_error();
    ::unlink(path.c_str());
    return error;
  }
  return socket;
}

Result<Fd> replace_socket(const std::string& path, const sockaddr_un& address) {
  if (const error_code error = clear_the_way(path, address)) return error;
  return listen_at(path, address);
}

}  // namespace

std::vector<std::string> socket_candidates(const std::string& configured, const std::string& name) {
  if (!configured.empty()) return {configured};
  const char* variable = std::getenv("PLIMSOLL_SOCKET");
  if (variable != nullptr && *variable != '\0') return {variable};
  return {"/run/plimsoll/" + name + ".sock", private_folder() + "/" + name + ".sock"};
}

ListeningSocket::ListeningSocket(std::string path, Fd socket, Fd lock)
    : path_(std::move(path)), socket_(std::move(socket)), lock_(std::move(lock)) {}

Result<ListeningSocket> ListeningSocket::open(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return address.error();
  if (const error_code error = make_folder(folder_of(path))) return error;
  const std::string lock_path = lock_path_of(path);
  auto lock = take_lock(lock_path);
  if (!lock) return lock.error();
  auto socket = replace_socket(path, *address);
  if (!socket) {
    ::unlink(lock_path.c_str());
    return socket.error();
  }
  return ListeningSocket(path, std::move(*socket), std::move(*lock));
}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  ListeningSocket taken(std::move(other));
  std::swap(path_, taken.path_);
  std::swap(socket_, taken.socket_);
  std::swap(lock_, taken.lock_);
  return *this;
}

ListeningSocket::~ListeningSocket() {
  // Moved from: the lock went along. No longer led to: somebody cleaned up below us, and the path may be another
  // daemon's by now.
  if (!lock_ || !leads_to(lock_path_of(path_), lock_)) return;
  ::unlink(path_.c_str());
  ::unlink(lock_path_of(path_).c_str());
}

}  // namespace plimsoll::sys

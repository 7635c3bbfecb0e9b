#include "daemon/sys/fd.hpp"

#include <unistd.h>

namespace plimsoll::sys {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    // Linux frees the number also when close reports an error, so there is nothing to try again.
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace plimsoll::sys

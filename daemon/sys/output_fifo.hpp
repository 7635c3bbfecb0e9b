// Where a child's stdout and stderr go: one FIFO a stream, opened O_RDWR by the child's side, so that no writer ever
// sees EPIPE, also when the daemon is dead (law 11), and `/dev/stdout` can be opened again by the service. fifo(7),
// pipe(7).
#pragma once

#include <string>
#include <utility>

#include "daemon/sys/fd.hpp"
#include "daemon/sys/result.hpp"

namespace plimsoll::sys {

struct OutputFifo {
  Fd read_end;   ///< non-blocking, ours
  Fd child_end;  ///< O_RDWR, becomes fd 1 or 2 of the child; blocking. Given to the child's user by fchown(2)
};

/// Where they stand. It is held from the first one on; if it is removed, the next one has it made again.
class OutputFolder {
 public:
  explicit OutputFolder(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Makes the folder (0700) and in it the FIFO `name` (0600), or takes the one that is there, whoever was given it;
  /// where nothing can be written, a pipe whose write end is opened again through /proc/self/fd O_RDWR.
  Result<OutputFifo> open(const std::string& name);

 private:
  error_code take();
  Result<OutputFifo> open_named(const std::string& name);

  std::string path_;
  Fd fd_;
};

/// Opens each FIFO that an earlier daemon left in `folder` and reads it empty, returning the bytes: a leftover whose
/// pipe is full could not end.
Result<std::string> drain_fifos(const std::string& folder);

}  // namespace plimsoll::sys

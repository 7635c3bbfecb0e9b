// What a service says: its stdout and stderr, a FIFO each in a folder of the daemon. They are read always, whether or
// not anybody takes what is read, and passed on in whole lines, byte for byte. The same FIFOs serve all runs of the
// service.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/run/line_sink.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/sys/output_fifo.hpp"

namespace plimsoll::run {

class Output {
 public:
  /// What becomes 1 and 2 of the child; -1: inherited.
  struct Ends {
    int stdout_fd = -1;
    int stderr_fd = -1;
  };
  /// Of a daemon: beside its socket, `main.d` for `main.sock`. Several daemons share /run/plimsoll, and may have
  /// services of one name.
  static std::string folder_of(const std::string& socket_path);
  /// FIFOs `SERVICE.stdout` and `SERVICE.stderr` in `folder`, which is made if it is missing, but not its parent. The
  /// sinks are shared by all services and outlive this object.
  static sys::Result<std::unique_ptr<Output>> open(Loop& loop, const std::string& folder, const std::string& service,
                                                   LineSink& out, LineSink& err);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// Lent, for the spawn.
  [[nodiscard]] Ends child_ends() const;
  /// Each whole line of the run is shown to `look` (without its end, and no longer than 4 KiB of it) until that returns
  /// true.
  void watch_lines(std::function<bool(std::string_view line)> look);
  /// Reads what is there and passes on a last line without its end (with one: the next line is another's).
  void run_ended();

 private:
  class Stream;
  Output();
  void show(std::string_view lines);
  std::unique_ptr<Stream> out_;
  std::unique_ptr<Stream> err_;
  std::function<bool(std::string_view)> look_;
};

}  // namespace plimsoll::run

// What a service says: its stdout and stderr, a FIFO each in a folder of the daemon. They are read always, whether or
// not anybody takes what is read, and passed on in whole lines, byte for byte. The same FIFOs serve all runs of the
// service.
#pragma once

#include <poll.h>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/plan/rare.hpp"
#include "daemon/run/line_sink.hpp"
#include "daemon/run/watch_set.hpp"
#include "daemon/sys/output_fifo.hpp"

namespace plimsoll::run {

class Output {
 public:
  /// What becomes 1 and 2 of the child; -1: inherited.
  struct Ends {
    int stdout_fd = -1;
    int stderr_fd = -1;
  };
  /// The sinks are shared by all services and outlive this object.
  Output(sys::OutputFifo out, sys::OutputFifo err, LineSink& out_sink, LineSink& err_sink);
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
  friend class Outputs;
  /// One FIFO and what was read of its last, unfinished line.
  struct Stream {
    sys::OutputFifo fifo;
    LineSink* sink = nullptr;
    Rare<std::string> partial;
  };
  /// Of its two FIFOs, for poll(2): one question for both, or for all outputs, instead of a reading for each.
  using Questions = std::array<pollfd, 2>;
  [[nodiscard]] Questions whether_readable() const;
  void end_run(bool readable);
  void read_some(int fd);
  void drain(Stream& stream, int pieces);
  void take(Stream& stream, std::string_view bytes);
  void pass_on(Stream& stream);
  void end_line(Stream& stream);
  void show(std::string_view lines);

  Stream out_;
  Stream err_;
  Rare<std::function<bool(std::string_view)>> look_;
};

/// Those of all services: their FIFOs are watched as one.
class Outputs {
 public:
  Outputs(Loop& loop, LineSink& out, LineSink& err);

  /// Of a daemon: beside its socket, `main.d` for `main.sock`. Several daemons share /run/plimsoll, and may have
  /// services of one name.
  static std::string folder_of(const std::string& socket_path);
  /// The service's, for as long as this object lives: FIFOs `SERVICE.stdout` and `SERVICE.stderr` in `folder`, which is
  /// made if it is missing, but not its parent.
  sys::Result<Output*> open(const std::string& folder, const std::string& service);
  /// Null: it was not opened.
  [[nodiscard]] Output* find(const std::string& service);
  /// Of every service.
  void runs_ended();

 private:
  sys::error_code watch(Output& output);

  LineSink& out_;
  LineSink& err_;
  std::optional<sys::OutputFolder> folder_;
  std::map<std::string, Output> all_;
  std::vector<Output*> reading_;  ///< whose read end a descriptor is; null: nobody's
  WatchSet watch_;                // last: it lends their descriptors
};

}  // namespace plimsoll::run

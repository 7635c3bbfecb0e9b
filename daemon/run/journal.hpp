// The events of this life of the daemon: the last 512 KiB of them, as the wire has them, and the same sentences in the
// log.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/api/wire/wire.hpp"
#include "daemon/core/record.hpp"
#include "daemon/run/line_sink.hpp"

namespace spdlog {
class logger;
}

namespace plimsoll::run {

class Journal {
 public:
  /// `boot` names this life of the daemon. Lines go to `sink` as `TIME LEVEL service: sentence`; it outlives this
  /// object.
  Journal(std::string boot, LineSink& sink);
  ~Journal();

  /// Its line waits for write_out(), or for as many as fill a chunk of the sink.
  void add(const core::Entry& entry, WallTime at);
  /// A line that is no event: about the daemon's own doing, for who reads the log. Written at once, behind what waits.
  void note(core::Level level, const std::string& sentence);
  /// The lines that wait, in one piece: a write for each would be half of what a step costs.
  void write_out();
  /// Those with an id above `after`, oldest first.
  [[nodiscard]] std::vector<wire::Event> since(std::uint64_t after) const;

 private:
  void print(core::Level level, const std::string& service, const std::string& sentence);

  std::string boot_;
  LineSink& sink_;
  std::string lines_;  ///< that wait
  std::shared_ptr<spdlog::logger> log_;
  std::deque<wire::Event> kept_;
  std::size_t bytes_ = 0;
  std::uint64_t next_ = 1;
};

/// RFC 3339, UTC, milliseconds.
std::string to_rfc3339(WallTime at);
wire::Exit to_wire(const core::Exit& exit);

}  // namespace plimsoll::run

// The events of this life of the daemon: the last of them, as many as are 512 KiB as the wire has them, and the same
// sentences in the log.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/plan/rare.hpp"
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
  /// The lines that wait, as many at once as a pipe takes whole (PIPE_BUF): a write for each would be half of what a
  /// step costs.
  void write_out();
  /// Those with an id above `after`, oldest first.
  [[nodiscard]] std::vector<wire::Event> since(std::uint64_t after) const;

 private:
  /// What most events do not have.
  struct Numbers {
    std::optional<Bytes> limit;
    std::optional<Bytes> rss;
    std::optional<Bytes> peak;
    std::optional<core::Exit> exit;
  };
  /// An event at rest: a third of what it is on the wire.
  struct Kept {
    std::uint64_t id = 0;
    WallTime at{};
    core::EventKind kind = core::EventKind::daemon;
    std::optional<core::Outcome> outcome;
    bool would = false;
    std::optional<int> pid;
    std::string texts;  ///< service, rule and rung with a NUL behind each, and why
    Rare<Numbers> numbers;
  };
  static Kept pack(const core::Entry& entry);
  [[nodiscard]] wire::Event unpack(const Kept& kept) const;
  static std::size_t size_of(const Kept& kept);
  void print(core::Level level, const std::string& service, const std::string& sentence, WallTime at);

  std::string boot_;
  LineSink& sink_;
  std::string lines_;  ///< that wait
  std::shared_ptr<spdlog::logger> log_;
  std::deque<Kept> kept_;
  std::size_t bytes_ = 0;
  std::uint64_t next_ = 1;
};

/// RFC 3339, UTC, milliseconds.
std::string to_rfc3339(WallTime at);
wire::Exit to_wire(const core::Exit& exit);

}  // namespace plimsoll::run

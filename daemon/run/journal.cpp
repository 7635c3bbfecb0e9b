#include "daemon/run/journal.hpp"

#include <fmt/chrono.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <climits>
#include <string_view>

namespace plimsoll::run {
namespace {

/// spdlog's lines, to be written when the step that made them has been carried out.
class ToText : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit ToText(std::string& text) : text_(text) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    text_.append(line.data(), line.size());
  }
  void flush_() override {}

 private:
  std::string& text_;
};

spdlog::level::level_enum to_spdlog(core::Level level) {
  switch (level) {
    case core::Level::info: return spdlog::level::info;
    case core::Level::warning: return spdlog::level::warn;
    case core::Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::optional<std::uint64_t> count_of(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional{bytes->count} : std::nullopt;
}

}  // namespace

Journal::Journal(std::string boot, LineSink& sink)
    : boot_(std::move(boot)),
      sink_(sink),
      log_(std::make_shared<spdlog::logger>("plimsolld", std::make_shared<ToText>(lines_))) {
  log_->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
}

Journal::~Journal() = default;

void Journal::add(const core::Entry& entry, WallTime at) {
  constexpr std::size_t kept_bytes = 512 * 1024;
  Kept& kept = kept_.emplace_back(pack(entry));
  kept.id = next_++;
  kept.at = at;
  print(entry.level, entry.service, entry.why, at);
  bytes_ += size_of(kept);
  while (bytes_ > kept_bytes && kept_.size() > 1) {
    bytes_ -= size_of(kept_.front());
    kept_.pop_front();
  }
}

Journal::Kept Journal::pack(const core::Entry& entry) {
  Kept kept;
  kept.kind = entry.kind;
  kept.outcome = entry.outcome;
  kept.would = entry.would;
  kept.pid = entry.pid;
  kept.texts.reserve(entry.service.size() + entry.rule.size() + entry.rung.size() + entry.why.size() + 3);
  for (const std::string* text : {&entry.service, &entry.rule, &entry.rung}) kept.texts.append(*text).push_back('\0');
  kept.texts += entry.why;
  if (entry.limit || entry.rss || entry.peak || entry.exit)
    kept.numbers = Numbers{entry.limit, entry.rss, entry.peak, entry.exit};
  return kept;
}

wire::Event Journal::unpack(const Kept& kept) const {
  wire::Event event;
  event.id = kept.id;
  event.boot = boot_;
  event.at = to_rfc3339(kept.at);
  event.kind = core::to_text(kept.kind);
  std::string_view rest = kept.texts;
  for (std::string* text : {&event.service, &event.rule, &event.rung}) {
    *text = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(text->size() + 1);
  }
  event.why = rest;
  if (kept.outcome) event.outcome = core::to_text(*kept.outcome);
  event.would = kept.would;
  event.pid = kept.pid;
  if (!kept.numbers) return event;
  event.limit_bytes = count_of(kept.numbers->limit);
  event.rss_bytes = count_of(kept.numbers->rss);
  event.peak_bytes = count_of(kept.numbers->peak);
  if (kept.numbers->exit) event.exit = to_wire(*kept.numbers->exit);
  return event;
}

/// As the wire has it: how many are kept is what an operator sees, and no affair of how they are.
std::size_t Journal::size_of(const Kept& kept) {
  return sizeof(wire::Event) + kept.texts.size();
}

void Journal::note(core::Level level, const std::string& sentence) {
  print(level, {}, sentence, std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()));
  write_out();
}

/// Through a LineSink: a log that nobody reads must not stop the daemon.
void Journal::write_out() {
  std::string_view rest = lines_;
  while (!rest.empty()) {
    const std::size_t last = rest.rfind('\n', PIPE_BUF - 1);
    const std::size_t end = std::min(last != std::string_view::npos ? last : rest.find('\n'), rest.size() - 1) + 1;
    sink_.write(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  lines_.clear();
}

std::vector<wire::Event> Journal::since(std::uint64_t after) const {
  std::vector<wire::Event> found;
  for (const Kept& kept : kept_) {
    if (kept.id > after) found.push_back(unpack(kept));
  }
  return found;
}

/// With the moment at which it was decided: the line may be made later.
void Journal::print(core::Level level, const std::string& service, const std::string& sentence, WallTime at) {
  constexpr std::size_t most_waiting = 16 * 1024;
  log_->log(at, {}, to_spdlog(level), fmt::format("{}: {}", service.empty() ? "plimsolld" : service, sentence));
  if (lines_.size() > most_waiting) write_out();
}

std::string to_rfc3339(WallTime at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (at - seconds).count());
}

wire::Exit to_wire(const core::Exit& exit) {
  wire::Exit wired;
  wired.kind = core::to_text(exit.kind);
  const bool by_signal = exit.kind == core::ExitKind::signaled || exit.kind == core::ExitKind::oom_killed;
  if (by_signal) {
    wired.signal = exit.signal;
  } else if (exit.kind != core::ExitKind::unknown) {
    wired.code = exit.code;
  }
  wired.at = to_rfc3339(exit.at);
  return wired;
}

}  // namespace plimsoll::run

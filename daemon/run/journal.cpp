#include "daemon/run/journal.hpp"

#include <fmt/chrono.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>

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

std::size_t size_of(const wire::Event& event) {
  return sizeof event + event.why.size() + event.service.size() + event.rule.size();
}

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
  wire::Event event;
  event.id = next_++;
  event.boot = boot_;
  event.at = to_rfc3339(at);
  event.kind = core::to_text(entry.kind);
  event.service = entry.service;
  event.rule = entry.rule;
  event.pid = entry.pid;
  event.why = entry.why;
  event.rung = entry.rung;
  if (entry.outcome) event.outcome = core::to_text(*entry.outcome);
  event.would = entry.would;
  event.limit_bytes = count_of(entry.limit);
  event.rss_bytes = count_of(entry.rss);
  event.peak_bytes = count_of(entry.peak);
  if (entry.exit) event.exit = to_wire(*entry.exit);
  print(entry.level, entry.service, entry.why);
  bytes_ += size_of(event);
  kept_.push_back(std::move(event));
  while (bytes_ > kept_bytes && kept_.size() > 1) {
    bytes_ -= size_of(kept_.front());
    kept_.pop_front();
  }
}

void Journal::note(core::Level level, const std::string& sentence) {
  print(level, {}, sentence);
  write_out();
}

/// Through a LineSink: a log that nobody reads must not stop the daemon.
void Journal::write_out() {
  sink_.write(lines_);
  lines_.clear();
}

std::vector<wire::Event> Journal::since(std::uint64_t after) const {
  std::vector<wire::Event> found;
  for (const wire::Event& event : kept_) {
    if (event.id > after) found.push_back(event);
  }
  return found;
}

void Journal::print(core::Level level, const std::string& service, const std::string& sentence) {
  constexpr std::size_t most_waiting = 16 * 1024;
  log_->log(to_spdlog(level), "{}: {}", service.empty() ? "plimsolld" : service, sentence);
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

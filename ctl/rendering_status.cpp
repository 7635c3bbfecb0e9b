#include <algorithm>
#include <set>

#include "ctl/rendering.hpp"

namespace plimsoll::ctl {
namespace {

using Cell = Table::Cell;

Tone tone_of_state(const std::string& state) {
  if (state == "ready" || state == "live") return Tone::good;
  if (state == "starting" || state == "stopping" || state == "ending" || state == "gone") return Tone::warning;
  if (state == "stopped") return Tone::faint;
  return Tone::bad;
}

/// "188 MiB below 400 MiB": how far `rss` is from its line.
Cell line_cell(std::uint64_t rss, const std::optional<std::uint64_t>& line) {
  if (!line) return {"-", Tone::faint};
  if (rss >= *line) return {size_text(rss - *line) + " over " + size_text(*line), Tone::bad};
  const bool near = (*line - rss) < *line / 10;
  return {size_text(*line - rss) + " below " + size_text(*line), near ? Tone::warning : Tone::plain};
}

void add_headline(std::string& out, const wire::Daemon& daemon, const Look& look) {
  if (daemon.well) {
    out += painted("well", Tone::good, look) + "\n";
  } else if (daemon.not_well.size() == 1) {
    out += painted("NOT WELL: " + clean(daemon.not_well.front()), Tone::bad, look) + "\n";
  } else {
    out += painted("NOT WELL:", Tone::bad, look) + "\n";
    for (const std::string& reason : daemon.not_well) out += painted("  " + clean(reason), Tone::bad, look) + "\n";
  }
  if (daemon.hold) {
    std::string text = "HELD ";
    text += daemon.hold->until
                ? "until " + moment_text(*daemon.hold->until) + " (" + distance_text(*daemon.hold->until, look) + ")"
                : "until released";
    text += daemon.hold->except_hard ? ": no interventions but at hard lines" : ": no interventions";
    out += painted(text, Tone::bad, look) + "\n";
  }
  if (daemon.mode != "act")
    out += painted("OBSERVING: interventions are recorded and withheld (mode = \"" + clean(daemon.mode) + "\")",
                   Tone::bad, look) +
           "\n";
}

void add_daemon(std::string& out, const wire::Daemon& daemon, const Look& look) {
  std::string line = clean(daemon.name) + " " + clean(daemon.version) + ", pid " + std::to_string(daemon.pid) +
                     ", up " + duration_text(daemon.uptime_seconds);
  if (!daemon.config.empty()) line += ", " + clean(daemon.config);
  std::string missing;
  for (const auto& [source, answer] : daemon.sources)
    if (answer == "no" || answer == "off") missing += (missing.empty() ? "" : ", ") + clean(source) + " " + answer;
  if (!missing.empty()) line += "; evidence: " + missing;
  out += painted(line, Tone::faint, look) + "\n";
  if (daemon.container) {
    const auto& [limit, used] = *daemon.container;
    const auto share = limit == 0 ? 0 : used * 100 / limit;
    out +=
        painted("container: " + size_text(used) + " of " + size_text(limit) + " used, " + std::to_string(share) + "%",
                Tone::faint, look) +
        "\n";
  }
}

void add_heading(Table& table) {
  const Tone head = Tone::faint;
  table.add({{"SERVICE", head},
             {"STATE", head},
             {"PID", head},
             {"UP", head},
             {"RESTARTS", head},
             {"RSS", head},
             {"TREE", head},
             {"SOFT LINE", head},
             {"HARD LINE", head}});
}

void add_row(Table& table, const wire::Service& service) {
  const bool runs = service.pid.has_value();
  table.add({{clean(service.name), Tone::strong},
             {clean(service.state), tone_of_state(service.state)},
             {runs ? std::to_string(*service.pid) : "-"},
             {runs ? duration_text(service.uptime_seconds) : "-"},
             {std::to_string(service.restarts), service.restarts > 0 ? Tone::warning : Tone::plain},
             {runs ? size_text(service.rss_bytes) : "-"},
             {runs ? size_text(service.tree_rss_bytes) : "-"},
             line_cell(service.rss_bytes, service.soft_bytes),
             line_cell(service.rss_bytes, service.hard_bytes)});
}

std::string owner_text(const wire::Engine& engine) {
  if (!engine.owner_pid) return clean(engine.owner);
  return clean(engine.owner) + " " + std::to_string(*engine.owner_pid);
}

Table engines_table(const std::vector<wire::Engine>& engines) {
  Table table;
  const Tone head = Tone::faint;
  table.add({{"ENGINE", head},
             {"PID", head},
             {"OWNER", head},
             {"STATE", head},
             {"RSS", head},
             {"PEAK", head},
             {"SOFT LINE", head},
             {"HARD LINE", head},
             {"AGE", head}});
  for (const wire::Engine& engine : engines) {
    table.add({{clean(engine.rule)},
               {std::to_string(engine.pid)},
               {owner_text(engine)},
               {clean(engine.state), tone_of_state(engine.state)},
               {size_text(engine.rss_bytes)},
               {size_text(engine.peak_rss_bytes)},
               line_cell(engine.rss_bytes, engine.soft_bytes),
               line_cell(engine.rss_bytes, engine.hard_bytes),
               {duration_text(engine.age_seconds)}});
  }
  return table;
}

void add_exit(std::string& out, const wire::Service& service, const Look& look) {
  if (!service.last_exit) return;
  const wire::Exit& exit = *service.last_exit;
  std::string line = "  last run ended: " + clean(exit.kind);
  if (exit.code) line += ", code " + std::to_string(*exit.code);
  if (exit.signal) line += ", signal " + std::to_string(*exit.signal);
  const std::string when = distance_text(exit.at, look);
  out += line + (when.empty() ? "" : ", " + when) + "\n";
}

void add_cycle(std::string& out, const wire::Cycle& cycle, const Look& look) {
  out += "  cycle: " + clean(cycle.act) + " " + clean(cycle.when);
  if (cycle.next) out += ", next " + distance_text(*cycle.next, look) + " (" + moment_text(*cycle.next) + ")";
  out += "; " + std::to_string(cycle.done) + " done, ";
  out += painted(std::to_string(cycle.failed) + " failed", cycle.failed > 0 ? Tone::warning : Tone::plain, look);
  if (!cycle.last.empty()) out += "; last: " + clean(cycle.last);
  out += "\n";
}

/// How far past their hard lines they can get: once for all engines of a rule.
void add_promises(std::string& out, const wire::Service& service) {
  if (service.hard_bytes && service.overshoot_bytes)
    out += "  at its hard line: at most " + size_text(*service.overshoot_bytes) + " past it\n";
  std::set<std::string> said;
  for (const wire::Engine& engine : service.engines) {
    if (!engine.hard_bytes || !engine.overshoot_bytes || !said.insert(engine.rule).second) continue;
    out += "  at the hard line of " + clean(engine.rule) + ": at most " + size_text(*engine.overshoot_bytes) +
           " past it\n";
  }
}

void add_notes(std::string& out, const wire::Service& service, const Look& look) {
  if (!service.note.empty()) out += painted("  " + clean(service.note), Tone::warning, look) + "\n";
  add_exit(out, service, look);
  for (const wire::Cycle& cycle : service.cycles) add_cycle(out, cycle, look);
  if (service.budget_spent > 0) {
    const std::string acts = std::to_string(service.budget_spent) + " of " + std::to_string(service.budget_acts);
    const bool over = service.budget_spent >= service.budget_acts;
    out += painted("  budget: " + acts + " acts spent", over ? Tone::bad : Tone::warning, look) + "\n";
  }
  add_promises(out, service);
}

}  // namespace

StatusPage::StatusPage(const Look& look, std::size_t expected) : look_(look) {
  constexpr std::size_t columns = 9;
  constexpr std::size_t below_each = 64;
  rows_.reserve(expected + 1, columns);
  below_.reserve(expected * below_each);
  below_end_.reserve(expected);
}

void StatusPage::add(const wire::Service& service) {
  if (below_end_.empty()) add_heading(rows_);
  add_row(rows_, service);
  if (!service.engines.empty()) engines_table(service.engines).write(below_, "  ", look_);
  add_notes(below_, service, look_);
  below_end_.push_back(below_.size());
}

std::string StatusPage::text(const wire::Daemon& daemon) const {
  constexpr std::size_t expected_of_row = 128;
  std::string out;
  out.reserve((below_end_.size() + 4) * expected_of_row + below_.size());
  add_headline(out, daemon, look_);
  add_daemon(out, daemon, look_);
  if (below_end_.empty()) return out + "no services\n";
  out += "\n";
  rows_.write_row(out, 0, "", look_);
  std::size_t below = 0;
  for (std::size_t row = 1; row <= below_end_.size(); ++row) {
    rows_.write_row(out, row, "", look_);
    out.append(below_, below, below_end_[row - 1] - below);
    below = below_end_[row - 1];
  }
  return out;
}

std::string status_text(const wire::Status& status, const Look& look) {
  StatusPage page(look, status.services.size());
  for (const wire::Service& service : status.services) page.add(service);
  return page.text(status.daemon);
}

}  // namespace plimsoll::ctl

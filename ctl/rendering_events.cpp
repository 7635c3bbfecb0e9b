#include <algorithm>

#include "ctl/rendering.hpp"

namespace plimsoll::ctl {
namespace {

Tone tone_of_outcome(const std::string& outcome) {
  if (outcome == "worked" || outcome == "subsided" || outcome == "healed") return Tone::good;
  if (outcome == "failed" || outcome == "timed_out" || outcome == "exhausted" || outcome == "no_budget")
    return Tone::bad;
  return Tone::warning;
}

Tone tone_of_event(const wire::Event& event) {
  static constexpr std::string_view alarming[] = {"engine_lost", "engine_orphaned", "engine_hung", "limit_crossed",
                                                  "budget"};
  if (std::find(std::begin(alarming), std::end(alarming), event.kind) != std::end(alarming)) return Tone::bad;
  if (event.kind == "rung" || event.kind == "hook" || event.kind == "cycle")
    return event.outcome.empty() ? Tone::warning : tone_of_outcome(event.outcome);
  return Tone::plain;
}

/// "web/prisma", "web" or "-".
std::string subject(const std::string& service, const std::string& rule) {
  if (service.empty()) return "-";
  return rule.empty() ? clean(service) : clean(service) + "/" + clean(rule);
}

/// `text` at least `columns` wide, with a blank behind it in any case.
std::string padded(const std::string& text, std::size_t columns) {
  return text + std::string(std::max(columns, width(text)) - width(text) + 1, ' ');
}

std::string cause_text(const std::string& cause) {
  if (cause == "soft") return "soft line";
  if (cause == "hard") return "hard line";
  if (cause == "lost") return "engine lost";
  if (cause == "hung") return "hung";
  if (cause == "orphan") return "orphaned engine";
  return clean(cause);
}

std::string title(const wire::Intervention& act) {
  std::string text = subject(act.service, act.rule) + ": " + cause_text(act.cause);
  if (act.pid) text += ", pid " + std::to_string(*act.pid);
  if (act.owner_pid) text += " of " + std::to_string(*act.owner_pid);
  return text;
}

void add_rungs(std::string& out, const wire::Intervention& act, const Look& look) {
  Table table;
  for (std::size_t i = 0; i < act.rungs.size(); ++i) {
    const wire::RungTried& rung = act.rungs[i];
    const std::string outcome = rung.outcome.empty() ? "being tried" : clean(rung.outcome);
    table.add({{std::to_string(i + 1) + "."},
               {clean(rung.rung)},
               {outcome, rung.outcome.empty() ? Tone::warning : tone_of_outcome(rung.outcome)},
               {duration_text(rung.seconds)},
               {clean(rung.why)}});
  }
  table.write(out, "  ", look);
}

/// "freed 300 MiB: 412 MiB (peak 430 MiB) -> 112 MiB": as much of it as is known.
std::string memory_text(const wire::Intervention& act) {
  std::string text;
  if (act.rss_before_bytes) text = "rss " + size_text(*act.rss_before_bytes);
  if (act.peak_bytes) text += std::string(text.empty() ? "" : ", ") + "peak " + size_text(*act.peak_bytes);
  if (act.rss_after_bytes)
    text += std::string(text.empty() ? "" : ", ") + "afterwards " + size_text(*act.rss_after_bytes);
  if (act.freed_bytes) text = "freed " + size_text(*act.freed_bytes) + (text.empty() ? "" : ": " + text);
  return text;
}

std::string successor_text(const wire::Intervention& act) {
  std::string text;
  if (act.successor_pid) text = "successor " + std::to_string(*act.successor_pid);
  if (act.seconds_without_engine)
    text += std::string(text.empty() ? "" : ", ") + duration_text(*act.seconds_without_engine) + " without an engine";
  return text;
}

std::string end_text(const wire::Intervention& act, const Look& look) {
  if (act.end.empty()) return painted("goes on, " + duration_text(act.seconds) + " so far", Tone::warning, look);
  return painted(clean(act.end), tone_of_outcome(act.end), look) + " after " + duration_text(act.seconds);
}

void add_intervention(std::string& out, const wire::Intervention& act, const Look& look) {
  const std::string distance = distance_text(act.at, look);
  out += painted(moment_text(act.at), Tone::strong, look) + (distance.empty() ? "" : " (" + distance + ")") + "  " +
         painted(title(act), Tone::strong, look) + "\n";
  if (act.would) out += painted("  withheld: this is what would have been done", Tone::bad, look) + "\n";
  out += "  why: " + clean(act.why) + "\n";
  add_rungs(out, act, look);
  for (const std::string& text : {memory_text(act), successor_text(act)})
    if (!text.empty()) out += "  " + text + "\n";
  out += "  end: " + end_text(act, look) + "\n";
}

}  // namespace

std::string why_text(const std::vector<wire::Intervention>& ledger, std::size_t count, const Look& look) {
  if (ledger.empty()) return "no interventions\n";
  std::string out;
  const std::size_t shown = std::min(count, ledger.size());
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) out += "\n";
    add_intervention(out, ledger[ledger.size() - 1 - i], look);
  }
  if (shown < ledger.size())
    out += painted("\n" + std::to_string(ledger.size() - shown) + " older (-n COUNT shows more)", Tone::faint, look) +
           "\n";
  return out;
}

std::string event_text(const wire::Event& event, const Look& look) {
  std::string out = painted(stamp_text(event.at), Tone::faint, look) + "  ";
  out += painted(padded(clean(event.kind), 19), tone_of_event(event), look);
  out += padded(subject(event.service, event.rule), 16);
  if (event.would) out += painted("would: ", Tone::bad, look);
  return out + clean(event.why) + "\n";
}

}  // namespace plimsoll::ctl

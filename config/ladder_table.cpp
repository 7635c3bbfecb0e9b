// Ladders: lists of rungs, each a word or a table. What a rung may refer to depends on whose ladder it is: a service
// has no `reconnect` and no `worker`, and a soft line may not begin with SIGKILL.
#include <algorithm>
#include <array>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

struct PlainRung {
  std::string_view word;
  RungKind kind;
};
constexpr std::array<PlainRung, 6> plain_rungs{{{"log", RungKind::log},
                                                {"reconnect", RungKind::reconnect},
                                                {"end", RungKind::end},
                                                {"kill", RungKind::kill},
                                                {"worker", RungKind::worker},
                                                {"restart", RungKind::restart}}};
constexpr std::array<std::string_view, 4> later_rungs{"relieve", "drain", "exit", "run"};

/// The reason in Refusal::rule, or a word that a later release will take.
struct Refusal {
  std::string rule;
  bool not_yet = false;
};

std::optional<Refusal> read_rung_text(std::string_view text, Rung& into) {
  for (const PlainRung& plain : plain_rungs) {
    if (text != plain.word) continue;
    into.kind = plain.kind;
    return std::nullopt;
  }
  if (std::find(later_rungs.begin(), later_rungs.end(), text) != later_rungs.end()) return Refusal{"", true};
  if (into.hook = hook_named_in(text); !into.hook.empty()) {
    into.kind = RungKind::hook;
    return std::nullopt;
  }
  constexpr std::string_view wait = "wait:";
  if (!text.starts_with(wait)) {
    return Refusal{"must be log, hook:NAME, reconnect, end, kill, worker, restart or wait:DURATION"};
  }
  into.kind = RungKind::wait;
  const Read<Duration> read = read_duration(text.substr(wait.size()));
  const Duration* duration = std::get_if<Duration>(&read);
  if (duration == nullptr || *duration <= Duration{0}) return Refusal{"must be wait: and a duration, such as wait:30s"};
  into.duration = *duration;
  return std::nullopt;
}

/// What the rung's kind breaks in this place, if anything.
std::optional<std::string> broken_rule(const Rung& rung, LadderCause cause, const LadderPlace& place) {
  if (!place.of_engine && (rung.kind == RungKind::reconnect || rung.kind == RungKind::worker)) {
    return "must be a rung that a service has (reconnect and worker are for engines)";
  }
  if (rung.kind == RungKind::reconnect && !place.has_reconnect) {
    return "must be a rung that this engine has (the key reconnect says what it means; it is not written)";
  }
  if (rung.kind == RungKind::kill && cause == LadderCause::soft) {
    return "must be a rung that asks (a soft line never begins with SIGKILL)";
  }
  if (rung.kind != RungKind::hook) return std::nullopt;
  const auto hook = place.hooks.find(rung.hook);
  if (hook == place.hooks.end()) return "must name a hook of this service";
  if (!place.of_engine && asks_for_engine(hook->second)) {
    return "must be a hook without {engine_pid} and {rule} (a service's own line has no engine)";
  }
  return std::nullopt;
}

class LadderReader {
 public:
  LadderReader(Findings& findings, LadderCause cause, const LadderPlace& place)
      : findings_(findings), cause_(cause), place_(place) {}

  Rung rung(const Value& value, const std::string& path) {
    Rung rung;
    if (const Table* table = std::get_if<Table>(&value.is)) {
      Reader reader{*table, value.place, path, findings_};
      read_table(reader, rung);
    } else {
      word(value, path, rung);
    }
    return rung;
  }

 private:
  void word(const Value& value, const std::string& path, Rung& into) {
    const std::string* text = std::get_if<std::string>(&value.is);
    const std::optional<Refusal> refusal = read_rung_text(text == nullptr ? "" : std::string_view{*text}, into);
    if (refusal && refusal->not_yet) {
      findings_.add(value.place, path + ": '" + *text + "' is not yet supported");
    } else if (refusal) {
      findings_.misfit(path, value, refusal->rule);
    } else if (const auto broken = broken_rule(into, cause_, place_)) {
      findings_.misfit(path, value, *broken);
    }
  }

  void read_table(Reader& table, Rung& into) {
    const Value* act = table.take("do");
    if (act == nullptr) {
      table.lacks("must have 'do'");
    } else {
      word(*act, table.path_of("do"), into);
    }
    const bool judged = into.kind != RungKind::log && into.kind != RungKind::wait;
    const bool asked = into.kind == RungKind::hook || into.kind == RungKind::reconnect;
    Expect expect = place_.expect;
    if (read_expect(table, expect, place_.soft)) {
      table.require(judged, "expect", "must not be here (log and wait achieve nothing)");
      into.expect = expect;
    }
    if (table.read("timeout", into.timeout)) {
      table.require(*into.timeout > Duration{0}, "timeout", "must be more than 0s");
      table.require(asked, "timeout", "must not be here (only hooks and reconnect have one)");
    }
    table.finish();
  }

  Findings& findings_;
  LadderCause cause_;
  const LadderPlace& place_;
};

}  // namespace

std::string hook_named_in(std::string_view text) {
  constexpr std::string_view prefix = "hook:";
  return text.starts_with(prefix) ? std::string{text.substr(prefix.size())} : std::string{};
}

void read_ladder(Reader& table, std::string_view key, LadderCause cause, const LadderPlace& place,
                 Shared<Ladder>& into) {
  const Value* value = table.take(key);
  if (value == nullptr) return;
  const List* list = std::get_if<List>(&value->is);
  if (list == nullptr) {
    table.findings().misfit(table.path_of(key), *value, "must be a list of rungs");
    return;
  }
  LadderReader reader{table.findings(), cause, place};
  Ladder rungs;
  for (std::size_t i = 0; i < list->size(); ++i) {
    rungs.push_back(reader.rung((*list)[i], table.path_of(key) + "[" + std::to_string(i) + "]"));
  }
  const bool acts = std::any_of(rungs.begin(), rungs.end(), [](const Rung& rung) {
    return rung.kind != RungKind::log && rung.kind != RungKind::wait;
  });
  table.require(acts || cause != LadderCause::hard, key, "must have a rung that acts");
  into = std::move(rungs);
}

}  // namespace plimsoll::config

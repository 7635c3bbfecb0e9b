#include <algorithm>
#include <cassert>

#include "config/presets.hpp"
#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

/// What a preset contributes is placed where it was asked for.
void place_at(Value& value, Place place) {
  value.place = place;
  if (List* list = std::get_if<List>(&value.is)) {
    for (Value& element : *list) place_at(element, place);
  } else if (Table* table = std::get_if<Table>(&value.is)) {
    for (Member& member : table->members) {
      member.place = place;
      place_at(member.value, place);
    }
  }
}

/// The preset's keys below those that are written; an unknown preset is recorded.
Table with_preset(Reader& table, std::string& name) {
  if (!table.read("preset", name)) return table.written();
  std::vector<std::string_view> offered;
  for (const EnginePreset& preset : engine_presets()) {
    offered.push_back(preset.name);
    if (preset.name != name) continue;
    std::variant<Value, Problem> parsed = parse_toml(preset.text, name, 0);
    assert(std::holds_alternative<Value>(parsed));
    Value& value = std::get<Value>(parsed);
    place_at(value, table.take("preset")->place);
    Table merged = std::get<Table>(std::move(value.is));
    merge(merged, table.written());
    return merged;
  }
  if (name == "litellm") {
    table.findings().add(table.take("preset")->place, table.path_of("preset") + ": 'litellm' is not yet supported");
  } else {
    table.refuse("preset", "must be " + enumerated(offered));
  }
  return table.written();
}

void read_match(Reader& table, EngineRule& into) {
  if (table.read("match", into.match)) {
    const bool named = !into.match.empty() && std::none_of(into.match.begin(), into.match.end(),
                                                           [](const std::string& glob) { return glob.empty(); });
    table.require(named, "match", "must be a list of globs, none of them empty");
  } else if (!table.has("match") && !table.has("preset")) {
    table.lacks("must have 'match' or 'preset'");
  }
}

void read_reconnect(Reader& table, const Service& service, EngineRule& into) {
  std::string text;
  if (!table.read("reconnect", text)) return;
  Reconnect reconnect;
  reconnect.hook = hook_named_in(text);
  const auto hook = service.hooks.find(reconnect.hook);
  if (!reconnect.hook.empty()) {
    table.require(hook != service.hooks.end(), "reconnect", "must name a hook of this service");
    const bool reaches = into.owner == OwnerKind::worker || hook == service.hooks.end() ||
                         hook->second.to == HookTarget::service || std::holds_alternative<ExecHook>(hook->second.how);
    table.require(reaches, "reconnect", "must be a hook with to = \"service\" (no worker owns this engine)");
  } else if (text == "end") {
    reconnect.how = Reconnect::How::end;
  } else if (text == "worker") {
    reconnect.how = Reconnect::How::worker;
    table.require(into.owner == OwnerKind::worker, "reconnect", "must not be worker (no worker owns this engine)");
  } else {
    table.refuse("reconnect", "must be hook:NAME, end or worker");
    return;
  }
  into.reconnect = reconnect;
}

/// The rungs that this engine has, of those that are tried by default.
Ladder default_ladder(const EngineRule& engine, std::initializer_list<RungKind> kinds) {
  Ladder ladder;
  for (const RungKind kind : kinds) {
    if (kind == RungKind::reconnect && !engine.reconnect) continue;
    if (kind == RungKind::worker && engine.owner == OwnerKind::service) continue;
    ladder.push_back(Rung{kind, {}, {}, {}, {}});
  }
  return ladder;
}

void read_ladders(Reader& table, const Service& service, EngineRule& into) {
  into.on_soft = default_ladder(into, {RungKind::reconnect, RungKind::worker, RungKind::restart});
  into.on_hard = default_ladder(into, {RungKind::end, RungKind::worker, RungKind::restart});
  into.on_lost = default_ladder(into, {RungKind::reconnect, RungKind::restart});
  into.on_hung = default_ladder(into, {RungKind::kill});
  // A reconnect that is written but wrong was recorded already; rungs that use it are right.
  const LadderPlace place{service.hooks, into.memory.soft, into.expect, true, table.has("reconnect")};
  read_ladder(table, "on_soft", LadderCause::soft, place, into.on_soft);
  read_ladder(table, "on_hard", LadderCause::hard, place, into.on_hard);
  read_ladder(table, "on_lost", LadderCause::lost, place, into.on_lost);
  read_ladder(table, "on_hung", LadderCause::hung, place, into.on_hung);
}

void read_orphan(Reader& parent, OrphanPolicy& into) {
  std::optional<Reader> table = parent.table("orphan");
  if (!table) return;
  table->read("after", into.after);
  table->read("grace", into.grace);
  table->finish();
}

}  // namespace

EngineRule read_engine(Reader& written, const std::string& name, const Service& service) {
  EngineRule engine;
  engine.name = name;
  const Table merged = with_preset(written, engine.preset);
  Reader table{merged, written.place(), written.path(), written.findings()};
  table.take("preset");
  read_match(table, engine);
  table.read_word<OwnerKind>("owner", engine.owner, {{"worker", OwnerKind::worker}, {"service", OwnerKind::service}});
  table.read("settle", engine.settle);
  read_memory(table, engine.memory);
  read_stop(table, engine.stop, nullptr);
  engine.expect.below = engine.memory.soft;
  read_expect(table, engine.expect, engine.memory.soft);
  read_reconnect(table, service, engine);
  read_ladders(table, service, engine);
  read_orphan(table, engine.orphan);
  read_live(table, true, engine.live);
  table.not_yet({"kind"});
  table.finish();
  return engine;
}

}  // namespace plimsoll::config

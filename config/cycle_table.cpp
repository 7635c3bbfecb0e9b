#include <algorithm>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

/// A date that no calendar has (30 February) would be a cycle that is never run. The leap day may need 28 years to
/// meet its weekday again, and 1996 begins such a span without a century in it.
bool ever_fires(const Cron& cron) {
  WallSeconds from{std::chrono::sys_days{std::chrono::year{1996} / 1 / 1}};
  for (int spans = 0; spans < 4; ++spans, from += std::chrono::years{9}) {
    if (next_fire(cron, ZoneRules{}, from)) return true;
  }
  return false;
}

void read_when(Reader& table, Cycle& into) {
  Duration every{};
  if (table.read("every", every)) {
    table.require(every >= Duration{1'000}, "every", "must be at least 1s");
    into.when = every;
  }
  Cron cron;
  if (table.read("cron", cron)) {
    table.require(ever_fires(cron), "cron", "must be a date that comes");
    into.when = std::move(cron);
  }
  if (table.has("every") == table.has("cron")) table.lacks("must have exactly one of 'every' and 'cron'");
}

void read_zone_of(Reader& table, Zones& zones, Cycle& into) {
  std::string name;
  if (table.read("zone", name)) {
    // The empty name is ours, for the system's zone.
    into.zone = name.empty() ? nullptr : zones.find(name);
    table.require(into.zone != nullptr, "zone", "must be a time zone of this machine, such as Europe/Berlin");
  } else {
    into.zone = zones.find({});
    const bool needed = table.has("cron") || table.has("between");
    if (into.zone == nullptr && needed && !table.has("zone")) {
      table.lacks("must have 'zone' ($TZ is no time zone that can be read)");
    }
  }
  if (into.zone == nullptr) into.zone = std::make_shared<const ZoneRules>();
}

void read_only_if(Reader& parent, const Service& service, Cycle& into) {
  std::optional<Reader> table = parent.table("only_if");
  if (!table) return;
  OnlyIf only_if;
  if (table->read("engine", only_if.engine)) {
    const auto rule = std::find_if(service.engines.begin(), service.engines.end(),
                                   [&only_if](const EngineRule& engine) { return engine.name == only_if.engine; });
    const bool exists = rule != service.engines.end();
    table->require(exists, "engine", "must name an engine of this service");
    if (exists && into.act == CycleAct::reconnect) {
      table->require(rule->reconnect.has_value(), "engine", "must name an engine that has reconnect");
    }
  }
  if (table->read("over", only_if.over)) table->require(only_if.over.count > 0, "over", "must be more than 0B");
  if (!table->has("engine") || !table->has("over")) table->lacks("must have 'engine' and 'over'");
  table->finish();
  into.only_if = std::move(only_if);
}

}  // namespace

Cycle read_cycle(Reader& table, const Service& service, Zones& zones) {
  Cycle cycle;
  if (table.read_word<CycleAct>("do", cycle.act,
                                {{"reconnect", CycleAct::reconnect}, {"restart", CycleAct::restart}})) {
    const bool possible = cycle.act == CycleAct::restart ||
                          std::any_of(service.engines.begin(), service.engines.end(),
                                      [](const EngineRule& engine) { return engine.reconnect.has_value(); });
    table.require(possible, "do", "must be restart (no engine of this service has reconnect)");
  } else if (!table.has("do")) {
    table.lacks("must have 'do'");
  }
  read_when(table, cycle);
  read_zone_of(table, zones, cycle);
  table.read("jitter", cycle.jitter);
  table.read("between", cycle.between);
  read_only_if(table, service, cycle);
  table.finish();
  return cycle;
}

}  // namespace plimsoll::config

#include <algorithm>
#include <set>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

void read_command(Reader& table, Service& into) {
  if (table.read("command", into.command)) {
    const bool runs = !into.command.empty() && !into.command.front().empty();
    table.require(runs, "command", "must be a program and its arguments");
  } else if (!table.has("command")) {
    table.lacks("must have 'command'");
  }
}

void read_names(Reader& table, const char* key, const std::vector<std::string>& names, std::vector<std::string>& into) {
  if (!table.read(key, into)) return;
  std::set<std::string_view> seen;
  for (const std::string& name : into) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      table.findings().add(table.take(key)->place,
                           table.path_of(key) + ": must name services of this file, not '" + name + "'");
    } else if (!seen.insert(name).second) {
      table.findings().add(table.take(key)->place,
                           table.path_of(key) + ": must name each service once, not '" + name + "' again");
    }
  }
}

/// "web", or { service = "web", restarts_with_app = true }.
void read_engine_of(Reader& table, const std::vector<std::string>& names, Service& into) {
  const Value* value = table.take("engine_of");
  if (value == nullptr) return;
  if (std::holds_alternative<Table>(value->is)) {
    std::optional<Reader> inner = table.table("engine_of");
    inner->read("service", into.engine_of);
    if (!inner->has("service")) inner->lacks("must have 'service'");
    inner->read("restarts_with_app", into.restarts_with_app);
    inner->finish();
  } else {
    table.read("engine_of", into.engine_of);
  }
  const bool known = std::find(names.begin(), names.end(), into.engine_of) != names.end();
  if (!into.engine_of.empty() && (!known || into.engine_of == into.name)) {
    table.findings().add(value->place, table.path_of("engine_of") + ": must name another service of this file, not '" +
                                           into.engine_of + "'");
  }
}

void read_order(Reader& table, const std::vector<std::string>& names, Service& into) {
  read_names(table, "requires", names, into.required);
  read_names(table, "after", names, into.after);
  read_engine_of(table, names, into);
}

/// What makes a task, and what it cannot have: it serves nobody, it ends.
void read_kind(Reader& table, Service& into) {
  table.read_word<ServiceKind>("kind", into.kind, {{"service", ServiceKind::service}, {"task", ServiceKind::task}});
  const bool task = into.kind == ServiceKind::task;
  if (table.read("time_limit", into.time_limit)) {
    table.require(task, "time_limit", "must be a task's (kind = \"task\")");
    table.require(*into.time_limit > Duration{0}, "time_limit", "must be more than 0s");
  }
  if (!task) return;
  const char* rule = "must not be a task's (it runs once and is done)";
  table.require(into.restart != RestartPolicy::always, "restart", rule);
  for (const char* key : {"cycles", "engine_of", "ready", "live", "container"})
    table.require(!table.has(key), key, rule);
}

void read_success(Reader& table, Service& into) {
  const Value* value = table.take("success");
  if (value == nullptr) return;
  const List* list = std::get_if<List>(&value->is);
  std::vector<int> codes;
  bool fits = list != nullptr && !list->empty();
  for (std::size_t i = 0; fits && i < list->size(); ++i) {
    int code = -1;
    fits = !understand((*list)[i], code) && code >= 0 && code <= 255;
    codes.push_back(code);
  }
  table.require(fits, "success", "must be a list of exit codes, 0 to 255 (128 + n for the end by signal n)");
  if (fits) into.success = std::move(codes);
}

void read_backoff(Reader& parent, Backoff& into) {
  std::optional<Reader> table = parent.table("backoff");
  if (!table) return;
  table->read("first", into.first);
  if (table->read("factor", into.factor)) {
    table->require(into.factor >= 1.0 && into.factor <= 1000.0, "factor", "must be 1 to 1000");
  }
  table->read("max", into.max);
  const std::string_view written = table->has("max") ? "max" : "first";
  const std::string rule = written == "max" ? "must not be below first (" + plimsoll::to_text(into.first) + ")"
                                            : "must not be above max (" + plimsoll::to_text(into.max) + ")";
  table->require(into.first <= into.max, written, rule);
  table->read("forgive", into.forgive);
  if (table->read("jitter", into.jitter)) {
    table->require(into.jitter.of_one <= 1.0, "jitter", "must be 0% to 100%");
  }
  table->finish();
}

void read_give_up(Reader& parent, Service& into) {
  std::optional<Reader> table = parent.table("give_up");
  if (!table) return;
  GiveUp give_up;
  if (table->read("after", give_up.after)) table->require(give_up.after >= 1, "after", "must be at least 1");
  if (table->read("within", give_up.within)) {
    table->require(give_up.within > Duration{0}, "within", "must be more than 0s");
  }
  if (!table->has("after") || !table->has("within")) table->lacks("must have 'after' and 'within'");
  table->finish();
  into.give_up = give_up;
}

void read_budget(Reader& parent, Budget& into) {
  std::optional<Reader> table = parent.table("budget");
  if (!table) return;
  if (table->read("acts", into.acts)) {
    // None at all would be an observer: that is the daemon's mode.
    table->require(into.acts >= 1 && into.acts <= 1'000'000, "acts", "must be 1 to 1000000");
  }
  if (table->read("per", into.per)) table->require(into.per > Duration{0}, "per", "must be more than 0s");
  table->finish();
}

void read_policies(Reader& table, Service& into) {
  table.read_word<RestartPolicy>(
      "restart", into.restart,
      {{"always", RestartPolicy::always}, {"on-failure", RestartPolicy::on_failure}, {"never", RestartPolicy::never}});
  read_success(table, into);
  read_backoff(table, into.backoff);
  read_give_up(table, into);
  table.read("essential", into.essential);
  read_budget(table, into.budget);
  table.read("cool_down", into.cool_down);
  if (table.read("heal", into.heal)) table.require(into.heal > Duration{0}, "heal", "must be more than 0s");
  table.read_word<LeftoverPolicy>("leftovers", into.leftovers,
                                  {{"hold", LeftoverPolicy::hold}, {"end", LeftoverPolicy::end}});
}

/// Calls `read(inner reader, name)` for each table below `key`; a name that cannot be one is recorded.
template <class Read>
void each_named(Reader& parent, std::string_view key, const Read& read) {
  std::optional<Reader> tables = parent.table(key);
  if (!tables) return;
  for (const Member& member : tables->written().members) {
    if (!is_name(member.key)) {
      parent.findings().add(member.place, tables->path_of(member.key) + ": " + name_rule);
    }
    if (std::optional<Reader> inner = tables->table(member)) read(*inner, member.key);
  }
}

void read_cycles(Reader& table, Zones& zones, Service& into) {
  const Value* value = table.take("cycles");
  if (value == nullptr) return;
  const List* list = std::get_if<List>(&value->is);
  if (list == nullptr) {
    table.refuse("cycles", "must be a list of tables, [[" + table.path_of("cycles") + "]]");
    return;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = table.path_of("cycles") + "[" + std::to_string(i) + "]";
    if (const Table* inner = std::get_if<Table>(&(*list)[i].is)) {
      Reader reader{*inner, (*list)[i].place, path, table.findings()};
      into.cycles.push_back(read_cycle(reader, into, zones));
    } else {
      table.findings().misfit(path, (*list)[i], "must be a table");
    }
  }
}

}  // namespace

Service read_service(Reader& table, const std::string& name, const std::vector<std::string>& names, Zones& zones) {
  Service service;
  service.name = name;
  read_command(table, service);
  read_surroundings(table, service);
  read_order(table, names, service);
  read_policies(table, service);
  read_kind(table, service);
  read_memory(table, service.memory);
  read_container(table, service.container);
  each_named(table, "hooks", [&service](Reader& inner, const std::string& hook) {
    service.hooks.emplace(hook, read_hook(inner, hook));
  });
  each_named(table, "engines", [&service](Reader& inner, const std::string& engine) {
    service.engines.push_back(read_engine(inner, engine, service));
  });
  read_stop(table, service.stop, &service.hooks);
  read_ready(table, service.ready);
  read_live(table, false, service.live);
  const LadderPlace place{service.hooks, service.memory.soft, Expect{service.memory.soft, {}, true}, false, false};
  service.on_soft = Ladder{Rung{RungKind::log, {}, {}, {}, {}}};
  service.on_hard = Ladder{Rung{RungKind::restart, {}, {}, {}, {}}};
  service.on_hung = Ladder{Rung{RungKind::restart, {}, {}, {}, {}}};
  read_ladder(table, "on_soft", LadderCause::soft, place, service.on_soft);
  read_ladder(table, "on_hard", LadderCause::hard, place, service.on_hard);
  read_ladder(table, "on_hung", LadderCause::hung, place, service.on_hung);
  read_cycles(table, zones, service);
  table.not_yet({"preset", "workers", "tasks"});
  table.finish();
  return service;
}

}  // namespace plimsoll::config

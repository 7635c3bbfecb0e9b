// The key `stop`: one signal with its grace, or a list of steps; and what is asked before the first of them.
#include <csignal>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

void read_signal(Reader& table, int& into) {
  Signal signal{into};
  if (!table.read("signal", signal)) return;
  const bool asks = signal.number != SIGKILL && signal.number != SIGSTOP;
  table.require(asks, "signal", "must be a signal that asks (SIGKILL follows when the grace is over)");
  into = signal.number;
}

/// A step without a grace has that of the short form.
StopStep read_step(Reader& table, const StopPolicy& defaults) {
  StopStep step{defaults.signal, defaults.grace};
  read_signal(table, step.signal);
  if (!table.has("signal")) table.lacks("must have 'signal'");
  table.read("grace", step.grace);
  table.finish();
  return step;
}

void read_steps(Reader& table, StopPolicy& into) {
  const Value* value = table.take("steps");
  if (value == nullptr) return;
  const List* list = std::get_if<List>(&value->is);
  if (list == nullptr || list->empty()) {
    table.refuse("steps", "must be a list of { signal, grace }, not empty");
    return;
  }
  table.require(!table.has("signal"), "signal", "must not be beside steps");
  table.require(!table.has("grace"), "grace", "must not be beside steps");
  std::vector<StopStep> steps;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = table.path_of("steps") + "[" + std::to_string(i) + "]";
    const Table* inner = std::get_if<Table>(&(*list)[i].is);
    if (inner == nullptr) {
      table.findings().misfit(path, (*list)[i], "must be a table { signal, grace }");
      continue;
    }
    Reader reader{*inner, (*list)[i].place, path, table.findings()};
    steps.push_back(read_step(reader, into));
  }
  if (steps.empty()) return;
  into.signal = steps.front().signal;
  into.grace = steps.front().grace;
  into.further.assign(steps.begin() + 1, steps.end());
}

}  // namespace

void read_stop(Reader& parent, StopPolicy& into, const std::map<std::string, Hook>* hooks) {
  std::optional<Reader> table = parent.table("stop");
  if (!table) return;
  read_signal(*table, into.signal);
  table->read("grace", into.grace);
  read_steps(*table, into);
  if (hooks != nullptr && table->read("drain", into.drain)) {
    const auto hook = hooks->find(into.drain);
    table->require(hook != hooks->end(), "drain", "must name a hook of this service");
    if (hook != hooks->end()) {
      table->require(hook->second.to == HookTarget::service, "drain", "must be a hook with to = \"service\"");
      table->require(!asks_for_engine(hook->second), "drain", "must be a hook without {engine_pid} and {rule}");
    }
  }
  table->finish();
}

}  // namespace plimsoll::config

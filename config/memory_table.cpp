// The small tables about memory: memory and expect, which services and engines share, and container.
#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

/// Limits that later releases will take: a share of the container, or the container less a size.
bool is_later_limit(const Value& value) {
  const std::string* text = std::get_if<std::string>(&value.is);
  return text != nullptr && (text->starts_with("container") || std::holds_alternative<Share>(read_share(*text)));
}

void read_limit(Reader& table, std::string_view key, std::optional<Bytes>& into) {
  const Value* value = table.take(key);
  if (value == nullptr) return;
  if (is_later_limit(*value)) {
    table.findings().add(value->place, table.path_of(key) + ": '" + shown(*value) + "' is not yet supported");
  } else if (table.read(key, into)) {
    table.require(into->count > 0, key, "must be more than 0B");
  }
}

}  // namespace

void read_memory(Reader& parent, MemoryPolicy& into) {
  std::optional<Reader> table = parent.table("memory");
  if (!table) return;
  table->read_word<MemoryMetric>("metric", into.metric, {{"rss", MemoryMetric::rss}}, {"pss", "anon", "rss+swap"});
  table->read_word<MemoryScope>("of", into.of, {{"process", MemoryScope::process}, {"tree", MemoryScope::tree}});
  read_limit(*table, "soft", into.soft);
  table->read("for", into.for_);
  read_limit(*table, "hard", into.hard);
  if (into.soft && into.hard) {
    table->require(*into.soft < *into.hard, "hard", "must be above soft (" + to_text(*into.soft) + ")");
  }
  table->read("slack", into.slack);
  if (table->read("interval", into.interval)) {
    table->require(into.interval >= Duration{2}, "interval", "must be at least 2ms");
  }
  if (table->read("growth", into.growth)) {
    table->require(into.growth.count > 0, "growth", "must be more than 0B (per second)");
  }
  table->not_yet({"total"});
  table->finish();
}

void read_container(Reader& parent, Rare<ContainerLines>& into) {
  std::optional<Reader> table = parent.table("container");
  if (!table) return;
  into.emplace();
  const auto is_line = [](Share share) { return share.of_one > 0 && share.of_one <= 1; };
  if (table->read("soft", into->soft)) table->require(is_line(into->soft), "soft", "must be above 0%");
  table->read("for", into->for_);
  if (table->read("hard", into->hard)) table->require(is_line(into->hard), "hard", "must be above 0%");
  if (table->has("soft") || table->has("hard")) {
    table->require(into->soft < into->hard, table->has("hard") ? "hard" : "soft",
                   table->has("hard") ? "must be above soft (" + to_text(into->soft) + ")"
                                      : "must be below hard (" + to_text(into->hard) + ")");
  }
  table->read("free", into->free);
  table->finish();
}

bool read_expect(Reader& parent, Expect& into, const std::optional<Bytes>& soft) {
  std::optional<Reader> table = parent.table("expect");
  if (!table) return false;
  if (table->read("below", into.below)) {
    table->require(into.below->count > 0, "below", "must be more than 0B");
    if (soft) table->require(*into.below <= *soft, "below", "must not be above soft (" + to_text(*soft) + ")");
  }
  if (table->read("within", into.within)) {
    table->require(*into.within > Duration{0}, "within", "must be more than 0s");
  }
  table->read("successor", into.successor);
  table->finish();
  return true;
}

}  // namespace plimsoll::config

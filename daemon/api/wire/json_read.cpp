// Reading, by Boost.JSON: the only file that sees it. The first thing that is wrong is kept, with its place, and ends
// the reading.
#include <boost/json.hpp>
#include <limits>

#include "config/plan/units.hpp"
#include "daemon/api/wire/fields.hpp"
#include "daemon/api/wire/json.hpp"

namespace plimsoll::wire {
namespace {

namespace json = boost::json;

/// Where the reader is, and what it found wrong there. One for a whole text.
struct Place {
  std::string path;
  std::string error;

  void fail(std::string_view rule) {
    if (error.empty()) error = (path.empty() ? std::string("the body") : path) + ": " + std::string(rule);
  }
};

/// Adds a step to the path for as long as it lives.
class Step {
 public:
  Step(Place& place, const std::string& step) : place_(place), before_(place.path.size()) {
    if (!place_.path.empty() && step.front() != '[') place_.path += '.';
    place_.path += step;
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  ~Step() { place_.path.resize(before_); }

 private:
  Place& place_;
  std::size_t before_;
};

void read(Place& place, const json::value& value, bool& out) {
  if (const bool* b = value.if_bool()) {
    out = *b;
  } else {
    place.fail("must be true or false");
  }
}

void read(Place& place, const json::value& value, std::string& out) {
  if (const json::string* s = value.if_string()) {
    out.assign(s->data(), s->size());
  } else {
    place.fail("must be a text");
  }
}

template <std::integral T>
void read(Place& place, const json::value& value, T& out) {
  if (const auto* i = value.if_int64(); i && std::in_range<T>(*i)) {
    out = static_cast<T>(*i);
  } else if (const auto* u = value.if_uint64(); u && std::in_range<T>(*u)) {
    out = static_cast<T>(*u);
  } else if (i || u) {
    place.fail("is out of range");
  } else {
    place.fail("must be a whole number");
  }
}

void read(Place& place, const json::value& value, double& out) {
  if (!value.is_number()) return place.fail("must be a number");
  out = value.is_double()  ? value.get_double()
        : value.is_int64() ? static_cast<double>(value.get_int64())
                           : static_cast<double>(value.get_uint64());
}

void read(Place& place, const json::value& value, std::map<std::string, std::string>& out) {
  const json::object* object = value.if_object();
  if (!object) return place.fail("must be an object");
  for (const auto& [key, member] : *object) {
    const Step step(place, std::string(key));
    read(place, member, out[std::string(key)]);
  }
}

template <class T>
requires std::is_class_v<T>
void read(Place& place, const json::value& value, T& out);

template <class T>
void read(Place& place, const json::value& value, std::vector<T>& out) {
  const json::array* array = value.if_array();
  if (!array) return place.fail("must be an array");
  for (std::size_t i = 0; i < array->size() && place.error.empty(); ++i) {
    const Step step(place, "[" + std::to_string(i) + "]");
    read(place, (*array)[i], out.emplace_back());
  }
}

class ObjectReader {
 public:
  ObjectReader(Place& place, const json::object& object) : place_(place), object_(object), last_(object.begin()) {}

  template <class T>
  void need(const char* key, T& out) {
    visit(key, out, true);
  }
  template <class T>
  void also(const char* key, T& out) {
    visit(key, out, false);
  }
  template <class T>
  void also(const char* key, std::optional<T>& out) {
    if (find(key)) null(key, out);
  }
  template <class T>
  void some(const char* key, T& out) {
    visit(key, out, false);
  }
  template <class T>
  void null(const char* key, std::optional<T>& out) {
    const json::value* value = find(key);
    if (value && value->is_null()) {
      out.reset();
    } else {
      visit(key, out.emplace(), true);
    }
  }

 private:
  /// Our own daemon writes the members in the order in which they are asked for: the last one (asked for again) and
  /// the one behind it are tried first, any other order is found too.
  const json::value* find(std::string_view key) {
    auto found = last_;
    if (found != object_.end() && found->key() != key) ++found;
    if (found == object_.end() || found->key() != key) found = object_.find(key);
    if (found == object_.end()) return nullptr;
    last_ = found;
    return &found->value();
  }
  template <class T>
  void visit(const char* key, T& out, bool must) {
    if (!place_.error.empty()) return;
    const Step step(place_, key);
    const json::value* value = find(key);
    if (value) {
      read(place_, *value, out);
    } else if (must) {
      place_.fail("is missing");
    }
  }
  Place& place_;
  const json::object& object_;
  json::object::const_iterator last_;
};

template <class T>
requires std::is_class_v<T>
void read(Place& place, const json::value& value, T& out) {
  const json::object* object = value.if_object();
  if (!object) return place.fail("must be an object");
  ObjectReader reader(place, *object);
  fields(reader, out);
}

/// The object of a body, after its "schema" was looked at.
/// The object lives in `memory`.
Parsed<json::object> object_of(std::string_view text, json::monotonic_resource& memory,
                               bool schema_is_optional = false) {
  json::error_code code;
  json::parse_options options;
  json::value value = json::parse({text.data(), text.size()}, code, &memory, options);
  if (code) return "the body is not JSON: " + code.message();
  if (!value.is_object()) return "the body must be a JSON object";
  json::object& object = value.get_object();
  const json::value* number = object.if_contains("schema");
  if (!number && schema_is_optional) return std::move(object);
  if (!number) return "schema: is missing";
  if (!number->is_int64() || number->get_int64() != schema)
    return "schema: must be " + std::to_string(schema) + ", the only one known here";
  return std::move(object);
}

template <class T, class Fill>
Parsed<T> parse(std::string_view text, Fill fill) {
  json::monotonic_resource memory(text.size());
  const Parsed<json::object> object = object_of(text, memory);
  if (const auto* wrong = std::get_if<std::string>(&object)) return *wrong;
  Place place;
  ObjectReader reader(place, std::get<json::object>(object));
  T out;
  fill(reader, out);
  if (!place.error.empty()) return Parsed<T>(std::in_place_index<1>, place.error);
  return Parsed<T>(std::in_place_index<0>, std::move(out));
}

struct Noun {
  std::string_view name;
  std::vector<std::string_view> keys;
};

const std::vector<Noun>& nouns() {
  static const std::vector<Noun> all{
      {"actions", {"do", "hook", "rule", "pid", "force", "wait"}},
      {"hold", {"for", "except", "wait"}},
      {"release", {"wait"}},
      {"reload", {"dry_run", "wait"}},
  };
  return all;
}

void refuse_unknown_keys(Place& place, const Noun& noun, const json::object& object) {
  for (const auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (key == "schema" || std::find(noun.keys.begin(), noun.keys.end(), key) != noun.keys.end()) continue;
    std::string known;
    for (const std::string_view name : noun.keys) known += (known.empty() ? "" : ", ") + std::string(name);
    return place.fail("has no key " + json_text(key.substr(0, 64)) + "; there are: " + known);
  }
}

/// "1h", or milliseconds as a number.
void read_for(Place& place, const json::object& object, Command& command) {
  const json::value* value = object.if_contains("for");
  if (!value || value->is_null()) return;
  const Step step(place, "for");
  if (const json::string* text = value->if_string()) {
    const Read<Duration> read_as = read_duration({text->data(), text->size()});
    if (const auto* misread = std::get_if<Misread>(&read_as)) return place.fail(misread->rule);
    command.for_milliseconds = static_cast<std::uint64_t>(std::get<Duration>(read_as).count());
  } else if (value->is_number()) {
    read(place, *value, command.for_milliseconds.emplace());
  } else {
    place.fail("must be a duration such as \"1h\", or a number of milliseconds");
  }
  constexpr std::uint64_t ten_years = 10ULL * 365 * 24 * 3600 * 1000;
  if (command.for_milliseconds > ten_years) place.fail("is longer than ten years; leave it out to hold until released");
  if (command.for_milliseconds == 0) place.fail("must be longer than 0");
}

void fail_at(Place& place, const char* key, const std::string& rule) {
  const Step step(place, key);
  place.fail(rule);
}

void check_action(Place& place, const Command& command) {
  const std::string& act = command.act;
  const bool known = act == "start" || act == "stop" || act == "restart" || act == "reconnect" || act == "hook";
  if (!known) {
    const std::string given = json_text(act.substr(0, 64));
    return fail_at(place, "do", "must be start, stop, restart, reconnect or hook, not " + given);
  }
  if (act == "hook" && command.hook.empty()) fail_at(place, "hook", "is missing; it names the hook to call");
  if (act != "hook" && !command.hook.empty()) fail_at(place, "hook", "goes with \"do\": \"hook\" only");
  if (act != "reconnect" && !command.rule.empty()) fail_at(place, "rule", "goes with \"do\": \"reconnect\" only");
  if (act != "reconnect" && act != "hook" && command.pid) fail_at(place, "pid", "goes with reconnect and hook only");
  if (act != "start" && command.force) fail_at(place, "force", "goes with \"do\": \"start\" only");
  if (command.pid && *command.pid <= 0) fail_at(place, "pid", "must be above 0");
}

void read_action(Place& place, ObjectReader& reader, Command& command) {
  reader.need("do", command.act);
  reader.also("hook", command.hook);
  reader.also("rule", command.rule);
  reader.also("pid", command.pid);
  reader.also("force", command.force);
  if (place.error.empty()) check_action(place, command);
}

void read_hold(Place& place, const json::object& object, ObjectReader& reader, Command& command) {
  std::string except;
  read_for(place, object, command);
  reader.also("except", except);
  if (!except.empty() && except != "hard") fail_at(place, "except", "must be \"hard\"");
  command.except_hard = except == "hard";
}

}  // namespace

Parsed<Status> status_from_json(std::string_view text) {
  return parse<Status>(text, [](ObjectReader& reader, Status& out) { fields(reader, out); });
}
Parsed<Daemon> daemon_from_json(std::string_view text) {
  return parse<Daemon>(text, [](ObjectReader& reader, Daemon& out) { reader.need("daemon", out); });
}
Parsed<ServiceDetail> service_from_json(std::string_view text) {
  return parse<ServiceDetail>(text, [](ObjectReader& reader, ServiceDetail& out) { fields(reader, out); });
}
Parsed<std::vector<EngineOf>> engines_from_json(std::string_view text) {
  return parse<std::vector<EngineOf>>(text, [](ObjectReader& reader, auto& out) { reader.need("engines", out); });
}
Parsed<Event> event_from_json(std::string_view text) {
  return parse<Event>(text, [](ObjectReader& reader, Event& out) { fields(reader, out); });
}
Parsed<std::vector<Event>> events_from_json(std::string_view text) {
  return parse<std::vector<Event>>(text, [](ObjectReader& reader, auto& out) { reader.need("events", out); });
}
Parsed<std::vector<Intervention>> ledger_from_json(std::string_view text) {
  return parse<std::vector<Intervention>>(text,
                                          [](ObjectReader& reader, auto& out) { reader.need("interventions", out); });
}
Parsed<Answer> answer_from_json(int status, std::string_view text) {
  return parse<Answer>(text, [status](ObjectReader& reader, Answer& out) {
    out.status = status;
    reader.need(status < 400 ? "message" : "error", out.message);
  });
}

Parsed<Command> command_from_json(std::string_view noun, std::string_view body) {
  const auto& all = nouns();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Noun& n) { return n.name == noun; });
  if (found == all.end()) return "nothing can be posted to '" + std::string(noun) + "'";
  json::monotonic_resource memory;
  const Parsed<json::object> parsed = object_of(body.empty() ? "{}" : body, memory, true);
  if (const auto* wrong = std::get_if<std::string>(&parsed)) return *wrong;
  const auto& object = std::get<json::object>(parsed);

  Place place;
  Command command;
  refuse_unknown_keys(place, *found, object);
  ObjectReader reader(place, object);
  reader.also("wait", command.wait);
  if (noun == "actions") {
    read_action(place, reader, command);
  } else {
    command.act = std::string(noun);
    read_hold(place, object, reader, command);
    reader.also("dry_run", command.dry_run);
  }
  if (!place.error.empty()) return place.error;
  return command;
}

}  // namespace plimsoll::wire

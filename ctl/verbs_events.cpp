#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "config/plan/units.hpp"
#include "ctl/line.hpp"
#include "ctl/rendering.hpp"

namespace plimsoll::ctl {
namespace {

/// How many events of before a follower is shown that did not say since when.
constexpr std::size_t shown_before = 10;

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::vector<wire::Event>> all_events(Line& line) {
  const auto body = line.get("/v1/events");
  return body ? line.read(*body, wire::events_from_json) : std::nullopt;
}

/// The id after which events are wanted: of the last one that is older than `ago`.
std::uint64_t last_before(const std::vector<wire::Event>& events, std::chrono::system_clock::time_point moment) {
  std::uint64_t id = 0;
  for (const wire::Event& event : events) {
    const auto at = read_moment(event.at);
    if (at && *at < moment) id = event.id;
  }
  return id;
}

/// `--since` as an id; nothing: the line has failed.
std::optional<std::uint64_t> read_since(const Options& options, Console& console, Line& line) {
  std::uint64_t id = 0;
  if (is_number(options.since)) {
    const auto [end, error] = std::from_chars(options.since.data(), options.since.data() + options.since.size(), id);
    if (error == std::errc()) return id;
    line.fail(Failure{usage, "--since: this id is out of range"});
    return std::nullopt;
  }
  const Read<Duration> ago = read_duration(options.since);
  if (const auto* misread = std::get_if<Misread>(&ago)) {
    line.fail(Failure{usage, "--since: must be the id of an event, or a duration: " + misread->rule});
    return std::nullopt;
  }
  const auto events = all_events(line);
  if (!events) return std::nullopt;
  return last_before(*events, console.look().now - std::get<Duration>(ago));
}

/// "?service=web&since=7", of what is given.
class Query {
 public:
  void add(const std::string& key, const std::string& value) {
    text_ += (text_.empty() ? "?" : "&") + key + "=" + percent_encoded(value);
  }
  void add(const std::string& key, std::optional<std::uint64_t> value) {
    if (value) add(key, std::to_string(*value));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Query query_of(const Options& options, std::optional<std::uint64_t> since) {
  Query query;
  if (!options.service.empty()) query.add("service", options.service);
  query.add("since", since);
  return query;
}

Exit print(Query query, const Options& options, Console& console, Line& line) {
  query.add("last", options.count);
  const auto body = line.get("/v1/events" + query.text());
  if (!body) return line.exit();
  if (options.json) {
    console.put(*body + "\n");
    return done;
  }
  const auto events = line.read(*body, wire::events_from_json);
  if (!events) return line.exit();
  std::string text;
  for (const wire::Event& event : *events) text += event_text(event, console.look());
  console.put(text);
  return done;
}

/// Shows the last few and gives the id of the newest.
std::optional<std::uint64_t> show_last(std::optional<std::uint64_t> since, const Options& options, Console& console,
                                       Line& line) {
  Query query = query_of(options, since);
  query.add("last", options.count.value_or(shown_before));
  const auto body = line.get("/v1/events" + query.text());
  if (!body) return std::nullopt;
  const auto events = line.read(*body, wire::events_from_json);
  if (!events) return std::nullopt;
  for (const wire::Event& event : *events)
    console.put(options.json ? wire::to_json(event) + "\n" : event_text(event, console.look()));
  return events->empty() ? since.value_or(0) : events->back().id;
}

Exit follow(std::uint64_t after, const Options& options, Console& console, Line& line) {
  Client* client = line.client();
  if (!client) return line.exit();
  bool reader_left = false;
  const auto take = [&](const std::string& text) {
    const auto parsed = wire::event_from_json(text);
    const auto* event = std::get_if<wire::Event>(&parsed);
    if (!event) console.say("an event cannot be understood: " + std::get<std::string>(parsed));
    if (event) reader_left = !console.put(options.json ? text + "\n" : event_text(*event, console.look()));
    return !reader_left;
  };
  Query query = query_of(options, after);
  query.add("follow", "1");
  const auto end = client->follow("/v1/events" + query.text(), STDOUT_FILENO, take);
  if (const auto* failure = std::get_if<Failure>(&end)) line.fail(*failure);
  if (const auto* response = std::get_if<Response>(&end)) line.fail(*response);
  return line.exit();
}

}  // namespace

Exit run_events(const Options& options, Console& console) {
  Line line(options, console);
  std::optional<std::uint64_t> since;
  if (!options.since.empty()) {
    since = read_since(options, console, line);
    if (!since) return line.exit();
  }
  if (!options.follow) return print(query_of(options, since), options, console, line);
  if (!since || options.count) since = show_last(since, options, console, line);
  if (!since) return line.exit();
  return follow(*since, options, console, line);
}

}  // namespace plimsoll::ctl

// Hooks: how an app is asked for something. An HTTP hook's host is an address, never a name: looking one up
// would block the daemon's only thread.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

constexpr std::array<std::string_view, 5> placeholders{"{engine_pid}", "{owner_pid}", "{service}", "{rule}", "{run}"};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// What a word has, or one that is misspelt: {owner-pid}, {Run}.
bool belongs_to_word(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// The first {word} that is none of ours. Braces around anything else, JSON for one or a{2}, are plain text, and so is
/// a shell's ${word}.
std::string unknown_placeholder(std::string_view text) {
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string_view::npos; ++at) {
    std::size_t end = at + 1;
    if (end == text.size() || !is_letter(text[end]) || (at > 0 && text[at - 1] == '$')) continue;
    while (end < text.size() && belongs_to_word(text[end])) ++end;
    if (end == text.size() || text[end] != '}') continue;
    const std::string_view word = text.substr(at, end + 1 - at);
    if (std::find(placeholders.begin(), placeholders.end(), word) == placeholders.end()) return std::string{word};
  }
  return {};
}

void require_placeholders(Reader& table, std::string_view key, std::string_view text) {
  if (unknown_placeholder(text).empty()) return;
  table.refuse(key, "must have no placeholder but {engine_pid}, {owner_pid}, {service}, {rule} and {run}");
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() && port >= 1 && port <= 65535;
}

bool is_address(const std::string& host, bool bracketed) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  if (bracketed) return inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
  return host == "localhost" || inet_pton(AF_INET, host.c_str(), address.data()) == 1;
}

constexpr std::string_view path_rule = "must be a path that begins with '/' and has neither spaces nor '#'";

bool is_request_path(std::string_view text) {
  return text.starts_with('/') && is_printable(text) && text.find('#') == std::string_view::npos;
}

}  // namespace

Rule read_url(std::string_view url, HttpHook& into) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) return "must begin with http://";
  url.remove_prefix(scheme.size());
  const std::size_t slash = std::min(url.find('/'), url.size());
  std::string_view authority = url.substr(0, slash);
  into.path = slash == url.size() ? "/" : std::string{url.substr(slash)};
  const bool bracketed = authority.starts_with('[');
  const std::size_t host_end = bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host_end == std::string_view::npos) return "must close the '[' of its address";
  into.host = std::string{authority.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0))};
  authority.remove_prefix(host_end + (bracketed ? 1 : 0));
  into.port = authority.empty() ? "80" : std::string{authority.substr(1)};
  if (!is_address(into.host, bracketed)) {
    return "must have an IP address or localhost as its host (looking up a name would block)";
  }
  if (!into.port.empty() && !authority.empty() && authority.front() != ':') return "must be http://HOST:PORT/PATH";
  if (!is_port(into.port)) return "must have a port of 1 to 65535";
  if (!is_request_path(into.path)) return std::string{path_rule};
  return std::nullopt;
}

void read_http_address(Reader& table, HttpHook& into) {
  std::string url;
  if (table.read("url", url)) {
    if (const Rule broken = read_url(url, into)) table.refuse("url", *broken);
    require_placeholders(table, "url", url);
  }
  if (table.read("unix", into.unix_path)) {
    table.require(into.unix_path.starts_with('/'), "unix", "must be the absolute path of a socket");
    require_placeholders(table, "unix", into.unix_path);
  }
  std::string path;
  if (table.read("path", path)) {
    table.require(is_request_path(path), "path", std::string{path_rule});
    require_placeholders(table, "path", path);
  }
  if (table.has("url")) {
    table.require(!table.has("unix"), "unix", "must not be beside url");
    table.require(table.has("unix"), "path", "must not be beside url, which has its own");
  } else if (!table.has("unix")) {
    table.lacks("must have 'url', or 'unix' and 'path'");
  } else if (!table.has("path")) {
    table.lacks("must have 'path' beside 'unix'");
  }
  if (!into.unix_path.empty()) into.path = path;
}

namespace {

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
  });
}

/// The daemon frames the request itself.
bool is_framing(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name == "content-length" || name == "transfer-encoding" || name == "connection";
}

void read_header(Reader& headers, const std::string& name, const Value& written, HeaderValue& into) {
  if (!is_token(name) || is_framing(name)) {
    headers.refuse(name, "must have a name that a header can have here (the daemon frames the request)");
  }
  if (const Table* table = std::get_if<Table>(&written.is)) {
    Reader inner{*table, written.place, headers.path_of(name), headers.findings()};
    into.from_environment = true;
    if (!inner.read("env", into.text)) {
      if (!inner.has("env")) inner.lacks("must have 'env', the name of an environment variable");
    } else {
      const bool fits = !into.text.empty() && into.text.find('=') == std::string::npos;
      inner.require(fits, "env", "must be the name of an environment variable");
    }
    inner.finish();
  } else if (const Rule broken = understand(written, into.text)) {
    headers.refuse(name, "must be a string or { env = \"NAME\" }");
  } else {
    const bool fits = std::all_of(into.text.begin(), into.text.end(), [](char c) {
      return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    });
    headers.require(fits, name, "must be one line");
  }
}

HttpHook read_http(Reader& table) {
  HttpHook http;
  if (table.read("method", http.method)) {
    const bool upper = std::all_of(http.method.begin(), http.method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    table.require(upper && !http.method.empty() && http.method.size() <= 32, "method", "must be a method such as POST");
  }
  read_http_address(table, http);
  if (std::optional<Reader> headers = table.table("headers")) {
    for (const Member& header : headers->written().members) {
      read_header(*headers, header.key, header.value, http.headers[header.key]);
    }
  }
  table.finish();
  return http;
}

void read_ways(Reader& table, Hook& into) {
  if (std::optional<Reader> http = table.table("http")) into.how = read_http(*http);
  Signal signal;
  if (table.read("signal", signal)) {
    const bool can = signal.number != SIGKILL && signal.number != SIGSTOP;
    table.require(can, "signal", "must be a signal that a process can catch");
    into.how = SignalHook{signal.number};
  }
  ExecHook exec;
  if (table.read("exec", exec.argv)) {
    table.require(!exec.argv.empty() && !exec.argv.front().empty(), "exec", "must be a command and its arguments");
    for (const std::string& word : exec.argv) {
      if (unknown_placeholder(word).empty()) continue;
      require_placeholders(table, "exec", word);
      break;
    }
    into.how = std::move(exec);
  }
}

}  // namespace

Hook read_hook(Reader& table, const std::string& name) {
  Hook hook;
  hook.name = name;
  read_ways(table, hook);
  const int ways = (table.has("http") ? 1 : 0) + (table.has("signal") ? 1 : 0) + (table.has("exec") ? 1 : 0);
  if (ways != 1) table.lacks("must have exactly one of 'http', 'signal' and 'exec'");
  table.read_word<HookTarget>("to", hook.to, {{"owner", HookTarget::owner}, {"service", HookTarget::service}});
  if (table.read("timeout", hook.timeout)) {
    table.require(hook.timeout > Duration{0}, "timeout", "must be more than 0s");
  }
  table.finish();
  return hook;
}

bool asks_for_engine(const Hook& hook) {
  std::string all;
  if (const HttpHook* http = std::get_if<HttpHook>(&hook.how)) all = http->unix_path + http->path;
  if (const ExecHook* exec = std::get_if<ExecHook>(&hook.how)) {
    for (const std::string& word : exec->argv) all += word + '\n';
  }
  return all.find("{engine_pid}") != std::string::npos || all.find("{rule}") != std::string::npos;
}

}  // namespace plimsoll::config

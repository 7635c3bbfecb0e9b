// One function for each table of the file. Each takes its keys from a reader, applies the defaults and records
// what is wrong; docs/configuration.md is the same knowledge for people.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/plan/plan.hpp"
#include "config/reader.hpp"
#include "config/zone.hpp"

namespace plimsoll::config {

void read_daemon(Reader& table, Daemon& into);

/// `names`: every service of the file, for `requires`.
Service read_service(Reader& table, const std::string& name, const std::vector<std::string>& names, Zones& zones);

/// `service`: with its hooks read already.
EngineRule read_engine(Reader& table, const std::string& name, const Service& service);

Hook read_hook(Reader& table, const std::string& name);
/// "http://HOST:PORT/path"; the rule it breaks otherwise.
Rule read_url(std::string_view url, HttpHook& into);
/// The keys `url`, or `unix` and `path`.
void read_http_address(Reader& table, HttpHook& into);
/// The key `live`; of an engine every address is its own.
void read_live(Reader& parent, bool of_engine, Rare<Liveness>& into);
/// The key `ready`.
void read_ready(Reader& parent, Rare<Readiness>& into);
/// Has {engine_pid} or {rule} in it, which only an engine's ladder can fill in.
bool asks_for_engine(const Hook& hook);

/// `service`: with its engines read already.
Cycle read_cycle(Reader& table, const Service& service, Zones& zones);

/// The keys that say what a service's processes find around them, `environment` and `working_directory` included.
void read_surroundings(Reader& table, Service& into);
/// The key `memory`.
void read_memory(Reader& parent, MemoryPolicy& into);
/// The key `container` of a service.
void read_container(Reader& parent, Rare<ContainerLines>& into);
/// The key `stop`. `hooks`: those that `drain` may name; null where nothing can be drained (an engine).
void read_stop(Reader& parent, StopPolicy& into, const std::map<std::string, Hook>* hooks);
/// The key `expect`, on top of what `into` says; `soft` is what `below` may not exceed.
bool read_expect(Reader& parent, Expect& into, const std::optional<Bytes>& soft);

/// What the rungs of a ladder may refer to, and what they inherit.
struct LadderPlace {
  const std::map<std::string, Hook>& hooks;
  std::optional<Bytes> soft;
  Expect expect;
  bool of_engine = false;
  bool has_reconnect = false;
};
enum class LadderCause { soft, hard, lost, hung };
void read_ladder(Reader& table, std::string_view key, LadderCause cause, const LadderPlace& place,
                 Shared<Ladder>& into);

/// "hook:NAME" → NAME; empty for anything else.
std::string hook_named_in(std::string_view text);

/// Each service after all that it requires and all that it is ordered after, else in the order of the file. A loop is
/// recorded, with its path, at the first key that makes it (`ordered_at`: by service, the first such key's place).
std::vector<Service> in_order_of_need(std::vector<Service> services, const std::map<std::string, Place>& ordered_at,
                                      Findings& findings);

/// Lets equal parts of services be held once.
void share_alike(std::vector<Service>& services);

}  // namespace plimsoll::config

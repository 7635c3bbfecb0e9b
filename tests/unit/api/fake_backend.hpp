// A daemon of two services that remembers what it was asked and answers when the test says so.
#pragma once

#include <string>
#include <vector>

#include "daemon/api/server.hpp"
#include "daemon/api/wire/json.hpp"

namespace plimsoll::api {

struct FakeBackend {
  struct Asked {
    wire::Command command;
    std::string by;
    std::function<void(wire::Answer)> answer;
  };
  bool well = true;
  std::vector<wire::Event> events;
  std::vector<Asked> asked;
  std::vector<std::string> troubles;

  void add_event(const std::string& why) {
    wire::Event event;
    event.id = events.size() + 1;
    event.kind = "operator";
    event.why = why;
    events.push_back(event);
  }

  wire::Status status() const {
    wire::Status status;
    status.daemon.name = "main";
    status.daemon.well = well;
    for (const char* name : {"web", "bill ing"}) status.services.emplace_back().name = name;
    status.services[0].engines.push_back({"prisma", 4711, "worker", 4705, "live", 1, 2, 3, {}, {}, {}});
    return status;
  }

  std::optional<wire::Status> status_of(std::string_view name) const {
    wire::Status one = status();
    std::erase_if(one.services, [&](const wire::Service& service) { return service.name != name; });
    return one.services.empty() ? std::nullopt : std::optional(one);
  }

  std::optional<wire::ServiceDetail> service(std::string_view name) const {
    for (const wire::Service& each : status().services)
      if (each.name == name) return wire::ServiceDetail{each, {{1, 0, "sh", "main", "", "running", 4, 5}}};
    return std::nullopt;
  }

  std::vector<wire::Intervention> ledger(std::string_view service) const {
    std::vector<wire::Intervention> acts(2);
    acts[0].id = 1;
    acts[0].service = "web";
    acts[1].id = 2;
    acts[1].service = "bill ing";
    std::erase_if(acts, [&](const wire::Intervention& act) { return !service.empty() && act.service != service; });
    return acts;
  }

  /// Refers to this object, which must outlive it.
  Backend backend() {
    Backend backend;
    backend.status = [this] { return status(); };
    backend.status_json = [this] { return wire::to_json(status()); };
    backend.brief_status = [this](const Put& put) {
      const wire::Status all = status();
      auto next = all.services.begin();
      wire::write_brief_json(
          all.daemon, all.services.size(), [&] { return *next++; }, put);
    };
    backend.status_of = [this](std::string_view name) { return status_of(name); };
    backend.daemon = [this] { return status().daemon; };
    backend.service = [this](std::string_view name) { return service(name); };
    backend.events = [this](std::uint64_t after) {
      std::vector<wire::Event> newer = events;
      std::erase_if(newer, [after](const wire::Event& event) { return event.id <= after; });
      return newer;
    };
    backend.ledger = [this](std::string_view name) { return ledger(name); };
    backend.command = [this](wire::Command command, std::string by, std::function<void(wire::Answer)> answer) {
      asked.push_back({std::move(command), std::move(by), std::move(answer)});
    };
    backend.trouble = [this](const std::string& sentence) { troubles.push_back(sentence); };
    return backend;
  }
};

}  // namespace plimsoll::api

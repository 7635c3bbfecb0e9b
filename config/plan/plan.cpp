#include "config/plan/plan.hpp"

#include <algorithm>

namespace plimsoll {

Duration whole_grace(const StopPolicy& stop) {
  Duration sum = stop.grace;
  for (const StopStep& step : stop.further) sum += step.grace;
  return sum;
}

bool is_asked(const Probe& probe) {
  return std::holds_alternative<HttpProbe>(probe) || std::holds_alternative<TcpProbe>(probe) ||
         std::holds_alternative<UnixProbe>(probe) || std::holds_alternative<ExecProbe>(probe);
}

Duration ready_time(const Service& service) {
  return service.ready ? service.ready->timeout : service.heal;
}

Duration stop_time(const Service& service) {
  constexpr Duration sigkill{10'000};
  const auto drain = service.hooks.find(service.stop.drain);
  return whole_grace(service.stop) + (drain != service.hooks.end() ? drain->second.timeout : Duration{0}) + sigkill;
}

const Service* find_service(const Plan& plan, std::string_view name) {
  const auto found = std::find_if(plan.services.begin(), plan.services.end(),
                                  [name](const Service& service) { return service.name == name; });
  return found == plan.services.end() ? nullptr : &*found;
}

std::string to_text(const Rung& rung) {
  switch (rung.kind) {
    case RungKind::log: return "log";
    case RungKind::hook: return "hook:" + rung.hook;
    case RungKind::reconnect: return "reconnect";
    case RungKind::end: return "end";
    case RungKind::kill: return "kill";
    case RungKind::worker: return "worker";
    case RungKind::restart: return "restart";
    case RungKind::wait: return "wait:" + to_text(rung.duration);
  }
  return {};
}

}  // namespace plimsoll

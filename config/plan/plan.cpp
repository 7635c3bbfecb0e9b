#include "config/plan/plan.hpp"

#include <algorithm>

namespace plimsoll {

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

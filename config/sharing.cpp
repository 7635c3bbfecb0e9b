// A thousand services, and most of what they say they say alike.
#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

struct Ladders {
  Alike<Ladder> on_soft;
  Alike<Ladder> on_hard;
  Alike<Ladder> on_lost;
  Alike<Ladder> on_hung;
};

void share_ladders(Ladders& seen, EngineRule& engine) {
  seen.on_soft.share(engine.on_soft);
  seen.on_hard.share(engine.on_hard);
  seen.on_lost.share(engine.on_lost);
  seen.on_hung.share(engine.on_hung);
}

}  // namespace

void share_alike(std::vector<Service>& services) {
  Alike<std::map<std::string, std::optional<std::string>>> environments;
  Alike<Surroundings> surroundings;
  Alike<std::vector<int>> success;
  Ladders of_services;
  Ladders of_engines;
  for (Service& service : services) {
    environments.share(service.environment);
    surroundings.share(service.surroundings);
    success.share(service.success);
    of_services.on_soft.share(service.on_soft);
    of_services.on_hard.share(service.on_hard);
    of_services.on_hung.share(service.on_hung);
    for (EngineRule& engine : service.engines) share_ladders(of_engines, engine);
  }
}

}  // namespace plimsoll::config

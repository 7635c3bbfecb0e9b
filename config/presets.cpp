#include "config/presets.hpp"

namespace plimsoll::config {

const std::vector<EnginePreset>& engine_presets() {
  static const std::vector<EnginePreset> presets{
      {"prisma", R"toml(
# Prisma's native query engine, one below each worker (prisma-client-py): its binary is called
# query-engine-PLATFORM in Prisma's cache and prisma-query-engine-PLATFORM beside an application.
match = ["query-engine*", "prisma-query-engine*"]
)toml"},
      {"prisma-js", R"toml(
# The same binary below a Node application. @prisma/client starts it with the first query after a disconnect, so
# a remedy waits for no successor.
match  = ["query-engine*", "prisma-query-engine*"]
expect = { successor = false }
)toml"},
      {"prisma-bridge", R"toml(
# A Node program that stands in for the engine, one for all workers on a fixed port. `node dist/index.js` could be
# any program, so its path has to say what it is.
match = ["*bridge*/index.js"]
owner = "service"
)toml"},
  };
  return presets;
}

}  // namespace plimsoll::config

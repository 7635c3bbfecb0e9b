// What the core costs for each thing that happens, with few and with many engines in its world. The floor beside it is
// a step that has nothing to do: whatever a step costs beyond it is the event's own.
#include <benchmark/benchmark.h>

#include <stdexcept>

#include "config/config.hpp"
#include "daemon/core/step.hpp"

namespace {

using namespace plimsoll;
using namespace plimsoll::core;
using namespace std::chrono_literals;

constexpr auto text = R"(
[services.shop]
command = ["shop"]
[services.shop.engines.prisma]
match = ["query-engine*"]
memory = { soft = "400MiB", hard = "800MiB" }
)";

constexpr ProcessId main_process{100, 1};

struct Scene {
  World world;
  Now now;
  std::vector<ProcessId> engines;

  void later(Duration by) {
    now.steady += by;
    now.wall += by;
  }
  Effects tell(const Event& event) { return step(world, event, now); }
};

Sighting sight(ProcessId id, ProcessId parent, const std::string& program) {
  Sighting seen;
  seen.id = id;
  seen.parent = parent;
  seen.session = main_process.pid;
  seen.state = 'S';
  seen.command = {program, "/usr/bin/" + program, "/", {program}};
  seen.age = 10s;
  return seen;
}

/// A service with `workers`, an engine below each, all of them older than `settle`.
Scene make_scene(int workers) {
  auto loaded = config::load_text(text, "bench");
  if (!loaded.ok()) throw std::runtime_error(config::to_text(loaded.problems.front()));
  const Now now{Steady{} + 1000h, WallTime{} + 400000h};
  Scene scene{make_world(std::make_shared<const Plan>(std::move(loaded.plan)), Machine{}, now), now, {}};
  scene.tell(DaemonStarted{});
  scene.tell(LeftoversLookedFor{"shop", {}});
  scene.tell(SpawnSucceeded{"shop", 1, main_process});
  Looked looked;
  for (int i = 0; i < workers; ++i) {
    const ProcessId worker{1000 + 2 * i, 2};
    const ProcessId engine{1001 + 2 * i, 3};
    looked.fresh.push_back(sight(worker, main_process, "shop-worker"));
    looked.fresh.push_back(sight(engine, worker, "query-engine"));
    scene.engines.push_back(engine);
  }
  scene.later(10s);
  scene.tell(looked);
  scene.later(10s);
  scene.tell(DeadlineReached{});
  return scene;
}

void step_with_nothing_to_do(benchmark::State& state) {
  Scene scene = make_scene(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(scene.tell(DeadlineReached{}));
}
BENCHMARK(step_with_nothing_to_do)->Arg(2)->Arg(50)->Arg(500);

void step_with_a_sample(benchmark::State& state) {
  Scene scene = make_scene(static_cast<int>(state.range(0)));
  std::size_t turn = 0;
  for (auto _ : state) {
    scene.later(1ms);
    const ProcessId engine = scene.engines[turn++ % scene.engines.size()];
    benchmark::DoNotOptimize(
        scene.tell(MemorySampled{{Sample{engine, Bytes{100 << 20}, std::nullopt, true, Bytes{0}}}}));
  }
}
BENCHMARK(step_with_a_sample)->Arg(2)->Arg(50)->Arg(500);

void step_with_a_look_that_found_nothing(benchmark::State& state) {
  Scene scene = make_scene(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(scene.tell(Looked{}));
}
BENCHMARK(step_with_a_look_that_found_nothing)->Arg(2)->Arg(50)->Arg(500);

void the_next_deadline(benchmark::State& state) {
  const Scene scene = make_scene(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(next_deadline(scene.world));
}
BENCHMARK(the_next_deadline)->Arg(2)->Arg(50)->Arg(500);

}  // namespace

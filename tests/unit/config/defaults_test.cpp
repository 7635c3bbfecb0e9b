#include "loading.hpp"

namespace plimsoll::config {
namespace {

using namespace std::chrono_literals;

Rung rung(RungKind kind) {
  return Rung{kind, {}, {}, {}, {}};
}

TEST(Defaults, OfTheDaemonAreThoseOfThePage) {
  const Daemon daemon = plan_of("").daemon;
  EXPECT_EQ(daemon.name, "main");
  EXPECT_EQ(daemon.socket, "");
  EXPECT_TRUE(daemon.operators.empty());
  EXPECT_TRUE(daemon.observers.empty());
  EXPECT_EQ(daemon.mode, Mode::act);
  EXPECT_EQ(daemon.stop_within, 80s);
  EXPECT_EQ(daemon.census, std::nullopt);
}

TEST(Defaults, OfAServiceAreThoseOfThePage) {
  const Service web = service_of("");
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.command, Texts{"x"});
  EXPECT_EQ(web.working_directory, "");
  EXPECT_TRUE(web.environment->empty());
  EXPECT_EQ(web.restart, RestartPolicy::on_failure);
  EXPECT_EQ(web.backoff, (Backoff{1s, 2.0, 1min, 1min}));
  EXPECT_EQ(web.give_up, std::nullopt);
  EXPECT_FALSE(web.essential);
  EXPECT_EQ(web.stop, (StopPolicy{15, 30s}));
  EXPECT_EQ(web.memory,
            (MemoryPolicy{MemoryMetric::rss, MemoryScope::process, {}, 30s, {}, Share{0.1}, 1s, Bytes{1'000'000'000}}));
  EXPECT_EQ(web.container, std::nullopt);
  EXPECT_EQ(web.on_soft, Ladder{rung(RungKind::log)});
  EXPECT_EQ(web.on_hard, Ladder{rung(RungKind::restart)});
  EXPECT_EQ(web.budget, (Budget{6, 1h}));
  EXPECT_EQ(web.cool_down, 5min);
  EXPECT_EQ(web.heal, 90s);
  EXPECT_EQ(web.leftovers, LeftoverPolicy::hold);
}

TEST(Defaults, OfTheContainersLinesAreThoseOfAnEntrypoint) {
  const ContainerLines lines{Share{0.8}, 2min, Share{0.92}, Bytes{64U << 20U}};
  EXPECT_EQ(service_of("container = {}\n").container, lines);
  EXPECT_EQ(entrypoint_plan({"x"}, false).services.at(0).container, lines);
}

TEST(Defaults, OfAnEngineAreThoseOfThePage) {
  const EngineRule engine = service_of("[services.web.engines.e]\nmatch = [\"q*\"]\n").engines.at(0);
  EXPECT_EQ(engine.name, "e");
  EXPECT_EQ(engine.preset, "");
  EXPECT_EQ(engine.match, Texts{"q*"});
  EXPECT_EQ(engine.owner, OwnerKind::worker);
  EXPECT_EQ(engine.settle, 1s);
  EXPECT_EQ(engine.memory, MemoryPolicy{});
  EXPECT_EQ(engine.stop, (StopPolicy{15, 5s}));
  EXPECT_EQ(engine.reconnect, std::nullopt);
  EXPECT_EQ(engine.expect, (Expect{{}, {}, true}));
  EXPECT_EQ(engine.orphan, (OrphanPolicy{{}, 2s}));
}

TEST(Defaults, OfALadderLeaveOutWhatTheEngineHasNot) {
  const std::string hook = "[services.web.hooks.r]\nsignal = \"USR2\"\nto = \"service\"\n";
  const auto ladders = [&hook](const std::string& keys) {
    const EngineRule engine = service_of(hook + "[services.web.engines.e]\nmatch = [\"q\"]\n" + keys).engines.at(0);
    return std::vector<Ladder>{engine.on_soft, engine.on_hard, engine.on_lost};
  };
  const Rung reconnect = rung(RungKind::reconnect);
  const Rung worker = rung(RungKind::worker);
  const Rung restart = rung(RungKind::restart);
  const Rung end = rung(RungKind::end);
  EXPECT_EQ(ladders(""), (std::vector<Ladder>{{worker, restart}, {end, worker, restart}, {restart}}));
  EXPECT_EQ(ladders("reconnect = \"hook:r\"\n"),
            (std::vector<Ladder>{{reconnect, worker, restart}, {end, worker, restart}, {reconnect, restart}}));
  EXPECT_EQ(ladders("owner = \"service\"\nreconnect = \"hook:r\"\n"),
            (std::vector<Ladder>{{reconnect, restart}, {end, restart}, {reconnect, restart}}));
  EXPECT_EQ(ladders("owner = \"service\"\n"), (std::vector<Ladder>{{restart}, {end, restart}, {restart}}));
}

TEST(Defaults, ExpectTheSoftLineWhereThereIsOne) {
  const auto below = [](const std::string& keys) {
    return service_of("[services.web.engines.e]\nmatch = [\"q\"]\n" + keys).engines.at(0).expect.below;
  };
  EXPECT_EQ(below("memory.soft = \"4MiB\"\n"), Bytes{4U << 20U});
  EXPECT_EQ(below("memory.soft = \"4MiB\"\nexpect.below = \"3MiB\"\n"), Bytes{3U << 20U});
  EXPECT_EQ(below("memory.hard = \"4MiB\"\n"), std::nullopt);
}

TEST(Defaults, OfACycleRunAlwaysInTheZoneOfTheSystem) {
  const Cycle cycle = service_of("[[services.web.cycles]]\ndo = \"restart\"\nevery = \"6h\"\n").cycles.at(0);
  EXPECT_EQ(cycle.act, CycleAct::restart);
  EXPECT_EQ(std::get<Duration>(cycle.when), 6h);
  EXPECT_NE(cycle.zone, nullptr);
  EXPECT_EQ(cycle.jitter, Share{0.0});
  EXPECT_EQ(cycle.between, std::nullopt);
  EXPECT_EQ(cycle.only_if, std::nullopt);
}

TEST(Preset, OfPrismaKnowsItsBinaries) {
  const EngineRule engine = service_of("[services.web.engines.e]\npreset = \"prisma\"\n").engines.at(0);
  EXPECT_EQ(engine.preset, "prisma");
  EXPECT_EQ(engine.match, (Texts{"query-engine*", "prisma-query-engine*"}));
  EXPECT_EQ(engine.owner, OwnerKind::worker);
  EXPECT_TRUE(engine.expect.successor);
}

TEST(Preset, OfPrismaInNodeWaitsForNoSuccessor) {
  const EngineRule engine = service_of("[services.web.engines.e]\npreset = \"prisma-js\"\n").engines.at(0);
  EXPECT_EQ(engine.match, (Texts{"query-engine*", "prisma-query-engine*"}));
  EXPECT_FALSE(engine.expect.successor);
}

TEST(Preset, OfTheBridgeBelongsToTheService) {
  const EngineRule engine = service_of("[services.web.engines.e]\npreset = \"prisma-bridge\"\n").engines.at(0);
  EXPECT_EQ(engine.match, Texts{"*bridge*/index.js"});
  EXPECT_EQ(engine.owner, OwnerKind::service);
  EXPECT_EQ(engine.on_soft, Ladder{rung(RungKind::restart)});
}

TEST(Preset, IsOverriddenKeyByKey) {
  const EngineRule engine = service_of(
                                "[services.web.engines.e]\npreset = \"prisma-js\"\nmatch = [\"mine\"]\n"
                                "expect = { within = \"7s\" }\nowner = \"service\"\nsettle = \"3s\"\n")
                                .engines.at(0);
  EXPECT_EQ(engine.match, Texts{"mine"});
  EXPECT_EQ(engine.expect, (Expect{{}, Duration{7s}, false}));
  EXPECT_EQ(engine.owner, OwnerKind::service);
  EXPECT_EQ(engine.settle, 3s);
  EXPECT_TRUE(service_of("[services.web.engines.e]\npreset = \"prisma-js\"\nexpect.successor = true\n")
                  .engines.at(0)
                  .expect.successor);
}

TEST(Preset, PlacesWhatItContradictsAtTheKeyOfTheUser) {
  EXPECT_EQ(service_problems("[services.web.engines.e]\npreset = \"prisma-bridge\"\nreconnect = \"worker\"\n"),
            Texts{"f.toml:5:13: services.web.engines.e.reconnect: must not be worker (no worker owns this engine), "
                  "not 'worker'"});
}

}  // namespace
}  // namespace plimsoll::config

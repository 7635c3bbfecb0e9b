// Memory: when a process is read next, what a reading means, and what is never concluded from one.
#include "daemon/core/memory.hpp"

#include <set>

#include "tests/unit/core/history.hpp"

namespace plimsoll::core {
namespace {

using std::chrono::nanoseconds;

MemoryPolicy policy(std::uint64_t growth = 1'000'000'000) {
  MemoryPolicy made;
  made.hard = mib(800);
  made.growth = Bytes{growth};
  return made;
}

TEST(NextReading, ComesBeforeHalfOfWhatIsLeftCanBeCovered) {
  const MemoryPolicy p = policy();
  for (const std::uint64_t rss : {0u, 100u, 400u, 600u, 700u, 790u}) {
    for (const double growth : {0.0, 1e8, 1e9, 5e9}) {
      const auto interval = next_reading(p, mib(rss), *p.hard, growth);
      const double at_most = std::max(growth, 1e9) * std::chrono::duration<double>(interval).count();
      const double left = static_cast<double>((800 - rss) << 20);
      EXPECT_TRUE(at_most <= left / 2 + 1.0 || interval == fastest) << rss << " MiB at " << growth;
    }
  }
}

TEST(NextReading, IsNeverSoonerThanTheFastestNorLaterThanTheInterval) {
  MemoryPolicy p = policy(1'000);
  EXPECT_EQ(next_reading(p, mib(1), *p.hard, 0), nanoseconds{p.interval});
  EXPECT_EQ(next_reading(p, mib(799), *p.hard, 1e12), nanoseconds{fastest});
  EXPECT_EQ(next_reading(p, mib(900), *p.hard, 0), nanoseconds{fastest}) << "at or over the line";
  p.growth = Bytes{0};
  EXPECT_EQ(next_reading(p, mib(1), *p.hard, 0), nanoseconds{p.interval}) << "no growth assumed, none seen";
}

TEST(Overshoot, IsGrowthTimesWhatIsNotSeenPlusWhatStatmHides) {
  const Machine machine{0, Bytes{1'000}};
  EXPECT_EQ(overshoot(policy(), {rung(RungKind::kill)}, machine).count, 12'000'000u + 1'000u);
  EXPECT_EQ(overshoot(policy(), {rung(RungKind::log), rung(RungKind::kill)}, machine).count, 12'000'000u + 1'000u);
}

TEST(Overshoot, OfAGentleFirstRungHasTheSlackInIt) {
  EXPECT_EQ(overshoot(policy(), {rung(RungKind::end), rung(RungKind::kill)}, Machine{}), Bytes{12'000'000u} + mib(80));
}

TEST(Slack, IsAShareOrASize) {
  MemoryPolicy p = policy();
  EXPECT_EQ(slack_line(p), mib(880));
  p.slack = mib(5);
  EXPECT_EQ(slack_line(p), mib(805));
}

HISTORY(Memory, OfAnEngineIsWatchedFromItsFirstSight) {
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::kill)};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  h.at(5s);
  const ProcessId engine = h.forks(worker, {"/srv/query-engine-debian"});
  h.has(engine, 900);
  h.looks();
  h.after(50ms);
  EXPECT_FALSE(h.alive(engine)) << "a memory line does not wait for settle";
}

HISTORY(Memory, FirstReadingAsksForThePeakOfWhoMayHaveHadOneBefore) {
  Service service = app();
  service.memory.hard = mib(8'000);
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(10s);
  EXPECT_EQ(h.peaks_read, std::set<ProcessId>{engine}) << "the main process was read when it had just been spawned";
  h.has(h.main(), 7'999);
  h.at(12s);
  EXPECT_TRUE(h.peaks_read.contains(h.main())) << "close to its line";
}

HISTORY(Memory, SoftLineIsBrokenByOneSampleBelow) {
  Service service = app();
  service.engines[0].memory.hard.reset();
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.has(engine, 500);
  h.at(38s);
  h.has(engine, 399);
  h.at(40s);
  h.has(engine, 500);
  h.at(68s);
  EXPECT_EQ(h.hooks.size(), 0u);
  h.at(72s);
  EXPECT_EQ(h.hooks.size(), 1u);
}

HISTORY(Memory, ASampleOfZeroPagesVerifiesNothing) {
  Service service = app();
  service.hooks["flush"] = signal_hook("flush");
  service.engines[0].on_soft = {hook_rung("flush")};
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(10s);
  h.has(engine, 500);
  h.on_hook = [&](const CallHook& call) {
    h.has(engine, 0);
    h.answers(call.id, HookResult::done);
  };
  h.at(100s);
  EXPECT_EQ(h.outcomes(), std::vector<std::string>{"hook:flush timed_out"}) << "no address space is not small";
}

HISTORY(Memory, StatmsErrorAsksForAnExactReadingAtTheLine) {
  h.statm_hides = mib(20);
  h.statm_margin = mib(20);
  Service service = app();
  service.engines[0].on_hard = {rung(RungKind::kill)};
  service.engines[0].memory.soft.reset();
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(5s);
  EXPECT_EQ(h.exact_readings, 0u) << "far from the line the dear reading is not taken";
  h.has(engine, 790);
  h.at(7s);
  EXPECT_GT(h.exact_readings, 0u);
  EXPECT_TRUE(h.alive(engine)) << "the exact reading is below";
  h.has(engine, 805);
  h.at(8s);
  EXPECT_FALSE(h.alive(engine)) << "statm says 785, the truth is over";
}

HISTORY(Memory, WhatCannotBeReadExactlyIsJudgedByStatmAndNotAskedForEver) {
  h.statm_hides = mib(20);
  h.exact_readable = false;
  h.begin(app());
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(5s);
  h.has(engine, 410);
  h.at(60s);
  EXPECT_EQ(h.exact_readings, 0u);
  EXPECT_EQ(h.hooks.size(), 0u) << "statm says 390";
  h.has(engine, 440);
  h.at(120s);
  EXPECT_EQ(h.hooks.size(), 1u);
}

HISTORY(Memory, TheAppProcessBehindAWrapperIsTheOneThatIsWatched) {
  Service service = bare();
  service.command = {"npm start"};
  service.memory.hard = mib(500);
  h.begin(service);
  h.looks();
  h.has(h.main(), 900);
  const ProcessId node = h.starts(h.main(), {"/usr/bin/node", "server.js"});
  h.at(10s);
  h.has(h.main(), 100);
  h.at(20s);
  const RunNumber before = h.run();
  EXPECT_EQ(before, 1u) << "npm's own memory is nobody's business once node is there";
  h.has(node, 520);
  h.at(30s);
  EXPECT_EQ(h.run(), 2u);
}

HISTORY(Memory, SlowReadingsFallOnACommonGrid) {
  Service service = app();
  service.engines[0].memory.hard.reset();
  h.begin(service);
  const ProcessId worker = h.starts_worker(h.main());
  h.starts_engine(worker);
  h.at(1300ms);
  h.starts_engine(worker);
  h.at(10s);
  std::set<std::int64_t> next;
  for (const auto& [id, process] : h.world.processes) {
    if (process.engine) next.insert(process.memory.next.time_since_epoch().count());
  }
  EXPECT_EQ(next.size(), 1u);
}

HISTORY(Memory, OfWhatHasGrownFastOnceIsReadOften) {
  Service service = app();
  service.engines[0].memory.growth = Bytes{1'000'000};
  h.begin(service);
  const ProcessId engine = h.starts_engine(h.starts_worker(h.main()));
  h.at(10s);
  h.has(engine, 250);  // 200 MiB since the last reading
  h.at(20s);
  const MemoryWatch burst = find_process(h.world, engine)->memory;
  ASSERT_GT(burst.worst_growth, 1e6);
  h.has(engine, 251);
  h.at(30s);
  const MemoryWatch& now = find_process(h.world, engine)->memory;
  EXPECT_GE(now.worst_growth, burst.worst_growth);
  EXPECT_LT(now.next - *now.sampled, 5s);
}

HISTORY(Memory, LimitCrossedIsSaidOnceForAStay) {
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(5s);
  h.has(engine, 900);
  h.at(100s);
  EXPECT_EQ(h.count(EventKind::limit_crossed, engine), 1u);
  EXPECT_EQ(h.of_kind(EventKind::limit_crossed)[0].entry.limit, mib(800));
  EXPECT_EQ(h.of_kind(EventKind::limit_crossed)[0].entry.rss, mib(900));
  h.has(engine, 100);
  h.at(110s);
  h.has(engine, 900);
  h.at(120s);
  EXPECT_EQ(h.count(EventKind::limit_crossed, engine), 2u);
}

HISTORY(Memory, OverItsLineIsNotReadFiveHundredTimesASecondForNothing) {
  Plan plan = plan_of_one(app());
  plan.daemon.mode = Mode::observe;
  h.begin(plan);
  const ProcessId worker = h.starts_worker(h.main());
  const ProcessId engine = h.starts_engine(worker);
  h.at(5s);
  h.has(engine, 850);
  h.at(10s);
  std::size_t readings = 0;
  h.after_step = [&](const Event& event, const Effects&) {
    readings += std::holds_alternative<MemorySampled>(event) ? 1 : 0;
  };
  h.at(20s);
  EXPECT_LE(readings, 12u);
}

}  // namespace
}  // namespace plimsoll::core

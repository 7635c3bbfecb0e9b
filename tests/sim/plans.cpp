#include "tests/sim/plans.hpp"

#include <algorithm>

namespace plimsoll::sim {
namespace {

using namespace std::chrono_literals;

constexpr Bytes mib(std::uint64_t count) {
  return Bytes{count << 20};
}

Rung rung(RungKind kind) {
  Rung made;
  made.kind = kind;
  return made;
}
Rung hook_rung(const std::string& name) {
  Rung made = rung(RungKind::hook);
  made.hook = name;
  return made;
}
Rung wait_rung(Duration duration) {
  Rung made = rung(RungKind::wait);
  made.duration = duration;
  return made;
}

Hook hook(const std::string& name, HookTarget to, Duration timeout) {
  Hook made;
  made.name = name;
  made.how = SignalHook{35};
  made.to = to;
  made.timeout = timeout;
  return made;
}

/// Samples come as often as the growth asks for: little, so that a history is not made of samples.
void random_memory(MemoryPolicy& memory, Random& random) {
  if (random.one_in(5)) return;
  if (!random.one_in(5)) memory.soft = mib(400);
  if (!random.one_in(4)) memory.hard = mib(800);
  memory.for_ = random.of(std::array<Duration, 3>{0s, 2s, 6s});
  memory.growth = random.one_in(20) ? Bytes{1'000'000'000} : Bytes{30'000'000};
  if (random.one_in(3)) memory.slack = mib(100);
}

Ladder random_ladder(Random& random, bool hard) {
  Ladder ladder;
  if (random.one_in(6)) ladder.push_back(rung(RungKind::log));
  if (random.one_in(6)) ladder.push_back(wait_rung(random.one_in(2) ? 700ms : 4s));
  if (random.one_in(5)) ladder.push_back(hook_rung(random.one_in(3) ? "drain" : "reconnect"));
  if (!random.one_in(3)) ladder.push_back(rung(RungKind::reconnect));
  if (random.one_in(3)) ladder.push_back(rung(RungKind::end));
  if (hard && random.one_in(3)) ladder.push_back(rung(RungKind::kill));
  if (random.one_in(2)) ladder.push_back(rung(RungKind::worker));
  if (random.one_in(2)) ladder.push_back(rung(RungKind::restart));
  if (ladder.empty()) ladder.push_back(rung(hard ? RungKind::kill : RungKind::end));
  return ladder;
}

EngineRule random_rule(const std::string& name, Random& random) {
  EngineRule rule;
  rule.name = name;
  rule.match =
      name == "bridge" ? std::vector<std::string>{"*/bridge/index.js"} : std::vector<std::string>{"query-engine*"};
  if (random.one_in(5)) rule.owner = OwnerKind::service;
  rule.settle = random.of(std::array<Duration, 3>{300ms, 1s, 1s});
  random_memory(rule.memory, random);
  rule.stop = {15, random.of(std::array<Duration, 3>{500ms, 2s, 5s})};
  if (random.one_in(5)) rule.stop.further = {{2, 800ms}};
  using How = Reconnect::How;
  if (!random.one_in(8)) {
    const How how = random.of(std::array<How, 4>{How::hook, How::hook, How::end, How::worker});
    rule.reconnect = Reconnect{how, how == How::hook ? "reconnect" : ""};
  }
  if (random.one_in(2)) rule.expect.below = mib(200);
  if (random.one_in(2)) rule.expect.within = random.one_in(2) ? 2s : 10s;
  if (random.one_in(5)) rule.expect.successor = false;
  rule.on_soft = random_ladder(random, false);
  rule.on_hard = random_ladder(random, true);
  Ladder on_lost = random_ladder(random, false);
  std::erase_if(on_lost, [](const Rung& one) { return one.kind == RungKind::end; });
  if (on_lost.empty()) on_lost.push_back(rung(RungKind::restart));
  rule.on_lost = std::move(on_lost);
  if (random.one_in(3)) rule.orphan.after = random.of(std::array<Duration, 3>{0s, 1s, 5s});
  rule.on_hung = {rung(random.one_in(2) ? RungKind::kill : RungKind::worker), rung(RungKind::restart)};
  if (random.one_in(3)) rule.live = Liveness{TcpProbe{"", "4466"}, 1s, 400ms, 2, random.one_in(2) ? 1 : 2};
  rule.orphan.grace = random.of(std::array<Duration, 2>{500ms, 2s});
  return rule;
}

Cycle random_cycle(Random& random, bool with_engines) {
  Cycle cycle;
  cycle.act = random.one_in(3) ? CycleAct::restart : CycleAct::reconnect;
  cycle.zone = std::make_shared<const ZoneRules>();
  if (random.one_in(4)) {
    cycle.when = std::get<Cron>(read_cron(random.one_in(2) ? "*/5 * * * *" : "7 12 * * *"));
  } else {
    cycle.when = random.of(std::array<Duration, 3>{9s, 30s, 5min});
  }
  if (random.one_in(3)) cycle.jitter = Share{0.4};
  if (random.one_in(5)) cycle.between = Window{{11 * 60}, {12 * 60 + 30}};
  if (with_engines && random.one_in(4)) cycle.only_if = OnlyIf{"prisma", mib(300)};
  return cycle;
}

Service random_service(const std::string& name, Random& random) {
  Service service;
  service.name = name;
  service.command = random.one_in(4) ? std::vector<std::string>{"/bin/sh", "-c", "serve"}
                                     : std::vector<std::string>{"/usr/bin/python3", "/srv/" + name + "/serve.py"};
  using enum RestartPolicy;
  service.restart = random.of(std::array<RestartPolicy, 5>{always, always, on_failure, on_failure, never});
  service.backoff = {random.one_in(2) ? 100ms : 1s, random.one_in(3) ? 1.5 : 2.0, 5s, random.one_in(2) ? 2s : 20s};
  if (random.one_in(5)) service.give_up = GiveUp{3, 2min};
  service.backoff.jitter = Share{random.one_in(3) ? 0.3 : 0.0};
  service.success = random.of(std::array<std::vector<int>, 4>{{{0}, {0}, {0, 143}, {0, 3}}});
  service.stop = {15, random.of(std::array<Duration, 3>{1s, 3s, 8s})};
  if (random.one_in(4)) service.stop.further = {{2, 700ms}, {15, 2s}};
  if (random.one_in(4)) service.stop.drain = "drain";
  random_memory(service.memory, random);
  if (random.one_in(3)) service.memory.of = MemoryScope::tree;
  if (service.memory.of == MemoryScope::tree && service.memory.hard) service.memory.hard = mib(2'500);
  service.on_soft = {rung(random.one_in(2) ? RungKind::log : RungKind::restart)};
  service.on_hard = {rung(random.one_in(2) ? RungKind::restart : random.one_in(2) ? RungKind::end : RungKind::kill)};
  service.budget = {static_cast<int>(1 + random.below(4)), random.one_in(2) ? Duration{30s} : Duration{5min}};
  service.cool_down = random.one_in(2) ? 2s : 20s;
  service.heal = random.one_in(2) ? 3s : 10s;
  service.leftovers = random.one_in(2) ? LeftoverPolicy::hold : LeftoverPolicy::end;
  service.hooks["reconnect"] = hook("reconnect", random.one_in(4) ? HookTarget::service : HookTarget::owner, 4s);
  service.on_hung = {rung(RungKind::restart)};
  if (random.one_in(4)) service.live = Liveness{TcpProbe{"localhost", "8000"}, 2s, 400ms, 2, 1};
  if (random.one_in(6)) service.live = Liveness{NotifyProbe{}, 2s, 1500ms, 1, 1};
  if (random.one_in(3)) {
    Readiness ready;
    ready.how = random.of(std::array<Probe, 4>{FdProbe{3}, FdProbe{3}, NotifyProbe{}, TcpProbe{"localhost", "8000"}});
    ready.interval = 200ms;
    ready.timeout = 3s;
    ready.restart_on_timeout = random.one_in(3);
    service.ready = ready;
  }
  service.hooks["drain"] = hook("drain", HookTarget::service, 2s);
  return service;
}

/// Runs once, and what requires it waits for that. The configuration refuses it some keys.
void make_task(Service& service, Random& random) {
  service.kind = ServiceKind::task;
  if (random.one_in(2)) service.time_limit = random.of(std::array<Duration, 3>{400ms, 3s, 20s});
  if (service.restart == RestartPolicy::always) service.restart = RestartPolicy::on_failure;
  service.cycles.clear();
  service.ready.reset();
  service.live.reset();
}

bool names(const std::vector<std::string>& list, const std::string& service) {
  return std::find(list.begin(), list.end(), service) != list.end();
}

/// Order among those that stand there already; the app of an engine requires it, as the configuration makes it.
void give_order(std::vector<Service>& services, Service& next, Random& random) {
  if (services.empty()) return;
  const auto earlier = [&]() -> Service& { return services[random.below(services.size())]; };
  if (random.one_in(2)) next.required.push_back(earlier().name);
  if (random.one_in(3)) next.after.push_back(earlier().name);
  if (next.kind == ServiceKind::task || !random.one_in(3)) return;
  Service& engine = earlier();
  if (engine.kind == ServiceKind::task || !engine.engine_of.empty()) return;
  engine.engine_of = next.name;
  engine.restarts_with_app = random.one_in(2);
  if (!names(next.required, engine.name)) next.required.push_back(engine.name);
}

/// Whose engine nobody is any more.
void take_last_out(std::vector<Service>& services) {
  const std::string gone = services.back().name;
  services.pop_back();
  for (Service& service : services) {
    std::erase(service.after, gone);
    if (service.engine_of == gone) service.engine_of.clear();
  }
}

/// `after` comes or goes.
void change_order(std::vector<Service>& services, Random& random) {
  Service& last = services.back();
  if (last.after.empty() && services.size() > 1) {
    last.after.push_back(services[random.below(services.size() - 1)].name);
  } else {
    last.after.clear();
  }
}

}  // namespace

Plan random_plan(Random& random) {
  static constexpr std::array<const char*, 4> called{"db", "cache", "web", "job"};
  Plan plan;
  const std::size_t count = 1 + random.below(4);
  for (std::size_t i = 0; i < count; ++i) {
    Service service = random_service(called[i], random);
    if (!random.one_in(3)) service.engines.push_back(random_rule("prisma", random));
    if (random.one_in(4)) service.engines.push_back(random_rule("bridge", random));
    if (random.one_in(2)) service.cycles.push_back(random_cycle(random, !service.engines.empty()));
    if (random.one_in(5)) make_task(service, random);
    give_order(plan.services, service, random);
    plan.services.push_back(std::move(service));
  }
  if (random.one_in(8)) plan.services.back().essential = true;
  if (random.one_in(10)) plan.daemon.mode = Mode::observe;
  plan.daemon.stop_within = random.one_in(2) ? 6s : 20s;
  plan.entrypoint = count == 1 && random.one_in(4);
  if (random.one_in(4) && plan.services.back().kind == ServiceKind::service)
    plan.services.back().container.emplace().for_ = 4s;
  return plan;
}

Plan changed_plan(const Plan& plan, Random& random) {
  Plan changed = plan;
  Service& one = changed.services[random.below(changed.services.size())];
  switch (random.below(13)) {
    case 0: one.command.push_back("--new"); break;
    case 1: one.cycles.clear(); break;
    case 2: one.engines.clear(); break;
    case 3:
      if (changed.services.size() > 1) take_last_out(changed.services);
      break;
    case 4:
      if (one.kind == ServiceKind::service) one.cycles = {random_cycle(random, !one.engines.empty())};
      break;
    case 5: random_memory(one.memory, random); break;
    case 6: one.budget.acts = 1 + static_cast<int>(random.below(4)); break;
    case 7:
      if (!one.engines.empty()) one.engines.front() = random_rule(one.engines.front().name, random);
      break;
    case 8: changed.daemon.mode = changed.daemon.mode == Mode::act ? Mode::observe : Mode::act; break;
    case 9: one.stop.drain = one.stop.drain.empty() ? "drain" : ""; break;
    case 10: one.restarts_with_app = !one.engine_of.empty() && !one.restarts_with_app; break;
    case 11: change_order(changed.services, random); break;
    case 12:
      if (one.container) {
        one.container.reset();
      } else if (one.kind == ServiceKind::service) {
        one.container.emplace();
      }
      break;
    default: break;
  }
  return changed;
}

std::vector<std::string> engine_program(const std::string& rule) {
  if (rule == "bridge") return {"/usr/bin/node", "/srv/bridge/index.js"};
  return {"/srv/query-engine-debian", "-p", "4466"};
}

}  // namespace plimsoll::sim

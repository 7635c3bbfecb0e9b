#include <chrono>
#include <cstdio>

#include "config/config.hpp"
#include "config/reader.hpp"

namespace plimsoll::config {
namespace {

using std::chrono::days;
using std::chrono::minutes;
using std::chrono::seconds;

std::string two(long long number) {
  return (number < 10 ? "0" : "") + std::to_string(number);
}

/// "Sun 2026-03-29 03:00 +02:00"
std::string local_text(const ZoneRules& zone, WallSeconds at) {
  const LocalSeconds local = to_local(zone, at);
  const auto day = std::chrono::floor<days>(local);
  const std::chrono::year_month_day date{day};
  constexpr const char* day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const auto minute = std::chrono::floor<minutes>(local - day).count();
  const seconds offset = local.time_since_epoch() - at.time_since_epoch();
  const long long east = std::chrono::abs(offset) / minutes{1};
  return std::string{day_names[std::chrono::weekday{day}.c_encoding()]} + " " + std::to_string(int{date.year()}) + "-" +
         two(unsigned{date.month()}) + "-" + two(unsigned{date.day()}) + " " + two(minute / 60) + ":" +
         two(minute % 60) + (offset < seconds{0} ? " -" : " +") + two(east / 60) + ":" + two(east % 60);
}

TimeOfDay time_of_day(const ZoneRules& zone, WallSeconds at) {
  const LocalSeconds local = to_local(zone, at);
  return {static_cast<int>((local - std::chrono::floor<days>(local)) / minutes{1})};
}

std::string runs_text(const Cycle& cycle, const Cron& cron, WallSeconds now) {
  constexpr int shown_runs = 5;
  std::string text;
  for (int i = 0; i < shown_runs; ++i) {
    const std::optional<WallSeconds> next = next_fire(cron, *cycle.zone, now);
    if (!next) break;
    now = *next;
    text += "  " + local_text(*cycle.zone, now);
    if (cycle.between && !cycle.between->contains(time_of_day(*cycle.zone, now))) {
      text += ", waits for " + plimsoll::to_text(*cycle.between);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string describe(const Plan& plan, WallSeconds now) {
  std::string text = "ok\n";
  for (const Service& service : plan.services) {
    for (std::size_t i = 0; i < service.cycles.size(); ++i) {
      const Cycle& cycle = service.cycles[i];
      const Cron* cron = std::get_if<Cron>(&cycle.when);
      if (cron == nullptr) continue;
      text += "services." + spelled_key(service.name) + ".cycles[" + std::to_string(i) +
              "]: " + (cycle.act == CycleAct::reconnect ? "reconnect" : "restart") + " at '" + cron->text + "' in " +
              cycle.zone->name + ", next:\n" + runs_text(cycle, *cron, now);
    }
  }
  return text;
}

}  // namespace plimsoll::config

#include <gtest/gtest.h>

#include "daemon/api/wire/json.hpp"

namespace plimsoll::wire {
namespace {

Command read(std::string_view noun, std::string_view body) {
  const auto parsed = command_from_json(noun, body);
  if (const auto* error = std::get_if<std::string>(&parsed)) ADD_FAILURE() << *error;
  return std::holds_alternative<Command>(parsed) ? std::get<Command>(parsed) : Command{};
}

std::string error_of(std::string_view noun, std::string_view body) {
  const auto parsed = command_from_json(noun, body);
  const auto* error = std::get_if<std::string>(&parsed);
  return error ? *error : "accepted";
}

TEST(Command, ActionsAreReadWithTheirOptions) {
  const Command start = read("actions", R"({"do":"start","force":true,"wait":false})");
  EXPECT_EQ(start.act, "start");
  EXPECT_TRUE(start.force);
  EXPECT_FALSE(start.wait);
  const Command reconnect = read("actions", R"({"schema":1,"do":"reconnect","rule":"prisma","pid":12})");
  EXPECT_EQ(reconnect.rule, "prisma");
  EXPECT_EQ(reconnect.pid, 12);
  EXPECT_TRUE(reconnect.wait);
  const Command hook = read("actions", R"({"do":"hook","hook":"flush"})");
  EXPECT_EQ(hook.act, "hook");
  EXPECT_EQ(hook.hook, "flush");
}

TEST(Command, AHoldTakesADurationOrMillisecondsOrNothing) {
  EXPECT_EQ(read("hold", R"({"for":"1h30m"})").for_milliseconds, 5'400'000u);
  EXPECT_EQ(read("hold", R"({"for":1500})").for_milliseconds, 1500u);
  EXPECT_FALSE(read("hold", R"({"for":null})").for_milliseconds);
  EXPECT_FALSE(read("hold", "").for_milliseconds);
  EXPECT_FALSE(read("hold", "{}").except_hard);
  EXPECT_TRUE(read("hold", R"({"except":"hard"})").except_hard);
  EXPECT_EQ(read("hold", "").act, "hold");
  EXPECT_EQ(read("release", "").act, "release");
  EXPECT_EQ(read("reload", "{}").act, "reload");
}

TEST(Command, WhatCtlSendsIsReadAsItWasMeant) {
  Command command;
  command.act = "reconnect";
  command.service = "web";
  command.rule = "prisma";
  command.pid = 4711;
  command.wait = false;
  const Command read_back = read("actions", to_json(command));
  EXPECT_EQ(read_back.act, "reconnect");
  EXPECT_EQ(read_back.rule, "prisma");
  EXPECT_EQ(read_back.pid, 4711);
  EXPECT_FALSE(read_back.wait);

  Command hold;
  hold.act = "hold";
  hold.for_milliseconds = 3'600'000;
  hold.except_hard = true;
  const Command hold_back = read("hold", to_json(hold));
  EXPECT_EQ(hold_back.for_milliseconds, 3'600'000u);
  EXPECT_TRUE(hold_back.except_hard);

  Command hook;
  hook.act = "hook";
  hook.service = "web";
  hook.hook = "flush";
  EXPECT_EQ(to_json(hook), R"({"schema":1,"do":"hook","hook":"flush"})");
}

TEST(Command, WhatCannotBeMeantIsRefusedWithTheReason) {
  const struct {
    const char* noun;
    const char* body;
    const char* error;
  } cases[] = {
      {"actions", "", "do: is missing"},
      {"actions", "{}", "do: is missing"},
      {"actions", "[]", "the body must be a JSON object"},
      {"actions", R"({"do":"explode"})", R"(do: must be start, stop, restart, reconnect or hook, not "explode")"},
      {"actions", R"({"do":1})", "do: must be a text"},
      {"actions", R"({"do":"stop","wait":"yes"})", "wait: must be true or false"},
      {"actions", R"({"do":"hook"})", "hook: is missing; it names the hook to call"},
      {"actions", R"({"do":"stop","hook":"x"})", R"(hook: goes with "do": "hook" only)"},
      {"actions", R"({"do":"stop","rule":"x"})", R"(rule: goes with "do": "reconnect" only)"},
      {"actions", R"({"do":"stop","pid":1})", "pid: goes with reconnect and hook only"},
      {"actions", R"({"do":"reconnect","pid":0})", "pid: must be from 1 to 4194304"},
      {"actions", R"({"do":"reconnect","pid":4294967297})", "pid: must be from 1 to 4194304"},
      {"actions", R"({"do":"reconnect","pid":-4})", "pid: must be from 1 to 4194304"},
      {"actions", R"({"do":"reconnect","pid":1.5})", "pid: must be a whole number"},
      {"actions", R"({"do":"stop","force":true})", R"(force: goes with "do": "start" only)"},
      {"actions", R"({"do":"stop","fore":true})",
       R"(the body: has no key "fore"; there are: do, hook, rule, pid, force, wait)"},
      {"actions", R"({"schema":2,"do":"stop"})", "schema: must be 1, the only one known here"},
      {"hold", R"({"for":true})", R"(for: must be a duration such as "1h", or a number of milliseconds)"},
      {"hold", R"({"for":-1})", "for: is out of range"},
      {"hold", R"({"for":0})", "for: must be longer than 0"},
      {"hold", R"({"for":99999999999999})", "for: is longer than ten years; leave it out to hold until released"},
      {"hold", R"({"except":"soft"})", R"(except: must be "hard")"},
      {"hold", R"({"do":"start"})", R"(the body: has no key "do"; there are: for, except, wait)"},
      {"release", R"({"for":"1h"})", R"(the body: has no key "for"; there are: wait)"},
      {"explode", "{}", "nothing can be posted to 'explode'"},
  };
  for (const auto& each : cases) EXPECT_EQ(error_of(each.noun, each.body), each.error) << each.body;
  EXPECT_TRUE(error_of("hold", R"({"for":"an hour"})").starts_with("for: must be a duration"));
}

}  // namespace
}  // namespace plimsoll::wire

#include "daemon/run/hook_caller.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "tests/unit/run/edge.hpp"
#include "tests/unit/run/plain_server.hpp"
#include "tests/unit/sys/scratch_folder.hpp"

namespace plimsoll::run {
namespace {

using core::HookAnswered;
using core::HookResult;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr Duration long_enough{60'000};

class HookTest : public ::testing::Test {
 protected:
  HookTest()
      : caller(edge.loop, edge.members, edge.proc,
               HookEnvironment{[](const std::string& service, const std::string& name) -> std::optional<std::string> {
                                 if (service == "web" && name == "ADMIN_TOKEN") return "secret";
                                 if (name == "TWO_LINES") return "a\nb";
                                 return std::nullopt;
                               },
                               [this](const std::string&, sys::SpawnRequest& request) {
                                 request.environment = {"PATH=/usr/bin:/bin", "FROM=service"};
                                 return unprepared;
                               }},
               [this](core::Event event) { edge.events.push_back(std::move(event)); }) {}

  core::CallHook hook_of(std::variant<HttpHook, SignalHook, ExecHook> how, Duration timeout = long_enough) {
    core::CallHook call;
    call.id = ++ids;
    call.service = "web";
    call.hook.name = "reconnect";
    call.hook.how = std::move(how);
    call.timeout = timeout;
    call.placeholders = {{"engine_pid", "42"}, {"owner_pid", "41"}, {"service", "web"}};
    return call;
  }
  HttpHook http_to(const PlainServer& server) {
    HttpHook how;
    how.host = "127.0.0.1";
    how.port = server.port();
    how.path = "/admin/reconnect?engine={engine_pid}";
    return how;
  }
  HookAnswered answer_to(const core::CallHook& call) {
    caller.call(call);
    edge.until([&] { return !edge.all<HookAnswered>().empty(); }, "an answer");
    const auto answers = edge.all<HookAnswered>();
    EXPECT_EQ(answers.size(), 1U);
    EXPECT_EQ(caller.size(), 0U);
    if (answers.empty()) return {};
    EXPECT_EQ(answers[0].hook, call.id);
    return answers[0];
  }

  Edge edge;
  std::optional<Unprepared> unprepared;
  HookCaller caller;
  core::HookId ids = 0;
};

TEST_F(HookTest, HttpOf2xxIsDoneAndAsksWhatIsConfigured) {
  PlainServer server({http_answer(204)});
  HttpHook how = http_to(server);
  how.headers["X-Token"] = {"ADMIN_TOKEN", true};
  how.headers["X-Plain"] = {"text", false};
  const auto answer = answer_to(hook_of(how));
  EXPECT_EQ(answer.result, HookResult::done) << answer.detail;
  EXPECT_EQ(answer.wrong_answers, 0);
  ASSERT_EQ(server.requests().size(), 1U);
  const std::string request = server.requests()[0];
  EXPECT_TRUE(request.starts_with("POST /admin/reconnect?engine=42 HTTP/1.1\r\n")) << request;
  for (const std::string line : {"X-Token: secret", "X-Plain: text", "Content-Length: 0", "Connection: close"}) {
    EXPECT_NE(request.find("\r\n" + line + "\r\n"), std::string::npos) << line << " in " << request;
  }
  EXPECT_NE(request.find("\r\nHost: 127.0.0.1:" + server.port() + "\r\n"), std::string::npos) << request;
}

TEST_F(HookTest, HttpAnyOtherAnswerHasFailed) {
  PlainServer server({http_answer(404, "no such page")});
  const auto answer = answer_to(hook_of(http_to(server)));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "HTTP 404");
}

TEST_F(HookTest, Http409IsAskedAgainOverAFreshConnection) {
  PlainServer server({http_answer(409), http_answer(409), http_answer(409), http_answer(200)});
  const auto began = steady_clock::now();
  const auto answer = answer_to(hook_of(http_to(server)));
  EXPECT_EQ(answer.result, HookResult::done) << answer.detail;
  EXPECT_EQ(answer.wrong_answers, 3);
  EXPECT_EQ(server.requests().size(), 4U) << "one connection each";
  EXPECT_GE(steady_clock::now() - began, milliseconds(20 + 40 + 80));
}

TEST_F(HookTest, Http409UntilTheDeadlineIsATimeOutWithTheNumberOfWrongAnswers) {
  PlainServer server({http_answer(409)});
  const auto answer = answer_to(hook_of(http_to(server), Duration{400}));
  EXPECT_EQ(answer.result, HookResult::timed_out);
  EXPECT_GE(answer.wrong_answers, 1);
  EXPECT_NE(answer.detail.find("409"), std::string::npos) << answer.detail;
}

TEST_F(HookTest, HttpThatNeverAnswersIsGivenUpAtItsDeadline) {
  PlainServer server({says_nothing});
  const auto began = steady_clock::now();
  const auto answer = answer_to(hook_of(http_to(server), Duration{200}));
  EXPECT_EQ(answer.result, HookResult::timed_out);
  EXPECT_EQ(answer.wrong_answers, 0);
  EXPECT_EQ(answer.detail, "no answer within 200ms");
  EXPECT_GE(steady_clock::now() - began, milliseconds(200));
}

TEST_F(HookTest, HttpWhoseBodyNeverEndsHasAnsweredAllTheSame) {
  PlainServer server({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"});
  EXPECT_EQ(answer_to(hook_of(http_to(server))).result, HookResult::done);
}

TEST_F(HookTest, HttpOfABodyOverTheLimitHasAnsweredAllTheSame) {
  PlainServer server({http_answer(200, std::string(200'000, 'x'))});
  EXPECT_EQ(answer_to(hook_of(http_to(server))).result, HookResult::done);
}

TEST_F(HookTest, HttpConnectionThatIsClosedWithoutAnAnswerHasFailed) {
  PlainServer server({closes_at_once});
  const auto answer = answer_to(hook_of(http_to(server)));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_NE(answer.detail.find("without an answer"), std::string::npos) << answer.detail;
}

TEST_F(HookTest, HttpNonsenseHasFailed) {
  PlainServer server({"220 mail.example.org ESMTP\r\n\r\n"});
  EXPECT_EQ(answer_to(hook_of(http_to(server))).result, HookResult::failed);
}

TEST_F(HookTest, HttpRefusedHasFailedWithItsReason) {
  HttpHook how;
  how.host = "127.0.0.1";
  {
    const PlainServer gone({http_answer(200)});
    how.port = gone.port();
  }
  how.path = "/";
  const auto answer = answer_to(hook_of(how));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "cannot connect to 127.0.0.1:" + how.port + ": Connection refused");
}

TEST_F(HookTest, HttpWithoutADescriptorSaysThatNobodyWasAsked) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  std::optional<HttpOutcome> told;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  HttpRequest request;
  request.method = "GET";
  request.host = "127.0.0.1";
  request.port = "1";
  request.target = "/";
  const HttpAsking asking(edge.loop, std::move(request), std::chrono::seconds(30),
                          [&told](HttpOutcome outcome) { told = std::move(outcome); });
  edge.until([&] { return told.has_value(); }, "an outcome");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(told->result, core::HookResult::failed);
  EXPECT_FALSE(told->asked);
  EXPECT_NE(told->detail.find("Too many open files"), std::string::npos) << told->detail;
}

TEST_F(HookTest, HttpToLocalhostAsksTheLoopback) {
  PlainServer server({http_answer(200)});
  HttpHook how = http_to(server);
  how.host = "localhost";
  EXPECT_EQ(answer_to(hook_of(how)).result, HookResult::done);
}

TEST_F(HookTest, HttpOverAUnixSocketWhoseNameIsFilledIn) {
  const ScratchFolder folder;
  PlainServer server({http_answer(409), http_answer(200)}, folder / "41.sock");
  HttpHook how;
  how.unix_path = folder / "{owner_pid}.sock";
  how.path = "/admin/reconnect";
  how.method = "PUT";
  const auto answer = answer_to(hook_of(how));
  EXPECT_EQ(answer.result, HookResult::done) << answer.detail;
  EXPECT_EQ(answer.wrong_answers, 1);
  EXPECT_TRUE(server.requests()[0].starts_with("PUT /admin/reconnect HTTP/1.1\r\n"));
  EXPECT_NE(server.requests()[0].find("\r\nHost: localhost\r\n"), std::string::npos);
}

TEST_F(HookTest, HttpOverAUnixSocketThatIsNotThereHasFailed) {
  const ScratchFolder folder;
  HttpHook how;
  how.unix_path = folder / "none.sock";
  how.path = "/";
  const auto answer = answer_to(hook_of(how));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_NE(answer.detail.find("No such file"), std::string::npos) << answer.detail;
  how.unix_path = "/" + std::string(200, 'x');
  edge.events.clear();
  EXPECT_EQ(answer_to(hook_of(how)).result, HookResult::failed);
}

TEST_F(HookTest, HttpOverAUnixSocketWhoseQueueIsFullWaitsForItsTurn) {
  const ScratchFolder folder;
  const std::string path = folder / "full.sock";
  const sys::Fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  ASSERT_EQ(::bind(listening.get(), plain, sizeof address), 0);
  ASSERT_EQ(::listen(listening.get(), 0), 0);
  const sys::Fd first(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(first.get(), plain, sizeof address), 0);
  HttpHook how;
  how.unix_path = path;
  how.path = "/";
  const auto answer = answer_to(hook_of(how, Duration{150}));
  EXPECT_EQ(answer.result, HookResult::timed_out) << answer.detail;
  EXPECT_EQ(answer.wrong_answers, 0);
}

TEST_F(HookTest, HeaderWhoseVariableIsMissingHasFailed) {
  PlainServer server({http_answer(200)});
  HttpHook how = http_to(server);
  how.headers["X-Token"] = {"NO_SUCH_TOKEN", true};
  const auto answer = answer_to(hook_of(how));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "the environment has no NO_SUCH_TOKEN");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HookTest, HeaderWithTwoLinesIsNotSent) {
  PlainServer server({http_answer(200)});
  HttpHook how = http_to(server);
  how.headers["X-Token"] = {"TWO_LINES", true};
  EXPECT_EQ(answer_to(hook_of(how)).result, HookResult::failed);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HookTest, CancelledCallIsNotAnswered) {
  PlainServer server({says_nothing});
  const auto call = hook_of(http_to(server), Duration{100});
  caller.call(call);
  edge.until([&] { return !server.requests().empty(); }, "the request");
  caller.cancel(call.id);
  EXPECT_EQ(caller.size(), 0U);
  edge.turns(100);
  EXPECT_TRUE(edge.events.empty());
}

TEST_F(HookTest, SignalThatIsNotCaughtIsSkipped) {
  const auto target = edge.add_child([] {
    wait_for_ever();
    return 0;
  });
  auto call = hook_of(SignalHook{SIGUSR2});
  call.target = target;
  const auto answer = answer_to(call);
  EXPECT_EQ(answer.result, HookResult::skipped);
  EXPECT_EQ(answer.detail, "the process does not catch SIGUSR2");
  edge.turns(10);
  EXPECT_FALSE(edge.members.find(target)->ended);
}

TEST_F(HookTest, SignalThatIsCaughtIsSent) {
  const Pipe pipe;
  const auto target = edge.add_child([&] {
    static const Pipe* told;
    told = &pipe;
    std::signal(SIGUSR2, [](int signal) { told->tell(signal); });
    pipe.tell(1);
    wait_for_ever();
    return 0;
  });
  pipe.next();
  auto call = hook_of(SignalHook{SIGUSR2});
  call.target = target;
  EXPECT_EQ(answer_to(call).result, HookResult::done);
  EXPECT_EQ(pipe.next(), SIGUSR2);
}

TEST_F(HookTest, SignalToAProcessThatIsGoneHasFailed) {
  const auto target = edge.add_child([] { return 0; });
  edge.wait_for<core::ProcessEnded>(target, "its end");
  edge.events.clear();
  auto call = hook_of(SignalHook{SIGUSR2});
  call.target = target;
  const auto answer = answer_to(call);
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "the process has ended");
}

TEST_F(HookTest, CommandThatExits0IsDoneAndWasStartedWithItsPlaceholdersAndEnvironment) {
  const ScratchFolder folder;
  const std::string script = "echo \"$1 $FROM $PLIMSOLL_RUN\" > " + (folder / "said") + "; cat";
  const auto answer = answer_to(hook_of(ExecHook{{"sh", "-c", script, "sh", "{owner_pid}/{engine_pid}"}}));
  EXPECT_EQ(answer.result, HookResult::done) << answer.detail;
  std::ifstream said(folder / "said");
  std::string line;
  std::getline(said, line);
  EXPECT_EQ(line, "41/42 service ");
  EXPECT_EQ(edge.members.reaped_unrecorded(), 0U);
}

TEST_F(HookTest, CommandThatExits3HasFailed) {
  const auto answer = answer_to(hook_of(ExecHook{{"sh", "-c", "exit 3"}}));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "exited with 3");
}

TEST_F(HookTest, CommandThatIsKilledHasFailed) {
  const auto answer = answer_to(hook_of(ExecHook{{"sh", "-c", "kill -9 $$"}}));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "ended by SIGKILL");
}

TEST_F(HookTest, CommandThatDoesNotExistHasFailed) {
  const auto answer = answer_to(hook_of(ExecHook{{"/no/such/command"}}));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "cannot start it: exec: No such file or directory");
}

TEST_F(HookTest, CommandWhoseServiceHasNoUserHasFailed) {
  unprepared = Unprepared{"user", ENOENT, "no user 'x'"};
  const auto answer = answer_to(hook_of(ExecHook{{"true"}}));
  EXPECT_EQ(answer.result, HookResult::failed);
  EXPECT_EQ(answer.detail, "cannot start it: user: no user 'x'");
}

TEST_F(HookTest, CommandThatIsEndedTakesWhatItHasStartedAlong) {
  const ScratchFolder folder;
  const std::string script = "(trap '' TERM; echo ready > '" + (folder / "ready") +
                             "'; while :; do sleep 1000; done) & echo $! > '" + (folder / "pid") + "'; wait";
  const auto answer = answer_to(hook_of(ExecHook{{"sh", "-c", script}}, Duration{500}));
  EXPECT_EQ(answer.result, HookResult::timed_out);
  std::ifstream file(folder / "pid");
  pid_t started = 0;
  ASSERT_TRUE(file >> started);
  const auto over = [&] {
    const auto stat = edge.proc.stat(started);
    return !stat || stat->state == 'Z';
  };
  edge.until(over, "the end of what ignores SIGTERM");
}

TEST_F(HookTest, CommandThatIgnoresItsEndIsKilledAfterItsDeadline) {
  const auto answer =
      answer_to(hook_of(ExecHook{{"sh", "-c", "trap '' TERM; while :; do sleep 1000; done"}}, Duration{200}));
  EXPECT_EQ(answer.result, HookResult::timed_out);
  EXPECT_EQ(answer.detail, "no end within 200ms");
  const auto children = Edge::children();
  ASSERT_EQ(children.size(), 1U) << "asked to end, and it does not";
  const pid_t command = children[0];
  edge.until([&] { return !edge.members.is_helper(command); }, "its end");
  EXPECT_EQ(edge.all<HookAnswered>().size(), 1U);
}

TEST_F(HookTest, CommandThatIsCancelledIsAskedToEnd) {
  const ScratchFolder folder;
  const std::string script = "trap 'echo asked > " + (folder / "said") + "; exit 0' TERM; echo > " +
                             (folder / "ready") + "; while :; do sleep 0.01; done";
  const auto call = hook_of(ExecHook{{"sh", "-c", script}});
  caller.call(call);
  edge.until([&] { return std::ifstream(folder / "ready").good(); }, "its start");
  caller.cancel(call.id);
  edge.until([&] { return Edge::children().empty(); }, "its end");
  EXPECT_TRUE(std::ifstream(folder / "said").good());
  edge.turns(5);
  EXPECT_TRUE(edge.all<HookAnswered>().empty());
}

TEST(FillIn, PlaceholdersAreReplacedAndOthersStay) {
  const std::map<std::string, std::string> values = {{"pid", "42"}, {"service", "{pid}"}};
  EXPECT_EQ(fill_in("/{pid}/x-{pid}", values), "/42/x-42");
  EXPECT_EQ(fill_in("{service}", values), "{pid}") << "a value is not filled in again";
  EXPECT_EQ(fill_in("{none} {pid", values), "{none} {pid");
  EXPECT_EQ(fill_in("{{pid}}", values), "{42}");
  EXPECT_EQ(fill_in("", values), "");
}

}  // namespace
}  // namespace plimsoll::run

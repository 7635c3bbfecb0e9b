// Imitates an application server with workers that own engines (uvicorn or gunicorn with prisma-client-py), and does
// what a test tells it.
//
//   app --control DIR [--workers N] [--engine 'HOW ARGV…'] [--main-engine 'HOW ARGV…'] [--KEY VALUE …]
//
// Main and workers are one program, forked without exec. Each listens on DIR/PID.sock and takes one line a connection:
//   fork                       a worker without an engine           → "ok PID"
//   engine HOW ARGV…           starts an engine (engine_spawn.hpp); the word PORT becomes a free port → "ok PID"
//   abandon MS HOW ARGV…       the same, but it answers at the fork and kills itself MS milliseconds later (hop and
//                              double fork fork more than once: the last one is answered) → "ok PID"
//   disconnect | reconnect     SIGINT to its engines and wait for them; then as many new ones → "ok"
//   connect PORT               opens a connection to it and keeps it → "ok"
//   leave CODE                 SIGTERM to its engines, not waiting, and exits
//   exit CODE                  exits as if it had no engine
//   set KEY VALUE              as below                              → "ok"
// Settings, also as flags, inherited by workers:
//   heal MS        an engine that ended unasked gets a successor after MS (default -1: never)
//   reap 0|1       whether it waits for engines that ended unasked (default 1; 0 leaves a zombie)
//   replace 0|1    main: a worker that ended gets a successor, with an engine if --engine says so (default 0)
//   subreaper 0|1  orphans below it become its children, and it reaps them (default 0)
//   version 0|1    runs ENGINE --version first, as prisma-client-py does at each connect (default 0)
//   term HOW       on SIGTERM: polite (ends workers and engines, waits, exits; default), die (leaves all behind),
//   ignore code N         exit code of a polite end (default 0) reconnect SIG  the signal that asks for a reconnect
//   (none by default)
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <optional>
#include <sstream>

#include "tests/programs/engine_spawn.hpp"
#include "tests/programs/options.hpp"
#include "tests/programs/record.hpp"

namespace {

using programs::Argv;

int signal_pipe[2] = {-1, -1};
void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  if (write(signal_pipe[1], &byte, 1) < 0) errno = 0;  // full: the reader is awake anyway
  errno = saved;
}

struct Engine {
  pid_t pid = -1;  ///< -1: ended, waiting for `heal_at`
  std::string how;
  Argv words;                 ///< PORT still in it
  std::uint64_t heal_at = 0;  ///< CLOCK_MONOTONIC ns; 0: never
};

Argv split(const std::string& text) {
  std::istringstream stream(text);
  Argv words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

class Puppet {
 public:
  Puppet(std::string folder, std::map<std::string, std::string> settings, std::string engine)
      : folder_(std::move(folder)), settings_(std::move(settings)), usual_engine_(std::move(engine)) {
    open_ends();
    for (const auto& [key, value] : settings_) apply(key, value);
  }

  pid_t start_engine(const std::string& text) {
    Argv words = split(text);
    if (words.size() < 2) programs::usage("engine HOW ARGV");
    Engine engine{-1, words[0], Argv(words.begin() + 1, words.end())};
    launch(engine);
    engines_.push_back(engine);
    return engine.pid;
  }

  /// In the parent the worker's pid, in the worker 0: it has dropped what was the parent's and listens.
  pid_t fork_worker() {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) programs::usage("no pipe");
    const pid_t pid = fork();
    if (pid == 0) {
      become_worker();
      close(ready[0]);
      if (write(ready[1], "", 1) != 1) _exit(70);
      close(ready[1]);
      return 0;
    }
    close(ready[1]);
    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) programs::usage("a worker died at its start");
    close(ready[0]);
    workers_.push_back(pid);
    return pid;
  }

  void add_usual_worker() {
    if (fork_worker() == 0 && !usual_engine_.empty()) start_engine(usual_engine_);
  }

  [[nodiscard]] bool is_worker() const { return is_worker_; }

  [[noreturn]] void run() {
    for (;;) {
      pollfd waiting[2] = {{signal_pipe[0], POLLIN, 0}, {listener_, POLLIN, 0}};
      poll(waiting, 2, time_to_heal());
      if (waiting[0].revents != 0) take_signals();
      if (waiting[1].revents != 0) take_command();
      heal();
    }
  }

 private:
  void open_ends() {
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0) programs::usage("no pipe");
    for (const int number : {SIGCHLD, SIGTERM, SIGINT}) catch_signal(number);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_ = folder_ + "/" + std::to_string(getpid()) + ".sock";
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path_.c_str());
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 64) != 0) {
      programs::usage("cannot listen on " + path_);
    }
  }

  void become_worker() {
    is_worker_ = true;
    for (const int fd : {listener_, signal_pipe[0], signal_pipe[1], client_}) {
      if (fd >= 0) close(fd);
    }
    for (const int fd : connections_) close(fd);
    client_ = -1;
    connections_.clear();
    engines_.clear();
    workers_.clear();
    open_ends();
  }

  static void catch_signal(int number) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, nullptr);
  }

  void apply(const std::string& key, const std::string& value) {
    settings_[key] = value;
    if (key == "subreaper") prctl(PR_SET_CHILD_SUBREAPER, programs::number(value));
    if (key == "reconnect") catch_signal(programs::signal_number(value));
    if (key == "term" && value == "ignore") signal(SIGTERM, SIG_IGN);
    if (key == "term" && value == "die") signal(SIGTERM, SIG_DFL);
    if (key == "term" && value == "polite") catch_signal(SIGTERM);
  }

  [[nodiscard]] std::string setting(const std::string& key, const std::string& otherwise) const {
    const auto found = settings_.find(key);
    return found == settings_.end() ? otherwise : found->second;
  }
  [[nodiscard]] bool is_on(const std::string& key, bool otherwise) const {
    return setting(key, otherwise ? "1" : "0") == "1";
  }

  void launch(Engine& engine) {
    Argv words = engine.words;
    for (auto& word : words) {
      if (word == "PORT") word = std::to_string(programs::free_port());
    }
    if (is_on("version", false)) {
      const Argv question{words[0], "--version"};
      waitpid(programs::spawn_engine("plain", question), nullptr, 0);
    }
    engine.pid = programs::spawn_engine(engine.how, words);
    engine.heal_at = 0;
  }

  // Engines

  /// As prisma's disconnect() does: SIGINT, then a wait without an end. An engine that is not our child is only asked.
  void disconnect() {
    for (auto& engine : engines_) {
      if (engine.pid < 0) continue;
      kill(engine.pid, SIGINT);
      waitpid(engine.pid, nullptr, 0);
      engine.pid = -1;
      engine.heal_at = 0;
    }
  }

  void reconnect() {
    disconnect();
    for (auto& engine : engines_) launch(engine);
  }

  [[nodiscard]] int time_to_heal() const {
    std::optional<std::uint64_t> first;
    for (const auto& engine : engines_) {
      if (engine.heal_at != 0) first = std::min(first.value_or(engine.heal_at), engine.heal_at);
    }
    if (!first) return -1;
    const std::uint64_t now = programs::now_ns(CLOCK_MONOTONIC);
    return *first <= now ? 0 : static_cast<int>((*first - now) / 1'000'000 + 1);
  }

  void heal() {
    const std::uint64_t now = programs::now_ns(CLOCK_MONOTONIC);
    for (auto& engine : engines_) {
      if (engine.heal_at != 0 && engine.heal_at <= now) launch(engine);
    }
  }

  // Signals

  void take_signals() {
    unsigned char number = 0;
    while (read(signal_pipe[0], &number, 1) == 1) {
      if (number == SIGCHLD) {
        look_at_children();
      } else if (number == SIGTERM || number == SIGINT) {
        end_politely();
      } else if (number == programs::signal_number(setting("reconnect", "0"))) {
        reconnect();
      }
    }
  }

  void look_at_children() {
    for (auto& engine : engines_) {
      if (engine.pid < 0 || !has_ended(engine.pid)) continue;
      if (is_on("reap", true)) waitpid(engine.pid, nullptr, 0);
      const long delay = programs::number(setting("heal", "-1"));
      engine.pid = -1;
      if (delay >= 0)
        engine.heal_at = programs::now_ns(CLOCK_MONOTONIC) + static_cast<std::uint64_t>(delay) * 1'000'000 + 1;
    }
    const std::vector<pid_t> workers = workers_;
    for (const pid_t worker : workers) {
      if (!has_ended(worker)) continue;
      waitpid(worker, nullptr, 0);
      std::erase(workers_, worker);
      if (is_on("replace", false)) add_usual_worker();
      if (is_worker_) return;  // the new worker itself
    }
    if (is_on("subreaper", false)) {
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
  }

  /// A look that leaves the zombie.
  static bool has_ended(pid_t pid) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
  }

  [[noreturn]] void end_politely() {
    settings_["replace"] = "0";
    for (const pid_t worker : workers_) kill(worker, SIGTERM);
    for (const pid_t worker : workers_) waitpid(worker, nullptr, 0);
    disconnect();
    end(static_cast<int>(programs::number(setting("code", "0"))));
  }

  [[noreturn]] void end(int code) {
    unlink(path_.c_str());
    _exit(code);
  }

  // Commands

  void take_command() {
    client_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client_ < 0) return;
    std::string line;
    for (char byte = 0; read(client_, &byte, 1) == 1 && byte != '\n';) line += byte;
    const std::string answer = obey(line) + "\n";
    if (client_ < 0) return;  // a forked worker: the client is its parent's
    if (send(client_, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) errno = 0;
    close(client_);
    client_ = -1;
  }

  std::string obey(const std::string& line) {
    const Argv words = split(line);
    const std::string verb = words.empty() ? "" : words[0];
    const std::string rest = line.size() > verb.size() ? line.substr(verb.size() + 1) : "";
    if (verb == "fork") return "ok " + std::to_string(fork_worker());
    if (verb == "engine") return "ok " + std::to_string(start_engine(rest));
    if (verb == "abandon") abandon(rest);
    if (verb == "disconnect") return disconnect(), "ok";
    if (verb == "reconnect") return reconnect(), "ok";
    if (verb == "connect") return connect_to(programs::number(rest)), "ok";
    if (verb == "exit") end(static_cast<int>(programs::number(rest)));
    if (verb == "leave") {
      for (const auto& engine : engines_) {
        if (engine.pid > 0) kill(engine.pid, SIGTERM);
      }
      end(static_cast<int>(programs::number(rest)));
    }
    if (verb == "set" && words.size() == 3) return apply(words[1], words[2]), "ok";
    return "error: no such command: " + line;
  }

  [[noreturn]] void abandon(const std::string& text) {
    const Argv words = split(text);
    if (words.size() < 3) programs::usage("abandon MS HOW ARGV");
    Argv argv(words.begin() + 2, words.end());
    for (auto& word : argv) {
      if (word == "PORT") word = std::to_string(programs::free_port());
    }
    const std::uint64_t until =
        programs::now_ns(CLOCK_MONOTONIC) + static_cast<std::uint64_t>(programs::number(words[0])) * 1'000'000;
    const std::string answer = "ok " + std::to_string(programs::fork_engine(words[1], argv)) + "\n";
    if (send(client_, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) errno = 0;
    while (programs::now_ns(CLOCK_MONOTONIC) < until) usleep(200);
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }

  void connect_to(long port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) programs::usage("cannot connect");
    connections_.push_back(fd);
  }

  std::string folder_;
  std::map<std::string, std::string> settings_;
  std::string usual_engine_;  ///< of a worker that main starts by itself
  std::string path_;
  int listener_ = -1;
  int client_ = -1;
  bool is_worker_ = false;
  std::vector<Engine> engines_;
  std::vector<pid_t> workers_;
  std::vector<int> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  std::map<std::string, std::string> settings;
  for (const std::string key : {"heal", "reap", "replace", "subreaper", "version", "term", "code", "reconnect"}) {
    if (options.has("--" + key)) settings[key] = options.text("--" + key);
  }
  Puppet puppet(options.text("--control", "."), settings, options.text("--engine"));
  for (long i = options.integer("--workers"); i > 0 && !puppet.is_worker(); --i) puppet.add_usual_worker();
  if (!puppet.is_worker() && options.has("--main-engine")) puppet.start_engine(options.text("--main-engine"));
  puppet.run();
}

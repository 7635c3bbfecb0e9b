// Imitates a database engine in a process of its own, as prisma's query-engine is: a small HTTP server on 127.0.0.1.
//
//   query-engine [-p PORT] [--start MiB] [--on-int HOW] [--on-term HOW] [--linger MS] …   and   query-engine --version
//
// HOW is what it does on SIGINT or SIGTERM: `die` of it (the default), `ignore` it, or exit with that code after
// `--linger` ms. Other words (--enable-metrics, --enable-raw-queries) are accepted and mean nothing, so that the argv
// can be that of a real one. Requests: GET /status, GET /leak?mib=N (keeps N MiB for ever),
// GET /exit?code=N. A connection stays open until its client closes it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <map>

#include "tests/programs/options.hpp"

namespace {

struct Reaction {
  int code = 0;
  timespec linger{};
};
Reaction on_int;
Reaction on_term;

void leave(int number) {
  const Reaction& reaction = number == SIGINT ? on_int : on_term;
  nanosleep(&reaction.linger, nullptr);
  _exit(reaction.code);
}

void react(int number, const std::string& how, Reaction& reaction, long linger) {
  if (how == "die") return;
  if (how != "ignore") {
    reaction.code = static_cast<int>(programs::number(how));
    reaction.linger = {linger / 1000, linger % 1000 * 1'000'000};
  }
  signal(number, how == "ignore" ? SIG_IGN : leave);
}

void leak(long mib) {
  const auto bytes = static_cast<std::size_t>(mib) << 20U;
  if (bytes == 0) return;
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) programs::usage("out of address space");
  std::memset(at, 1, bytes);
}

long query_value(const std::string& request, const std::string& name) {
  const auto at = request.find(name + "=");
  return at == std::string::npos ? 0 : std::strtol(request.c_str() + at + name.size() + 1, nullptr, 10);
}

/// Answers one request whose head is complete.
void answer(int client, const std::string& request) {
  const std::string line = request.substr(0, request.find("\r\n"));
  if (line.find(" /exit") != std::string::npos) _exit(static_cast<int>(query_value(line, "code")));
  if (line.find(" /leak") != std::string::npos) leak(query_value(line, "mib"));
  const std::string body = R"({"status":"ok"})";
  const std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  if (send(client, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
}

int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 64) != 0) {
    programs::usage("query-engine cannot listen on port " + std::to_string(port));
  }
  return fd;
}

void serve(int listener) {
  std::map<int, std::string> clients;
  for (;;) {
    std::vector<pollfd> waiting{{listener, POLLIN, 0}};
    for (const auto& [fd, unused] : clients) waiting.push_back({fd, POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), -1) < 0) continue;
    for (const auto& ready : waiting) {
      if (ready.revents == 0) continue;
      if (ready.fd == listener) {
        const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (client >= 0) clients[client];
        continue;
      }
      char bytes[4096];
      const ssize_t got = read(ready.fd, bytes, sizeof bytes);
      if (got <= 0) {
        close(ready.fd);
        clients.erase(ready.fd);
        continue;
      }
      std::string& request = clients[ready.fd].append(bytes, static_cast<std::size_t>(got));
      for (auto end = request.find("\r\n\r\n"); end != std::string::npos; end = request.find("\r\n\r\n")) {
        answer(ready.fd, request.substr(0, end + 4));
        request.erase(0, end + 4);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  if (options.has("--version")) {
    std::puts("query-engine 0.0.0 (imitation)");
    return 0;
  }
  react(SIGINT, options.text("--on-int", "die"), on_int, options.integer("--linger"));
  react(SIGTERM, options.text("--on-term", "die"), on_term, options.integer("--linger"));
  leak(options.integer("--start"));
  if (!options.has("-p")) {
    for (;;) pause();
  }
  serve(listen_on(static_cast<int>(options.integer("-p"))));
}

// Makes system calls of a program fail while it runs, and lets them succeed again: `fault CALLS FILE -- CMD ARG…`.
//
// CALLS are names by commas (see `known` below). Each of them that CMD makes is held by a seccomp filter and decided
// here: FILE, read anew each time, has a line "CALL ERRNO" for each call that shall fail now ("clone EAGAIN"). Whatever
// is not in it, and whatever another process makes that inherited the filter, goes on as if there was none. Nothing of
// this is in CMD: it cannot tell it from a machine that is out of something. Ends as CMD does.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/programs/options.hpp"

namespace {

const std::map<std::string, std::vector<long>> known{
    {"clone", {SYS_clone, SYS_clone3}}, {"epoll_ctl", {SYS_epoll_ctl}}, {"mmap", {SYS_mmap}},
    {"pidfd_open", {SYS_pidfd_open}},   {"socket", {SYS_socket}},
};

const std::map<std::string, int> errors{
    {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOSPC", ENOSPC}};

std::vector<long> numbers_of(const std::string& names) {
  std::vector<long> numbers;
  std::stringstream words(names);
  for (std::string name; std::getline(words, name, ',');) {
    if (!known.contains(name)) programs::usage("no such call: " + name);
    numbers.insert(numbers.end(), known.at(name).begin(), known.at(name).end());
  }
  return numbers;
}

/// The listener's descriptor.
int install(const std::vector<long>& calls) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  for (int attempt = 0; attempt < 2; ++attempt) {
    const long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &whole);
    if (listener >= 0) return static_cast<int>(listener);
    // An ordinary user must give something up for it.
    if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) break;
  }
  programs::usage(std::string("cannot install the filter: ") + strerror(errno));
}

void send_descriptor(int over, int descriptor) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  if (sendmsg(over, &message, 0) != 1) programs::usage("cannot hand over the listener");
}

int receive_descriptor(int over) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  if (recvmsg(over, &message, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(&message) == nullptr)
    programs::usage("no listener came");
  int descriptor = -1;
  memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
  return descriptor;
}

/// 0: it goes on.
int error_now(const std::string& file, long call) {
  std::ifstream text(file);
  std::string name;
  std::string error;
  while (text >> name >> error) {
    if (!known.contains(name) || !errors.contains(error)) programs::usage("not understood: " + name + " " + error);
    const auto& calls = known.at(name);
    if (std::find(calls.begin(), calls.end(), call) != calls.end()) return errors.at(error);
  }
  return 0;
}

void decide(int listener, pid_t program, const std::string& file) {
  seccomp_notif asked{};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return;  // it ended while it waited
  seccomp_notif_resp answer{};
  answer.id = asked.id;
  const bool is_its_own =
      access(("/proc/" + std::to_string(program) + "/task/" + std::to_string(asked.pid)).c_str(), F_OK) == 0;
  const int error = is_its_own ? error_now(file, asked.data.nr) : 0;
  if (error != 0) {
    answer.error = -error;
  } else {
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  }
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || std::string(argv[3]) != "--") programs::usage("fault CALLS FILE -- CMD ARG…");
  const std::vector<long> calls = numbers_of(argv[1]);
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) programs::usage("no socket pair");
  const pid_t program = fork();
  if (program == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int listener = install(calls);
    send_descriptor(ends[1], listener);
    close(listener);
    execvp(argv[4], argv + 4);
    _exit(127);
  }
  const int listener = receive_descriptor(ends[0]);
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, program, 0));
  for (;;) {
    pollfd both[2] = {{listener, POLLIN, 0}, {pidfd, POLLIN, 0}};
    if (poll(both, 2, -1) < 0 && errno != EINTR) break;
    if ((both[0].revents & POLLIN) != 0) decide(listener, program, argv[2]);
    if ((both[1].revents & POLLIN) != 0) break;
  }
  int status = 0;
  waitpid(program, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

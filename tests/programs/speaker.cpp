// Imitates a program that logs: `speaker [--lines N] [--width W] [--pause US] [--to stderr] [--split] [--record FILE]`.
//
// Writes lines "NUMBER xxx…" of W bytes, N of them (default: for ever) and then stays. `--split` writes every line in
// two halves with a pause between them, as programs do whose buffer is full in mid-line. FILE (five numbers, see
// record.hpp) keeps in `rss` how many lines were written whole and in `line` the errno of a write that failed, also
// when it died of SIGPIPE's cause.
#include <cerrno>

#include "tests/programs/record.hpp"

namespace {

bool write_all(int fd, const char* at, std::size_t left, programs::Record& record) {
  while (left > 0) {
    const ssize_t wrote = write(fd, at, left);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      record.line = static_cast<std::uint64_t>(errno);
      return false;
    }
    at += wrote;
    left -= static_cast<std::size_t>(wrote);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  programs::Record& record = *programs::open_record(options.text("--record"));
  const int fd = options.text("--to") == "stderr" ? 2 : 1;
  const auto width = static_cast<std::size_t>(options.integer("--width", 40));
  const timespec between{0, options.integer("--pause") * 1000};
  const long lines = options.integer("--lines", -1);
  for (long i = 0; i != lines; ++i) {
    std::string line = std::to_string(i) + " ";
    line.resize(width - 1, 'x');
    line += '\n';
    const std::size_t half = options.has("--split") ? width / 2 : 0;
    if (!write_all(fd, line.data(), half, record)) break;
    if (half > 0) nanosleep(&between, nullptr);
    if (!write_all(fd, line.data() + half, width - half, record)) break;
    ++record.rss;
    record.touched_at = programs::now_ns();
    nanosleep(&between, nullptr);
  }
  for (;;) pause();
}

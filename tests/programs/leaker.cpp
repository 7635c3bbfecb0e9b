// Imitates an engine or an app that leaks: grows at a steady rate and keeps every page.
//
//   leaker --rate MB/s [--start MiB] [--to MiB] [--line MiB] [--record FILE] [--ignore SIGNAL] [--exit]
//
// It is at `--start` at once (default 0), grows by `--rate` (0: stays there) until `--to` (default: for ever) and then
// stays, or with `--exit` ends with 0. `--line` is the limit whose crossing is recorded. When the machine lets it wait
// it does not make up for the time: within no millisecond does it touch more than its rate allows (plus one chunk),
// because a faster burst would break what a supervisor may assume.
#include <algorithm>

#include "tests/programs/record.hpp"

namespace {

using programs::now_ns;

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t chunk = 64 * 1024;

class Leak {
 public:
  explicit Leak(programs::Record& record) : record_(record), page_(static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))) {
    record_.rss = programs::resident();
  }

  void grow(std::uint64_t bytes) {
    bytes = (bytes + page_ - 1) / page_ * page_;
    auto* at = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (at == MAP_FAILED) programs::usage("out of address space");
    madvise(at, bytes, MADV_NOHUGEPAGE);  // a huge page would be 2 MiB in one touch
    for (std::uint64_t offset = 0; offset < bytes; offset += page_) {
      at[offset] = 1;
      const std::uint64_t rss = record_.rss += page_;
      if (record_.line != 0 && rss >= record_.line && record_.crossed_at == 0) record_.crossed_at = now_ns();
    }
    record_.touched_at = now_ns();
  }

 private:
  programs::Record& record_;
  std::uint64_t page_;
};

void grow_steadily(Leak& leak, programs::Record& record, double bytes_per_second, std::uint64_t to) {
  double due = 0;
  std::uint64_t last = now_ns(CLOCK_MONOTONIC);
  std::uint64_t in_this_millisecond = 0;
  std::uint64_t millisecond = 0;
  while (record.rss < to) {
    const std::uint64_t now = now_ns(CLOCK_MONOTONIC);
    due += static_cast<double>(std::min<std::uint64_t>(now - last, 1'000'000)) * bytes_per_second / 1e9;
    last = now;
    if (now / 1'000'000 != millisecond) {
      millisecond = now / 1'000'000;
      in_this_millisecond = 0;
    }
    if (due < static_cast<double>(chunk)) {
      const timespec pause{0, 50'000};
      nanosleep(&pause, nullptr);
      continue;
    }
    leak.grow(chunk);
    due -= static_cast<double>(chunk);
    in_this_millisecond += chunk;
    record.fastest = std::max<std::uint64_t>(record.fastest, in_this_millisecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const programs::Options options(argc, argv);
  if (options.has("--ignore")) signal(programs::signal_number(options.text("--ignore")), SIG_IGN);
  programs::Record& record = *programs::open_record(options.text("--record"));
  record.line = static_cast<std::uint64_t>(options.integer("--line")) * mib;
  Leak leak(record);
  const auto start = static_cast<std::uint64_t>(options.integer("--start")) * mib;
  if (start > record.rss) leak.grow(start - record.rss);
  const double rate = static_cast<double>(options.integer("--rate")) * 1e6;
  const auto to = static_cast<std::uint64_t>(options.integer("--to", 1L << 40)) * mib;
  if (rate > 0) grow_steadily(leak, record, rate, to);
  if (options.has("--exit")) return 0;
  for (;;) pause();
}

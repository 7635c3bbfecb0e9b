#include "daemon/run/output.hpp"

#include <unistd.h>

#include <array>
#include <string_view>

namespace plimsoll::run {
namespace {

constexpr std::size_t piece_size = 64 * 1024;
/// Beyond this a line is no line, and is passed on as it comes.
constexpr std::size_t longest_held = 64 * 1024;
/// Pieces read in one turn of the loop from one FIFO, so that a flood of one service is not the only thing that
/// happens.
constexpr int pieces_per_turn = 4;
/// At the end of a run: what a pipe holds, and no more, as a process that was left behind may go on writing.
constexpr int pieces_at_end = 16;

}  // namespace

/// One FIFO and what was read of its last, unfinished line.
class Output::Stream {
 public:
  Stream(Loop& loop, sys::OutputFifo fifo, LineSink& sink, Output& output)
      : fifo_(std::move(fifo)), sink_(sink), output_(output), watch_(loop, fifo_.read_end.get()) {
    watch_.on_readable([this] { drain(pieces_per_turn); });
  }

  [[nodiscard]] int child_end() const { return fifo_.child_end.get(); }

  void run_ended() {
    drain(pieces_at_end);
    if (partial_.empty()) return;
    partial_ += '\n';
    pass_on();
  }

 private:
  void drain(int pieces) {
    std::array<char, piece_size> piece;
    for (int i = 0; i < pieces; ++i) {
      const ssize_t got = ::read(fifo_.read_end.get(), piece.data(), piece.size());
      if (got <= 0) return;  // EAGAIN, or EINTR, after which the watch tells it again
      take({piece.data(), static_cast<std::size_t>(got)});
    }
  }

  void take(std::string_view bytes) {
    const auto last_end = bytes.rfind('\n');
    if (last_end == std::string_view::npos) {
      partial_.append(bytes);
      if (partial_.size() >= longest_held) pass_on();
      return;
    }
    const std::string_view whole = bytes.substr(0, last_end + 1);
    if (partial_.empty()) {
      sink_.write(whole);
      output_.show(whole);
    } else {
      partial_.append(whole);
      pass_on();
    }
    partial_.assign(bytes.substr(last_end + 1));
  }

  void pass_on() {
    sink_.write(partial_);
    output_.show(partial_);
    partial_.clear();
  }

  sys::OutputFifo fifo_;
  LineSink& sink_;
  Output& output_;
  std::string partial_;
  Watch watch_;  // last: it lends the descriptor
};

std::string Output::folder_of(const std::string& socket_path) {
  constexpr std::string_view ending = ".sock";
  std::string stem = socket_path;
  if (stem.ends_with(ending)) stem.resize(stem.size() - ending.size());
  return stem + ".d";
}

sys::Result<std::unique_ptr<Output>> Output::open(Loop& loop, const std::string& folder, const std::string& service,
                                                  LineSink& out, LineSink& err) {
  auto out_fifo = sys::open_output(folder, service + ".stdout");
  if (!out_fifo) return out_fifo.error();
  auto err_fifo = sys::open_output(folder, service + ".stderr");
  if (!err_fifo) return err_fifo.error();
  std::unique_ptr<Output> output(new Output);
  output->out_ = std::make_unique<Stream>(loop, std::move(*out_fifo), out, *output);
  output->err_ = std::make_unique<Stream>(loop, std::move(*err_fifo), err, *output);
  return output;
}

Output::Output() = default;
Output::~Output() = default;

Output::Ends Output::child_ends() const {
  return {out_->child_end(), err_->child_end()};
}

void Output::run_ended() {
  out_->run_ended();
  err_->run_ended();
  look_ = nullptr;
}

void Output::watch_lines(std::function<bool(std::string_view)> look) {
  look_ = std::move(look);
}

void Output::show(std::string_view lines) {
  constexpr std::size_t longest_looked_at = 4096;
  while (look_ && !lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if (look_(lines.substr(0, std::min(end, longest_looked_at)))) look_ = nullptr;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

}  // namespace plimsoll::run

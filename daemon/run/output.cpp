#include "daemon/run/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>

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

Output::Output(sys::OutputFifo out, sys::OutputFifo err, LineSink& out_sink, LineSink& err_sink)
    : out_{std::move(out), &out_sink, {}}, err_{std::move(err), &err_sink, {}} {}

Output::Ends Output::child_ends() const {
  return {out_.fifo.child_end.get(), err_.fifo.child_end.get()};
}

void Output::run_ended() {
  Questions questions = whether_readable();
  end_run(::poll(questions.data(), questions.size(), 0) != 0);
}

Output::Questions Output::whether_readable() const {
  return {pollfd{out_.fifo.read_end.get(), POLLIN, 0}, pollfd{err_.fifo.read_end.get(), POLLIN, 0}};
}

void Output::end_run(bool readable) {
  for (Stream* stream : {&out_, &err_}) {
    if (readable) drain(*stream, pieces_at_end);
    end_line(*stream);
  }
  look_.reset();
}

void Output::watch_lines(std::function<bool(std::string_view)> look) {
  look_ = std::move(look);
}

void Output::read_some(int fd) {
  drain(fd == out_.fifo.read_end.get() ? out_ : err_, pieces_per_turn);
}

void Output::drain(Stream& stream, int pieces) {
  std::array<char, piece_size> piece;
  for (int i = 0; i < pieces; ++i) {
    const ssize_t got = ::read(stream.fifo.read_end.get(), piece.data(), piece.size());
    if (got <= 0) return;  // EAGAIN, or EINTR, after which the watch tells it again
    take(stream, {piece.data(), static_cast<std::size_t>(got)});
  }
}

void Output::take(Stream& stream, std::string_view bytes) {
  const std::size_t whole = bytes.rfind('\n') + 1;  // 0: none is whole
  if (whole != 0 && !stream.partial) {
    stream.sink->write(bytes.substr(0, whole));
    show(bytes.substr(0, whole));
  } else if (whole != 0) {
    stream.partial->append(bytes.substr(0, whole));
    pass_on(stream);
  }
  const std::string_view rest = bytes.substr(whole);
  if (rest.empty()) return;
  if (!stream.partial) stream.partial.emplace();
  stream.partial->append(rest);
  if (stream.partial->size() >= longest_held) pass_on(stream);
}

void Output::pass_on(Stream& stream) {
  const Rare<std::string> held = std::exchange(stream.partial, {});
  stream.sink->write(*held);
  show(*held);
}

void Output::end_line(Stream& stream) {
  if (!stream.partial) return;
  *stream.partial += '\n';
  pass_on(stream);
}

void Output::show(std::string_view lines) {
  constexpr std::size_t longest_looked_at = 4096;
  while (look_ && !lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if ((*look_)(lines.substr(0, std::min(end, longest_looked_at)))) look_.reset();
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

Outputs::Outputs(Loop& loop, LineSink& out, LineSink& err)
    : out_(out), err_(err), watch_(loop, [this](WatchSet::Key fd) {
        Output* output = reading_.at(fd);
        if (output != nullptr) output->read_some(static_cast<int>(fd));
      }) {}

std::string Outputs::folder_of(const std::string& socket_path) {
  constexpr std::string_view ending = ".sock";
  std::string stem = socket_path;
  if (stem.ends_with(ending)) stem.resize(stem.size() - ending.size());
  return stem + ".d";
}

sys::Result<Output*> Outputs::open(const std::string& folder, const std::string& service) {
  if (Output* open = find(service)) return open;
  if (!folder_ || folder_->path() != folder) folder_.emplace(folder);
  auto out = folder_->open(service + ".stdout");
  if (!out) return out.error();
  auto err = folder_->open(service + ".stderr");
  if (!err) return err.error();
  const auto [made, is_new] = all_.emplace(std::piecewise_construct, std::forward_as_tuple(service),
                                           std::forward_as_tuple(std::move(*out), std::move(*err), out_, err_));
  if (const auto error = watch(made->second)) {
    all_.erase(made);
    return error;
  }
  return &made->second;
}

sys::error_code Outputs::watch(Output& output) {
  const std::array<int, 2> fds{output.out_.fifo.read_end.get(), output.err_.fifo.read_end.get()};
  const auto highest = static_cast<std::size_t>(std::max(fds[0], fds[1]));
  if (reading_.size() <= highest) reading_.resize(highest + 1);
  sys::error_code error;
  for (const int fd : fds) {
    if (!error) error = watch_.add(fd, static_cast<WatchSet::Key>(fd));
    reading_[static_cast<std::size_t>(fd)] = &output;
  }
  if (!error) return {};
  for (const int fd : fds) {
    watch_.remove(fd);
    reading_[static_cast<std::size_t>(fd)] = nullptr;
  }
  return error;
}

Output* Outputs::find(const std::string& service) {
  const auto found = all_.find(service);
  return found == all_.end() ? nullptr : &found->second;
}

void Outputs::runs_ended() {
  std::vector<pollfd> questions;
  questions.reserve(2 * all_.size());
  for (const auto& [service, output] : all_) {
    for (const pollfd& question : output.whether_readable()) questions.push_back(question);
  }
  const bool answered = ::poll(questions.data(), questions.size(), 0) >= 0;
  auto of_output = questions.begin();
  for (auto& [service, output] : all_) {
    output.end_run(!answered || of_output[0].revents != 0 || of_output[1].revents != 0);
    of_output += 2;
  }
}

}  // namespace plimsoll::run

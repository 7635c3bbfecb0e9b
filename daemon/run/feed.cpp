#include "daemon/run/feed.hpp"

#include <poll.h>
#include <unistd.h>

#include <utility>

namespace plimsoll::run {
namespace {

using std::chrono::milliseconds;

/// In one turn of the loop; what is left comes in the next one.
constexpr std::size_t most_at_once = 4'096;
constexpr std::chrono::seconds between_sayings{60};
constexpr milliseconds rest{2};

std::string seconds_text(milliseconds time) {
  return std::to_string(time.count() / 1'000) + " s";
}

}  // namespace

Feed::Settings Feed::Settings::usual() {
  // Measured: 8 µs an event at 3,400 a second, less at more, as more come at once. Given up is the knowledge of who
  // forked whom, so it takes a storm: 10,000 a second are three processes begun and ended each millisecond for 10 s.
  return {sys::Connector::open, sys::fork_and_reap,   milliseconds{250},
          milliseconds{60'000}, milliseconds{10'000}, 100'000};
}

Feed::Feed(Loop& loop, Settings settings) : loop_(loop), settings_(std::move(settings)), alarm_(loop), rest_(loop) {}
Feed::~Feed() = default;

void Feed::start() {
  const auto until = Clock::now() + settings_.patience;
  if (!open()) return;
  while (phase_ == Phase::proving) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    pollfd ask{connector_->fd(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&ask, 1, static_cast<int>(left.count())) == 0) {
      return give_up("the kernel does not answer (another pid or user namespace than the first)");
    }
    prove();
  }
}

std::string Feed::state() const {
  switch (phase_) {
    case Phase::off: return "off";
    case Phase::works: return "yes";
    case Phase::proving: return why_not_.empty() ? "no: not proven yet" : "no: " + why_not_;
    case Phase::failed: break;
  }
  return "no: " + why_not_;
}

bool Feed::open() {
  auto opened = settings_.open();
  if (!opened) {
    give_up(opened.error().message());
    return false;
  }
  connector_.emplace(std::move(*opened));
  probe_.reset();
  phase_ = Phase::proving;
  watch_ = std::make_unique<Watch>(loop_, connector_->fd());
  listen();
  return true;
}

void Feed::listen() {
  watch_->on_readable([this] { phase_ == Phase::proving ? prove() : wake(); });
}

void Feed::wake() {
  if (phase_ != Phase::works || !on_news_ || on_news_() || phase_ != Phase::works) return;
  watch_->cancel();
  rest_.set_after(rest, [this] { listen(); });
}

void Feed::prove() {
  const auto news = connector_->take(most_at_once);
  if (!news) return give_up(news.error().message());
  for (const sys::ProcessNews& one : news->events) {
    take_proof(one);
    if (phase_ != Phase::proving) return;
  }
}

void Feed::take_proof(const sys::ProcessNews& news) {
  if (const auto* subscribed = std::get_if<sys::Subscribed>(&news.what); subscribed != nullptr && !probe_) {
    if (subscribed->error != 0) return give_up(sys::error_of(subscribed->error).message());
    const auto child = settings_.fork();
    if (!child) return give_up("cannot fork for a proof: " + child.error().message());
    probe_ = *child;
    return;
  }
  const auto* forked = std::get_if<sys::Forked>(&news.what);
  if (forked == nullptr || !probe_ || forked->child != *probe_ || forked->parent != ::getpid()) return;
  phase_ = Phase::works;
  began_ = true;
  window_began_ = Clock::now();
  in_window_ = 0;
  alarm_.cancel();
  if (on_change_ && said_failure_)
    on_change_(true, "the process connector works: the census has it for its first source");
  why_not_.clear();
  wake();
}

/// The reason stays until it works; the walk does the work meanwhile.
void Feed::give_up(std::string why) {
  const bool worked = phase_ == Phase::works;
  rest_.cancel();
  watch_.reset();
  connector_.reset();
  phase_ = Phase::failed;
  alarm_.set_after(settings_.between_tries, [this] { try_again(); });
  const bool news = worked || why != why_not_;
  why_not_ = std::move(why);
  if (!news) return;
  said_failure_ = true;
  if (on_change_) {
    on_change_(!worked, std::string("the process connector ") + (worked ? "is used no more: " : "is not used: ") +
                            why_not_ + "; the walk over /proc is the census, the connector is tried again every " +
                            seconds_text(settings_.between_tries));
  }
}

void Feed::try_again() {
  if (!open()) return;
  alarm_.set_after(settings_.patience, [this] {
    if (phase_ == Phase::proving) give_up("the kernel does not answer (another pid or user namespace than the first)");
  });
}

sys::Connector::News Feed::take() {
  if (phase_ != Phase::works) return {};
  auto taken = connector_->take(most_at_once);
  if (!taken) {
    give_up(taken.error().message());
    return {{}, true, false};
  }
  sys::Connector::News news = std::move(*taken);
  if (news.lost) say_lost();
  news.lost = news.lost || std::exchange(began_, false);
  if (costs_too_much(news.events.size())) {
    give_up("more than " + std::to_string(settings_.most_in_window) + " events in " +
            seconds_text(settings_.rate_window));
    news.lost = true;
    news.more = false;
  }
  return news;
}

bool Feed::costs_too_much(std::size_t events) {
  const auto now = Clock::now();
  if (now - window_began_ > settings_.rate_window) {
    window_began_ = now;
    in_window_ = 0;
  }
  in_window_ += events;
  return in_window_ > settings_.most_in_window;
}

void Feed::say_lost() {
  if (!lost_said_.due(Clock::now(), between_sayings)) return;
  if (on_change_) on_change_(false, "the process connector lost events, its buffer was full: everybody is looked at");
}

}  // namespace plimsoll::run

// The process connector at work for the census: proven before it is believed, given up when it fails or costs too much,
// tried again later. While it is not at work there are no news, and the walk over /proc does alone what it does anyway.
//
// The proof is a fork of our own that comes back with the pids we know. It takes what it takes without holding the loop
// up, but for the first one: the services are started after it, so that nothing of theirs is missed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/core/seldom.hpp"
#include "daemon/run/loop.hpp"
#include "daemon/sys/connector.hpp"

namespace plimsoll::run {

class Feed {
 public:
  using Clock = std::chrono::steady_clock;
  /// Where the news come from, and how long is waited for what. Tests put a socket pair in the kernel's place.
  struct Settings {
    std::function<sys::Result<sys::Connector>()> open;
    std::function<sys::Result<pid_t>()> fork;
    std::chrono::milliseconds patience;       ///< for the proof
    std::chrono::milliseconds between_tries;  ///< after it failed, or was given up
    std::chrono::milliseconds rate_window;    ///< over which events are counted
    std::size_t most_in_window;               ///< with more than these it is given up
    static Settings usual();
  };

  Feed(Loop& loop, Settings settings);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// Waits for the proof, at most `patience`. Without it nothing is ever told, and state() is "off".
  void start();
  /// There is something to take. `act` says whether any of it was of interest: if not, the next is left to gather for a
  /// moment, so that a machine on which strangers fork all the time wakes us some hundred times a second, not
  /// thousands.
  void on_news(std::function<bool()> act) { on_news_ = std::move(act); }
  /// It works from now on, or does no more, or lost something: a sentence. What was missed is found by a walk.
  void on_change(std::function<void(bool good, const std::string& sentence)> act) { on_change_ = std::move(act); }

  [[nodiscard]] bool works() const { return phase_ == Phase::works; }
  /// "yes", "no: " and why, or "off".
  [[nodiscard]] std::string state() const;
  /// What has come since it was last asked, a bounded number; `lost` when something between then and now may be
  /// missing.
  sys::Connector::News take();

 private:
  enum class Phase { off, proving, works, failed };

  bool open();
  void listen();
  void wake();
  void prove();
  void take_proof(const sys::ProcessNews& news);
  void give_up(std::string why);
  void try_again();
  bool costs_too_much(std::size_t events);
  void say_lost();

  Loop& loop_;
  Settings settings_;
  std::function<bool()> on_news_;
  std::function<void(bool, const std::string&)> on_change_;
  Phase phase_ = Phase::off;
  std::string why_not_;
  std::optional<sys::Connector> connector_;
  std::unique_ptr<Watch> watch_;  ///< of the connector's descriptor: goes first
  std::optional<pid_t> probe_;    ///< a child of ours that must be told of
  bool began_ = false;            ///< since then nobody has taken: whoever was there before was not told of
  bool said_failure_ = false;
  Clock::time_point window_began_{};
  std::size_t in_window_ = 0;
  core::Seldom lost_said_;
  Alarm alarm_;
  Alarm rest_;
};

}  // namespace plimsoll::run

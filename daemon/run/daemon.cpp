#include "daemon/run/daemon.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "daemon/core/turn.hpp"

namespace plimsoll::run {
namespace {

constexpr int another_daemon = 75;  // EX_TEMPFAIL
/// Before the loop is asked for what else there is.
constexpr std::chrono::milliseconds longest_turn{20};

// What `plimsolld -- CMD` does unasked, and what not: said in its first line, so that nobody has to look it up at
// night.
constexpr const char* entrypoint_terms =
    "; on: engines of preset prisma shown, orphaned ones ended, a lost one healed by one graceful restart per 30 min "
    "when the app has not in 90 s";

/// The rest of that line: the container's lines are on where there is a limit.
std::string container_terms(const Service& service, const std::optional<sys::ContainerMemory>& container) {
  if (!container || !service.container) return "; off: memory lines (this container has no limit), cycles";
  const ContainerLines& lines = *service.container;
  return ", an event at " + plimsoll::to_text(lines.soft) + " of the container's " + to_human(Bytes{container->limit}) +
         " for " + plimsoll::to_text(lines.for_) + ", that restart at " + plimsoll::to_text(lines.hard) +
         " while most of it is the command's; off: all other memory lines, cycles";
}

std::string boot_of(const Life& life) {
  return life.boot_id.substr(0, 8) + "-" + std::to_string(life.process.pid) + "-" +
         std::to_string(life.process.start_time);
}

Life life_or_die(const sys::ProcFs& proc, const std::string& name) {
  const auto life = own_life(proc, name);
  return life ? *life : Life{{}, 0, name, {static_cast<int>(::getpid()), 0}};
}

/// Different on each host, the same after a restart: a fleet with jitter does not cycle all at once.
std::uint64_t host_seed() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return std::hash<std::string>{}(name);
}

}  // namespace

Daemon::Daemon(std::shared_ptr<const Plan> plan, Options options)
    : plan_(std::move(plan)),
      options_(std::move(options)),
      out_(loop_, STDOUT_FILENO, [this](const LineSink::Loss& loss) { say_lost("the services' output", loss); }),
      err_(loop_, STDERR_FILENO, [this](const LineSink::Loss& loss) { say_lost("the log", loss); }),
      life_(life_or_die(proc_, plan_->daemon.name)),
      inherited_(inherited_environment()),
      statm_(sys::measure_statm_bound(proc_)),
      journal_(boot_of(life_), err_),
      members_(
          loop_, proc_, options_.sources, [this](core::Event event) { dispatch(std::move(event)); },
          cgroups_.open_oom_kills()),
      feed_(loop_, Feed::Settings::usual()),
      census_(members_, proc_, options_.sources, life_, &feed_),
      evidence_(proc_, options_.sources),
      leftovers_(proc_, options_.sources, life_),
      deadline_(loop_),
      census_alarm_(loop_),
      watchdog_(loop_),
      listen_alarm_(loop_) {
  members_.when_ends_are_told([this] {
    if (!queue_.empty() && !rest_posted_) turn();
  });
}

Daemon::~Daemon() = default;

int Daemon::run() {
  // A fixed threshold: glibc raises it with each large block that is freed, and keeps such blocks from then on.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  notifier_ = sys::Notifier::from_environment();
  inherited_ = inherited_environment();
  auto signals = Signals::open(loop_, plan_->entrypoint, [this](Signals::Caught caught) { on_signal(caught); });
  if (!signals) {
    note(core::Level::error, "cannot take signals: " + signals.error().message());
    return 1;
  }
  signals_ = std::move(*signals);
  if (const auto error = sys::become_subreaper())
    note(core::Level::warning, "cannot become a subreaper: " + error.message() + ", escaped processes are not seen");
  const auto limit = sys::raise_descriptor_limit();
  if (plan_->entrypoint) choose_group();
  const auto say = [this](const std::string& service, const std::string& sentence) {
    note(core::Level::warning, service + ": " + sentence);
  };
  preparation_ = std::make_unique<Preparation>(Preparation::Settings{inherited_, limit ? *limit : 0, say});
  launcher_ = std::make_unique<Launcher>(
      loop_, members_, proc_, *preparation_,
      Launcher::Settings{life_, plan_->entrypoint, own_group_, terminal_ ? &*terminal_ : nullptr});
  HookEnvironment environment;
  environment.look_up = [this](const std::string& service, const std::string& name) {
    const Service* found = core::plan_of(world_, service);
    return found != nullptr ? preparation_->look_up(*found, name) : std::nullopt;
  };
  environment.prepare = [this](const std::string& service, sys::SpawnRequest& request) {
    const Service* found = core::plan_of(world_, service);
    return found != nullptr ? preparation_->prepare_beside(*found, request)
                            : std::optional{Unprepared{"service", ESRCH, "it left the plan"}};
  };
  prober_ = std::make_unique<Prober>(
      loop_, members_, environment, [this](core::ProcessId engine) { return evidence_.listening_port(engine); },
      [this](core::Event event) { dispatch(std::move(event)); });
  hooks_ = std::make_unique<HookCaller>(loop_, members_, proc_, std::move(environment),
                                        [this](core::Event event) { dispatch(std::move(event)); });

  core::Machine machine;
  machine.seed = host_seed();
  // In `--` mode it is the command's too.
  if (!plan_->entrypoint) machine.session = ::getsid(0);
  machine.statm_bound = Bytes{statm_.per_process + statm_.per_thread};
  world_ = core::make_world(plan_, machine, now());
  if (!listen()) return another_daemon;
  note(core::Level::info,
       "plimsolld " PLIMSOLL_VERSION " '" + plan_->daemon.name + "', pid " + std::to_string(::getpid()) + ", mode " +
           (plan_->daemon.mode == Mode::observe ? "observe" : "act") + ", " + std::to_string(plan_->services.size()) +
           (plan_->services.size() == 1 ? " service" : " services") +
           (socket_ ? ", control at " + socket_->path() : ", without control") +
           (plan_->entrypoint ? entrypoint_terms + container_terms(plan_->services.front(), container_.read())
                              : std::string{}));
  if (options_.sources.connector) start_feed();
  // What reading the file took, too.
  forgotten_ = worth_trimming;
  forgotten_at_ = now().steady;
  dispatch(core::DaemonStarted{});
  tick_census();
  tell_watchdog();
  notifier_.send("READY=1\nSTATUS=supervising " + std::to_string(plan_->services.size()) + " services");
  loop_.run();
  if (terminal_ && own_group_ && terminal_->is_ours()) terminal_->give_to(::getpgrp());
  outputs_.runs_ended();
  constexpr std::chrono::milliseconds last_words{1'000};
  out_.drain(last_words);
  err_.drain(last_words);
  let_go();
  return exit_code_.value_or(0);
}

/// Of what outlives a process: helpers at work, and the socket's name. All else the kernel takes back (main.cpp).
void Daemon::let_go() {
  prober_.reset();
  hooks_.reset();
  server_.reset();
  socket_.reset();
}

core::Now Daemon::now() const {
  return {std::chrono::steady_clock::now(),
          std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
}

void Daemon::dispatch(core::Event event) {
  queue_.push_back(std::move(event));
  if (!std::exchange(posted_, true)) loop_.post([this] { turn(); });
}

/// Processes can come and go as fast as they are looked at: then whoever else waits for the loop is heard between two
/// looks, when all that the first one has shown is taken in.
void Daemon::turn() {
  posted_ = true;  // what is dispatched meanwhile is taken in this turn
  const auto until = std::chrono::steady_clock::now() + longest_turn;
  bool looked = false;
  for (;;) {
    take_queue();
    const bool late = looked && std::chrono::steady_clock::now() > until;
    if (late || !look_due()) tell_all();  // of which more may come
    if (queue_.empty() && !look_due()) break;
    if (late) return go_on_later();
    if (!queue_.empty()) continue;
    looked = true;
    look_for_more();
  }
  posted_ = false;
  arm();
}

void Daemon::take_queue() {
  while (!queue_.empty()) {
    const core::Event event = std::move(queue_.front());
    queue_.pop_front();
    perform_all(core::step(world_, event, now()));
  }
}

void Daemon::go_on_later() {
  if (std::exchange(rest_posted_, true)) return;
  loop_.post([this] {
    rest_posted_ = false;
    turn();
  });
}

void Daemon::arm() {
  const core::Steady at = core::next_deadline(world_);
  if (at == core::never) return deadline_.cancel();
  // A deadline that is past already and stays so would be a defect of the core; it shall not take the processor with
  // it.
  const auto soonest = std::chrono::steady_clock::now() + std::chrono::microseconds{200};
  deadline_.set(std::max(at, soonest), [this] { dispatch(core::DeadlineReached{}); });
}

/// One census for all deaths of a turn: they are taken in first, then their children are looked for.
void Daemon::take_look() {
  look_wanted_ = own_look_wanted_ = news_wanted_ = false;
  const core::Steady began = now().steady;
  core::Looked looked = census_.look();
  looked.began = began;
  say_of(core::EventKind::census, census_trouble_.look(census_.trouble(), began));
  queue_around(std::move(looked));
  // In another turn: news that are lost as fast as they come stop nothing else.
  if (census_.must_look()) loop_.post([this] { want_look(); });
}

void Daemon::take_news() {
  news_wanted_ = false;
  const core::Steady began = now().steady;
  core::Looked looked = census_.take_news();
  looked.began = began;
  if (!looked.fresh.empty() || !looked.changed.empty()) queue_around(std::move(looked));
  if (census_.must_look()) loop_.post([this] { want_look(); });
}

/// Most of what the connector tells is of strangers: no turn is made of that. Whether any of it was ours.
bool Daemon::news_came() {
  if (posted_) {
    news_wanted_ = true;
    return true;
  }
  take_news();
  if (queue_.empty()) return false;
  if (!std::exchange(posted_, true)) loop_.post([this] { turn(); });
  return true;
}

void Daemon::want_look() {
  look_wanted_ = true;
  if (!std::exchange(posted_, true)) loop_.post([this] { turn(); });
}

void Daemon::start_feed() {
  feed_.on_news([this] { return news_came(); });
  feed_.on_change([this](bool good, const std::string& sentence) {
    say_of_census(good ? core::Level::info : core::Level::warning, sentence);
    // How often is walked depends on it.
    tick_census();
  });
  feed_.start();
}

/// An event of the edge's own, behind what was said before it.
void Daemon::say(const core::Entry& event) {
  perform(core::Record{event});
  tell_all();
}

void Daemon::say_of_census(core::Level level, const std::string& sentence) {
  core::Entry said;
  said.kind = core::EventKind::census;
  said.level = level;
  said.why = sentence;
  say(said);
}

void Daemon::say_of(core::EventKind kind, const std::optional<Trouble::Said>& trouble) {
  if (!trouble) return;
  core::Entry said;
  said.kind = kind;
  said.level = trouble->bad ? core::Level::error : core::Level::info;
  said.why = trouble->sentence;
  say(said);
}

void Daemon::say_lost(const char* what, const LineSink::Loss& loss) {
  core::Entry said;
  said.level = core::Level::warning;
  said.why = std::to_string(loss.lines) + " lines of " + what +
             " were dropped: " + (loss.error == 0 ? "nobody reads them" : sys::error_of(loss.error).message());
  say(said);
}

void Daemon::look_at_memory() {
  say_of(core::EventKind::daemon,
         memory_trouble_.look(reserve_.refill() ? "" : "the kernel gives no more memory, the reserve is in use",
                              now().steady));
}

/// The least that will do: a look takes the news, too.
void Daemon::look_for_more() {
  if (look_wanted_) {
    take_look();
  } else if (own_look_wanted_) {
    look_at_our_own();
  } else {
    take_news();
  }
}

void Daemon::look_at_our_own() {
  own_look_wanted_ = false;
  take_news();
  if (!census_.all_our_own_known()) return take_look();
  core::Looked looked;
  looked.everybody = false;
  looked.our_own = true;
  queue_around(std::move(looked));
}

/// Whoever was seen re-parented has a parent whose pidfd is readable by now: that death must be known before its child
/// is placed. The death of one who is new in this very look comes after it, or it would be nobody's.
void Daemon::queue_around(core::Looked looked) {
  // The queue was empty before the look: what is in it now, the look itself has reaped.
  members_.take_ends();
  // Who has ended since our children were read may have left one behind in between: no proof that a tree is empty.
  if (looked.complete && !queue_.empty()) {
    census_.take_news(looked);
    looked.complete = census_.all_our_own_known();
  }
  std::deque<core::Event> ends = std::exchange(queue_, {});
  const auto is_new = [&looked](const core::Event& event) {
    const auto* ended = std::get_if<core::ProcessEnded>(&event);
    const auto* reaped = std::get_if<core::ProcessReaped>(&event);
    const auto* read = std::get_if<core::ExitRead>(&event);
    const core::ProcessId id = ended != nullptr    ? ended->id
                               : reaped != nullptr ? reaped->id
                               : read != nullptr   ? read->id
                                                   : core::nobody;
    return std::any_of(looked.fresh.begin(), looked.fresh.end(),
                       [&](const core::Sighting& sighting) { return sighting.id == id; });
  };
  const auto of_newcomers =
      std::stable_partition(ends.begin(), ends.end(), [&](const core::Event& event) { return !is_new(event); });
  std::move(ends.begin(), of_newcomers, std::back_inserter(queue_));
  queue_.emplace_back(std::move(looked));
  std::move(of_newcomers, ends.end(), std::back_inserter(queue_));
}

Duration Daemon::census_interval() const {
  if (world_.plan->daemon.census) return *world_.plan->daemon.census;
  if (feed_.works()) return Duration{1'000};
  const auto& services = world_.plan->services;
  const bool rules =
      std::any_of(services.begin(), services.end(), [](const Service& service) { return !service.engines.empty(); });
  return rules ? Duration{250} : Duration{1'000};
}

void Daemon::tick_census() {
  census_alarm_.set_after(census_interval(), [this] { tick_census(); });
  members_.counts().watch();
  trim_heap();
  look_at_memory();
  want_look();
}

}  // namespace plimsoll::run

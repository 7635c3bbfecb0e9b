#include "daemon/core/refusal.hpp"

#include <cerrno>
#include <utility>

#include "daemon/core/sentences.hpp"

namespace plimsoll::core {
namespace {

constexpr std::chrono::minutes between_sayings{10};

}  // namespace

bool for_want_of_something(const SpawnFailed& failed) {
  // What cannot be recorded is not started: /proc can be read again one day.
  if (failed.step == "record") return true;
  switch (failed.error) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ETXTBSY: return true;
    default: return false;
  }
}

bool count_refusal(const Turn& turn, Refusal& refusal, std::string why) {
  if (refusal.why != why) {
    refusal = {};
    refusal.why = std::move(why);
    refusal.since = turn.now.steady;
  }
  ++refusal.tries;
  refusal.quiet = !refusal.said.due(turn.now.steady, between_sayings);
  return !refusal.quiet;
}

void end_refusal(Turn& turn, const std::string& service, Shared<Refusal>& refusal) {
  const Shared<Refusal> held = std::exchange(refusal, {});
  const Refusal& ended = *held;
  if (ended.tries < 2) return;
  record(turn, entry(EventKind::service_state, service,
                     "can be started again, after " + std::to_string(ended.tries) + " tries in " +
                         short_duration(turn.now.steady - ended.since) + " that failed: " + ended.why));
}

std::string refusal_text(const Refusal& refusal) {
  if (refusal.tries == 0) return {};
  return refusal.why + (refusal.tries > 1 ? " (" + std::to_string(refusal.tries) + " tries)" : "");
}

}  // namespace plimsoll::core

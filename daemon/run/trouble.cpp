#include "daemon/run/trouble.hpp"

namespace plimsoll::run {
namespace {

constexpr std::chrono::minutes same_again_after{10};
constexpr std::chrono::minutes other_again_after{1};
/// At the edge of a limit each look comes out differently.
constexpr std::chrono::seconds calm{2};

}  // namespace

std::optional<Trouble::Said> Trouble::look(const std::string& wrong, Time now) {
  if (!wrong.empty()) {
    well_since_.reset();
    const auto pause = wrong == said_ ? same_again_after : other_again_after;
    if (!said_.empty() && now - said_at_ < pause) return std::nullopt;
    said_ = wrong;
    said_at_ = now;
    return Said{true, wrong};
  }
  if (said_.empty()) return std::nullopt;
  if (!well_since_) well_since_ = now;
  if (now - *well_since_ < calm) return std::nullopt;
  said_.clear();
  return Said{false, over_};
}

}  // namespace plimsoll::run

#include <algorithm>
#include <limits>
#include <set>

#include "config/tables.hpp"

namespace plimsoll::config {
namespace {

/// Depth first, along `requires` and `after` (an app requires what is `engine_of` it): a service is placed when all
/// before it have been.
class Ordering {
 public:
  Ordering(const std::vector<Service>& services, const std::map<std::string, Place>& ordered_at, Findings& findings)
      : ordered_at_(ordered_at), findings_(findings) {
    for (std::size_t i = 0; i < services.size(); ++i) index_.emplace(services[i].name, i);
    for (const Service& service : services) {
      std::vector<std::string> before = service.required;
      before.insert(before.end(), service.after.begin(), service.after.end());
      before_.push_back(std::move(before));
    }
    for (const Service& service : services) visit(service.name);
  }
  [[nodiscard]] const std::vector<std::size_t>& order() const { return order_; }

 private:
  void visit(const std::string& name) {
    const auto found = index_.find(name);
    if (found == index_.end() || placed_.contains(name)) return;
    const auto on_path = std::find(path_.begin(), path_.end(), name);
    if (on_path != path_.end()) {
      report({on_path, path_.end()});
      return;
    }
    path_.push_back(name);
    for (const std::string& before : before_[found->second]) visit(before);
    path_.pop_back();
    placed_.insert(name);
    order_.push_back(found->second);
  }

  void report(std::vector<std::string> loop) {
    const auto place = [this](const std::string& name) {
      const auto found = ordered_at_.find(name);
      return found == ordered_at_.end() ? Place{std::numeric_limits<int>::max(), 0, 0} : found->second;
    };
    const auto first = std::min_element(
        loop.begin(), loop.end(), [&place](const std::string& a, const std::string& b) { return place(a) < place(b); });
    std::rotate(loop.begin(), first, loop.end());
    std::string path;
    for (const std::string& name : loop) path += name + " -> ";
    findings_.add(place(loop.front()), "services." + spelled_key(loop.front()) +
                                           ": must not form a dependency loop (requires, after, engine_of), not '" +
                                           path + loop.front() + "'");
  }

  std::map<std::string, std::size_t> index_;
  std::vector<std::vector<std::string>> before_;
  const std::map<std::string, Place>& ordered_at_;
  Findings& findings_;
  std::vector<std::string> path_;
  std::set<std::string> placed_;
  std::vector<std::size_t> order_;
};

}  // namespace

std::vector<Service> in_order_of_need(std::vector<Service> services, const std::map<std::string, Place>& ordered_at,
                                      Findings& findings) {
  const Ordering ordering{services, ordered_at, findings};
  std::vector<Service> ordered;
  ordered.reserve(ordering.order().size());
  for (const std::size_t i : ordering.order()) ordered.push_back(std::move(services[i]));
  return ordered;
}

}  // namespace plimsoll::config

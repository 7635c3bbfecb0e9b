// What an operator reads. Each function is pure: what the daemon said in, text out, lines ending in a newline.
#pragma once

#include <string>
#include <vector>

#include "ctl/words.hpp"
#include "daemon/api/wire/wire.hpp"

namespace plimsoll::ctl {

/// First whether all is well, and why not; then each service with its engines. It is drawn a service at a time, so that
/// a thousand of them need not be there at once.
class StatusPage {
 public:
  /// `expected` services are to come, more or less.
  StatusPage(const Look& look, std::size_t expected);
  void add(const wire::Service& service);
  [[nodiscard]] std::string text(const wire::Daemon& daemon) const;

 private:
  Look look_;
  Table rows_;
  std::string below_;                   ///< the lines under each row, one row's after another's
  std::vector<std::size_t> below_end_;  ///< of each row, where its own end
};
/// The same of a status that is there whole.
std::string status_text(const wire::Status& status, const Look& look);
/// The processes of a service under their parents.
std::string tree_text(const wire::ServiceDetail& detail, const Look& look);
/// The newest `count` interventions, newest first.
std::string why_text(const std::vector<wire::Intervention>& ledger, std::size_t count, const Look& look);
/// One line.
std::string event_text(const wire::Event& event, const Look& look);

}  // namespace plimsoll::ctl

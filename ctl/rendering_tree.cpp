#include <map>
#include <set>

#include "ctl/rendering.hpp"

namespace plimsoll::ctl {
namespace {

using Cell = Table::Cell;

Tone tone_of_role(const std::string& role) {
  if (role == "engine") return Tone::strong;
  return role == "wrapper" || role == "process" ? Tone::faint : Tone::plain;
}

/// Walks down the recorded parents. A process whose parent is not listed is a root; one that cannot be reached from a
/// root (its parent's pid was given anew) is drawn as a root as well, so that nothing is left out and nothing drawn
/// twice.
class Drawing {
 public:
  explicit Drawing(const std::vector<wire::Process>& processes) : processes_(processes) {
    for (std::size_t i = 0; i < processes.size(); ++i) at_.emplace(processes[i].pid, i);
    for (std::size_t i = 0; i < processes.size(); ++i)
      if (processes[i].parent != processes[i].pid) children_[processes[i].parent].push_back(i);
  }

  Table table() {
    table_.add({{"PROCESS", Tone::faint},
                {"ROLE", Tone::faint},
                {"STATE", Tone::faint},
                {"RSS", Tone::faint},
                {"AGE", Tone::faint}});
    for (std::size_t i = 0; i < processes_.size(); ++i)
      if (!at_.contains(processes_[i].parent)) draw(i, "", "");
    for (std::size_t i = 0; i < processes_.size(); ++i)
      if (!drawn_.contains(i)) draw(i, "", "");
    return std::move(table_);
  }

 private:
  void draw(std::size_t i, const std::string& before, const std::string& below) {
    if (!drawn_.insert(i).second) return;
    const wire::Process& process = processes_[i];
    const std::string role = process.rule.empty() ? process.role : process.role + " " + process.rule;
    const bool odd = process.state != "running";
    table_.add({{before + std::to_string(process.pid) + " " + clean(process.name)},
                {clean(role), tone_of_role(process.role)},
                {odd ? clean(process.state) : "", Tone::bad},
                {size_text(process.rss_bytes)},
                {duration_text(process.age_seconds)}});
    const auto children = children_.find(process.pid);
    if (children == children_.end()) return;
    for (std::size_t n = 0; n < children->second.size(); ++n) {
      const bool last = n + 1 == children->second.size();
      draw(children->second[n], below + (last ? "└─ " : "├─ "), below + (last ? "   " : "│  "));
    }
  }

  const std::vector<wire::Process>& processes_;
  std::map<std::int64_t, std::size_t> at_;
  std::map<std::int64_t, std::vector<std::size_t>> children_;
  std::set<std::size_t> drawn_;
  Table table_;
};

}  // namespace

std::string tree_text(const wire::ServiceDetail& detail, const Look& look) {
  const wire::Service& service = detail.service;
  std::string out = painted(clean(service.name), Tone::strong, look) + ": " + clean(service.state);
  const std::size_t count = detail.processes.size();
  if (service.pid)
    out += ", " + size_text(service.tree_rss_bytes) + " in " + std::to_string(count) +
           (count == 1 ? " process" : " processes");
  out += "\n";
  if (detail.processes.empty()) return out + "  no processes\n";
  Drawing(detail.processes).table().write(out, "  ", look);
  return out;
}

}  // namespace plimsoll::ctl

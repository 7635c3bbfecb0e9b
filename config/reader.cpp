#include "config/reader.hpp"

#include <algorithm>
#include <numeric>

namespace plimsoll::config {

void Findings::add(Place place, std::string text) {
  found_.push_back({place, std::move(text)});
}

void Findings::misfit(const std::string& path, const Value& value, const std::string& rule) {
  add(value.place, path + ": " + rule + ", not '" + shown(value) + "'");
}

std::string Findings::file_of(const Place& place) const {
  const auto source = static_cast<std::size_t>(place.source);
  return source < files_.size() ? files_[source] : "--set";
}

std::string Findings::place_text(const Place& place) const {
  return file_of(place) + ":" + std::to_string(place.line);
}

std::vector<Problem> Findings::in_order() && {
  std::stable_sort(found_.begin(), found_.end(), [](const Finding& a, const Finding& b) { return a.place < b.place; });
  std::vector<Problem> problems;
  for (Finding& finding : found_) {
    problems.push_back({file_of(finding.place), finding.place.line, finding.place.column, std::move(finding.text)});
  }
  return problems;
}

namespace {

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  std::iota(cost[0].begin(), cost[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

/// The word that was probably meant, or nothing when none is near.
std::string_view nearest(std::string_view written, const std::vector<std::string_view>& words) {
  std::size_t best = std::max<std::size_t>(1, std::min<std::size_t>(written.size(), 64) / 3) + 1;
  std::string_view found;
  if (written.size() > 64) return found;
  for (const std::string_view word : words) {
    if (const std::size_t d = distance(written, word); d < best) {
      best = d;
      found = word;
    }
  }
  return found;
}

}  // namespace

Reader::Reader(const Table& table, Place place, std::string path, Findings& findings)
    : table_(&table), place_(place), path_(std::move(path)), findings_(&findings) {}

std::string Reader::path_of(std::string_view key) const {
  return path_.empty() ? spelled_key(key) : path_ + "." + spelled_key(key);
}

const Value* Reader::take(std::string_view key) {
  known_.push_back(key);
  const Member* member = table_->find(key);
  return member == nullptr ? nullptr : &member->value;
}

std::optional<Reader> Reader::table(std::string_view key) {
  const Value* value = take(key);
  return value == nullptr ? std::nullopt : table_in(key, *value);
}

std::optional<Reader> Reader::table_in(std::string_view key, const Value& value) {
  const Table* inner = std::get_if<Table>(&value.is);
  if (inner == nullptr) {
    findings_->misfit(path_of(key), value, "must be a table");
    return std::nullopt;
  }
  return Reader{*inner, value.place, path_of(key), *findings_};
}

void Reader::not_yet(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (const Member* member = table_->find(key)) {
      findings_->add(member->place, path_of(key) + ": not yet supported");
      known_.push_back(key);
    }
  }
}

void Reader::refuse(std::string_view key, const std::string& rule) {
  if (const Member* member = table_->find(key)) findings_->misfit(path_of(key), member->value, rule);
}

void Reader::lacks(const std::string& rule) {
  findings_->add(place_, (path_.empty() ? std::string{} : path_ + ": ") + rule);
}

void Reader::finish() {
  for (const Member& member : table_->members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    const std::string_view meant = nearest(member.key, known_);
    const std::string hint = meant.empty() ? std::string{} : ", did you mean '" + std::string{meant} + "'?";
    findings_->add(member.place, path_of(member.key) + ": unknown key" + hint);
  }
}

bool Reader::refuse_word(std::string_view key, const Value& value, const std::vector<std::string_view>& words,
                         std::initializer_list<std::string_view> not_yet_words) {
  const std::string* text = std::get_if<std::string>(&value.is);
  if (text != nullptr && std::find(not_yet_words.begin(), not_yet_words.end(), *text) != not_yet_words.end()) {
    findings_->add(value.place, path_of(key) + ": '" + *text + "' is not yet supported");
  } else {
    findings_->misfit(path_of(key), value, "must be " + enumerated(words));
  }
  return false;
}

std::string enumerated(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) text += i + 1 == words.size() ? " or " : ", ";
    text += "\"" + std::string{words[i]} + "\"";
  }
  return text;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

}  // namespace plimsoll::config

// Text of /proc into values. Whatever the bytes are, nothing here throws but for want of memory, and no number is taken
// that does not fit: such a text is no answer (nullopt), such a line or word is left out.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "daemon/sys/procfs.hpp"

namespace plimsoll::sys {
namespace {

constexpr std::string_view blanks = " \t\n";

/// All of `word` as a number, or nothing.
template <class Number>
std::optional<Number> number(std::string_view word, int base = 10) {
  Number value{};
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// Cuts the next blank-separated word off the front of `rest`; empty at the end.
std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
  rest.remove_prefix(word.size());
  return word;
}

/// Cuts the next line off the front of `rest`, without its end.
std::string_view next_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  return line;
}

/// The port of "0100007F:1F90".
std::optional<std::uint16_t> port_of(std::string_view end) {
  const auto colon = end.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return number<std::uint16_t>(end.substr(colon + 1), 16);
}

/// The address of "0100007F:1F90": one or four words of 32 bits, printed as numbers of this machine though their bytes
/// are in network order.
std::optional<TcpAddress> address_of(std::string_view end) {
  constexpr std::size_t digits = 8;
  constexpr std::size_t size_of_word = sizeof(std::uint32_t);
  constexpr TcpAddress of_four{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const std::string_view text = end.substr(0, end.rfind(':'));
  const bool four = text.size() == digits;
  if (!four && text.size() != 4 * digits) return std::nullopt;
  TcpAddress address = of_four;
  std::size_t into = four ? 3 * size_of_word : 0;
  for (std::size_t at = 0; at < text.size(); at += digits, into += size_of_word) {
    const auto word = number<std::uint32_t>(text.substr(at, digits), 16);
    if (!word) return std::nullopt;
    std::memcpy(address.data() + into, &*word, size_of_word);
  }
  return address;
}

std::optional<TcpSocket> parse_tcp_line(std::string_view line) {
  constexpr std::size_t local_field = 1;
  constexpr std::size_t remote_field = 2;
  constexpr std::size_t state_field = 3;
  constexpr std::size_t inode_field = 9;
  std::array<std::string_view, inode_field + 1> fields;
  for (auto& field : fields) field = next_word(line);
  const auto local = port_of(fields[local_field]);
  const auto remote = port_of(fields[remote_field]);
  const auto state = number<std::uint8_t>(fields[state_field], 16);
  const auto inode = number<std::uint64_t>(fields[inode_field]);
  const auto local_address = address_of(fields[local_field]);
  const auto remote_address = address_of(fields[remote_field]);
  if (!local || !remote || !state || !inode || !local_address || !remote_address) return std::nullopt;
  return TcpSocket{*local, *remote, *state, *inode, *local_address, *remote_address};
}

}  // namespace

std::optional<Stat> parse_stat(std::string_view text) {
  // comm is the process's own choice: it may hold all that separates fields, but what follows it never has a ')'.
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;

  // Numbered from 1, as in proc(5).
  constexpr std::size_t first_after_comm = 3;
  constexpr std::size_t last_known = 52;
  std::array<std::string_view, last_known + 1> fields;
  std::string_view rest = text.substr(close + 1);
  for (std::size_t i = first_after_comm; i <= last_known; ++i) fields[i] = next_word(rest);

  std::string_view before = text.substr(0, open);
  const auto pid = number<pid_t>(next_word(before));
  const auto ppid = number<pid_t>(fields[4]);
  const auto pgrp = number<pid_t>(fields[5]);
  const auto session = number<pid_t>(fields[6]);
  const auto threads = number<unsigned>(fields[20]);
  const auto start_time = number<std::uint64_t>(fields[22]);
  if (!pid || fields[3].size() != 1 || !ppid || !pgrp || !session || !threads || !start_time) return std::nullopt;

  Stat stat;
  stat.pid = *pid;
  stat.comm = text.substr(open + 1, close - open - 1);
  stat.state = fields[3].front();
  stat.ppid = *ppid;
  stat.pgrp = *pgrp;
  stat.session = *session;
  stat.start_time = *start_time;
  stat.threads = *threads;
  stat.exit_code = number<int>(fields[52]);
  return stat;
}

std::optional<std::uint64_t> parse_statm_resident(std::string_view text) {
  next_word(text);
  return number<std::uint64_t>(next_word(text));
}

std::optional<std::uint64_t> parse_kb_line(std::string_view text, std::string_view name) {
  constexpr std::uint64_t kilobyte = 1024;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (!line.starts_with(name) || !line.substr(name.size()).starts_with(':')) continue;
    line.remove_prefix(name.size() + 1);
    const auto count = number<std::uint64_t>(next_word(line));
    const bool fits = count && *count <= std::numeric_limits<std::uint64_t>::max() / kilobyte;
    if (!fits || next_word(line) != "kB") return std::nullopt;
    return *count * kilobyte;
  }
  return std::nullopt;
}

VmStat parse_vmstat(std::string_view text) {
  // On every machine at least so many small pages, and alone more than noise.
  constexpr std::uint64_t pages_of_a_huge_one = 512;
  VmStat found;
  std::uint64_t huge = 0;
  while (!text.empty()) {
    // A line that is cut off says less than the truth.
    if (text.find('\n') == std::string_view::npos) break;
    std::string_view line = next_line(text);
    const std::string_view name = next_word(line);
    const bool is_huge = name == "thp_fault_alloc" || name == "thp_file_mapped";
    if (!is_huge && name != "oom_kill" && name != "pgfault") continue;
    const auto count = number<std::uint64_t>(next_word(line));
    if (is_huge) huge += count.value_or(0) * pages_of_a_huge_one;
    if (name == "oom_kill") found.oom_kills = count;
    if (name == "pgfault") found.faulted_pages = count;
  }
  if (found.faulted_pages) *found.faulted_pages += huge;
  return found;
}

std::vector<std::string> parse_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find('\0'));
    words.emplace_back(word);
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return words;
}

std::vector<pid_t> parse_children(std::string_view text) {
  std::vector<pid_t> children;
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
    const auto pid = number<pid_t>(word);
    if (pid && *pid > 0) children.push_back(*pid);
  }
  return children;
}

std::vector<TcpSocket> parse_tcp(std::string_view text) {
  std::vector<TcpSocket> lines;
  while (!text.empty()) {
    // The heading is left out with all else that has no ports.
    if (const auto line = parse_tcp_line(next_line(text))) lines.push_back(*line);
  }
  return lines;
}

}  // namespace plimsoll::sys

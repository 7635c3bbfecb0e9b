// Datagrams as the kernel's process connector sends them, written word by word.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>

namespace plimsoll::sys {

inline void append_word(std::string& bytes, std::uint32_t word) {
  char raw[sizeof word];
  std::memcpy(raw, &word, sizeof word);
  bytes.append(raw, sizeof raw);
}

/// 76 bytes: netlink's header, the connector's (idx 1, val 1), and an event of that kind with these words.
inline std::string news_bytes(std::uint32_t what, std::initializer_list<int> words, std::uint64_t at = 7) {
  std::string bytes;
  for (const std::uint32_t word : {76U, 3U, 0U, 0U}) append_word(bytes, word);      // length, NLMSG_DONE, seq, pid
  for (const std::uint32_t word : {1U, 1U, 5U, 0U, 40U}) append_word(bytes, word);  // idx, val, seq, ack, length
  append_word(bytes, what);
  append_word(bytes, 0);  // cpu
  append_word(bytes, static_cast<std::uint32_t>(at));
  append_word(bytes, static_cast<std::uint32_t>(at >> 32));
  for (const int word : words) append_word(bytes, static_cast<std::uint32_t>(word));
  bytes.resize(76, '\0');
  return bytes;
}

inline std::string subscribed_bytes() {
  return news_bytes(0, {0});
}
inline std::string fork_bytes(int parent, int child, std::uint64_t at = 7) {
  return news_bytes(1, {parent, parent, child, child}, at);
}
inline std::string exec_bytes(int pid, std::uint64_t at = 7) {
  return news_bytes(2, {pid, pid}, at);
}
inline std::string exit_bytes(int pid, int status, std::uint64_t at = 7) {
  return news_bytes(0x80000000U, {pid, pid, status, 17}, at);
}

}  // namespace plimsoll::sys

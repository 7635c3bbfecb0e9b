#include "config/files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace plimsoll::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_file = 4 * 1024 * 1024;

struct Closing {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// The file's text; false when it cannot be read, errno says why.
bool read_text(const std::string& path, std::string& into) {
  const std::unique_ptr<std::FILE, Closing> file{std::fopen(path.c_str(), "re")};
  if (!file) return false;
  std::array<char, 16 * 1024> chunk{};
  for (std::size_t got = 0; (got = std::fread(chunk.data(), 1, chunk.size(), file.get())) > 0;) {
    into.append(chunk.data(), got);
    if (into.size() > longest_file) {
      errno = EFBIG;
      return false;
    }
  }
  return std::ferror(file.get()) == 0;
}

Problem cannot_read(const std::string& path, const std::error_code& error) {
  return {path, 0, 0, "cannot be read: " + error.message()};
}

/// Paths of the files beside `path` that add to it. No such folder: none.
std::vector<std::string> beside(const std::string& path, std::error_code& error) {
  std::vector<std::string> found;
  const fs::path folder = fs::path{path}.parent_path() / "conf.d";
  fs::directory_iterator entry{folder, error};
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) error.clear();
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    const fs::path name = entry->path().filename();
    if (name.extension() == ".toml" && !name.string().starts_with('.')) found.push_back(entry->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::variant<std::vector<File>, std::vector<Problem>> read_files(const std::string& path) {
  std::error_code error;
  std::vector<std::string> paths = beside(path, error);
  paths.insert(paths.begin(), path);
  std::vector<Problem> problems;
  if (error) problems.push_back(cannot_read((fs::path{path}.parent_path() / "conf.d").string(), error));
  std::vector<File> files;
  for (std::string& one : paths) {
    File file{std::move(one), {}};
    if (!read_text(file.path, file.text)) problems.push_back(cannot_read(file.path, {errno, std::generic_category()}));
    files.push_back(std::move(file));
  }
  if (!problems.empty()) return problems;
  return files;
}

}  // namespace plimsoll::config

#include "daemon/core/program.hpp"

#include <algorithm>
#include <array>

namespace plimsoll::core {
namespace {

std::string_view basename_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// npm calls itself "npm start", gunicorn "gunicorn: master [app]": the first word is the program.
std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find(' '));
}

template <std::size_t N>
bool one_of(const std::array<std::string_view, N>& set, std::string_view text) {
  return std::find(set.begin(), set.end(), text) != set.end();
}

bool is_wrapper_name(std::string_view name) {
  static constexpr std::array<std::string_view, 24> names{
      "sh",      "bash", "dash",  "ash",  "busybox",   "env",         "npm",       "npx",
      "pnpm",    "yarn", "uv",    "uvx",  "poetry",    "su",          "sudo",      "runuser",
      "setpriv", "gosu", "nohup", "tini", "dumb-init", "docker-init", "catatonit", "npm-cli.js"};
  return one_of(names, name);
}

/// "python3", "python3.11": a name and a version behind it.
bool is_versioned(std::string_view name, std::string_view base) {
  return name.starts_with(base) && name.find_first_not_of("0123456789.", base.size()) == std::string_view::npos;
}

bool is_interpreter(std::string_view name) {
  static constexpr std::array<std::string_view, 7> names{"node", "bun", "deno", "ruby", "perl", "sh", "bash"};
  return is_versioned(name, "python") || is_versioned(name, "node") || one_of(names, name);
}

std::string absolute(const std::string& path, const std::string& cwd) {
  if (path.empty() || path.front() == '/') return path;
  std::string_view rest = path;
  while (rest.starts_with("./")) rest.remove_prefix(2);
  std::string whole = cwd;
  if (!whole.ends_with('/')) whole += '/';
  return whole.append(rest);
}

void add(std::vector<std::string>& to, std::string_view text) {
  if (!text.empty() && std::find(to.begin(), to.end(), text) == to.end()) to.emplace_back(text);
}

/// The index of the script: an interpreter's first argument that is no option. 0 if there is none ("-c", "-m" and "-e"
/// carry the program themselves).
std::size_t script_index(const std::vector<std::string>& argv) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (word == "-c" || word == "-m" || word == "-e") return 0;
    if (!word.empty() && word.front() != '-') return i;
  }
  return 0;
}

bool is_relative(std::string_view path) {
  return !path.empty() && path.front() != '/';
}

std::string_view first_of(const CommandLine& line) {
  return line.argv.empty() ? std::string_view{} : first_word(line.argv.front());
}

/// The index in argv of the script that an interpreter runs; 0: it is none, or has none.
std::size_t script_of(const CommandLine& line) {
  const bool interpreted = is_interpreter(basename_of(line.exe)) || is_interpreter(basename_of(first_of(line)));
  return interpreted ? script_index(line.argv) : 0;
}

/// One bracket expression at `glob[at]` == '['; moves `at` behind it. A '[' without its ']' is an ordinary character.
bool bracket_matches(std::string_view glob, std::size_t& at, char c) {
  const auto end = glob.find(']', at + 2);
  if (end == std::string_view::npos) return glob[at++] == c;
  std::size_t i = at + 1;
  const bool negated = glob[i] == '!' || glob[i] == '^';
  if (negated) ++i;
  bool found = false;
  for (; i < end; ++i) {
    if (i + 2 < end && glob[i + 1] == '-') {
      found = found || (glob[i] <= c && c <= glob[i + 2]);
      i += 2;
    } else {
      found = found || glob[i] == c;
    }
  }
  at = end + 1;
  return found != negated;
}

}  // namespace

bool glob_matches(std::string_view glob, std::string_view text) {
  // The last `*` seen is the only place ever gone back to: what stands before it has matched as early as it can.
  std::size_t g = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    std::size_t next = g + 1;
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      star_text = t;
      continue;
    }
    bool matched = false;
    if (g < glob.size()) {
      if (glob[g] == '[') {
        next = g;
        matched = bracket_matches(glob, next, text[t]);
      } else {
        matched = glob[g] == '?' || glob[g] == text[t];
      }
    }
    if (matched) {
      g = next;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == std::string_view::npos;
}

bool needs_cwd(const CommandLine& line) {
  const std::string_view first = first_of(line);
  if (line.exe.empty() && is_relative(first) && first.find('/') != std::string_view::npos) return true;
  const std::size_t script = script_of(line);
  return script != 0 && is_relative(line.argv[script]);
}

Program program_of(const CommandLine& line) {
  Program program;
  program.comm = line.comm;
  const std::string_view first = first_of(line);
  add(program.names, basename_of(line.exe));
  add(program.names, basename_of(first));
  if (!line.exe.empty()) {
    add(program.paths, line.exe);
  } else if (first.find('/') != std::string_view::npos) {
    add(program.paths, absolute(std::string{first}, line.cwd));
  }

  const std::size_t script = script_of(line);
  if (script != 0) {
    program.script = absolute(line.argv[script], line.cwd);
    add(program.names, basename_of(program.script));
    add(program.paths, program.script);
  }
  program.wrapper =
      is_wrapper_name(line.comm) || is_wrapper_name(basename_of(first)) || is_wrapper_name(basename_of(program.script));
  // A shell that runs a script is that script, unless it only runs a command string: `sh start.sh` still waits for its
  // child, so it stays a wrapper either way.
  program.version_only = line.argv.size() == script + 2 && line.argv.back() == "--version";
  return program;
}

bool matches(const EngineRule& rule, const Program& program) {
  return std::any_of(rule.match.begin(), rule.match.end(), [&](const std::string& glob) {
    const auto& texts = glob.find('/') == std::string::npos ? program.names : program.paths;
    return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return glob_matches(glob, text); });
  });
}

}  // namespace plimsoll::core

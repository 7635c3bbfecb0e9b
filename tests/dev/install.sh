# shellcheck shell=bash
# What each verb needs, and how it gets there. Nothing is asked of the package system as long as the command, the header,
# the library or the module itself answers: a machine may have it from elsewhere. What is missing is collected first and
# installed in one go.

missing=()

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

want_command() { # COMMAND PACKAGE...
  command -v "$1" >/dev/null || missing+=("${@:2}")
}

want_header() { # HEADER PACKAGE...; without a compiler everything is missing
  printf '#include <%s>\n' "$1" | g++ -E -x c++ - >/dev/null 2>&1 || missing+=("${@:2}")
}

want_library() { # LIBRARY PACKAGE...
  echo 'int main() {}' | g++ -x c++ - -l"$1" -o /dev/null >/dev/null 2>&1 || missing+=("${@:2}")
}

want_module() { # MODULE PACKAGE...: a module of Debian's python3, which is not always the first in PATH
  /usr/bin/python3 -c "import $1" >/dev/null 2>&1 || missing+=("${@:2}")
}

want_python() { want_module sqlite3 python3; } # not there in python3-minimal

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

install_missing() {
  [[ ${#missing[@]} == 0 ]] && return
  local packages
  mapfile -t packages < <(printf '%s\n' "${missing[@]}" | sort -u)
  missing=()
  say "installing: ${packages[*]}"
  if ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then apt_get update -qq; fi
  if ! apt_get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null; then
    say "that failed; once more with fresh package lists"
    apt_get update -qq
    apt_get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  fi
}

want_build() {
  want_command g++ g++
  want_command cmake cmake
  want_command ninja ninja-build
  want_command ccache ccache
  want_command pkgconf pkgconf
  # Debian's default Boost is 1.74, and its -dev packages and those of 1.81 exclude each other.
  printf '#include <boost/version.hpp>\n#if BOOST_VERSION < 108100\n#error old\n#endif\n' |
    g++ -E -x c++ - >/dev/null 2>&1 || missing+=(libboost1.81-dev)
  want_library boost_json libboost-json1.81-dev
  want_header spdlog/spdlog.h libspdlog-dev
  want_header toml++/toml.h libtomlplusplus-dev
  want_header CLI/CLI.hpp libcli11-dev
  want_header gtest/gtest.h libgtest-dev
  want_library gtest libgtest-dev
  install_missing
}

want_check() {
  # These versions: another one formats and finds differently.
  want_command clang-format-14 clang-format-14
  want_command clang-tidy-14 clang-tidy-14
  want_command shellcheck shellcheck
  want_command pyflakes3 pyflakes3
  want_command git git
  want_python
  install_missing
}

want_demo() {
  want_python
  install_missing
}

want_pytest() {
  want_python
  want_module pytest python3-pytest
  want_command ps procps
  want_command strace strace # observe: no signal was sent
  want_command crun crun # tests/scenario/container.py
  install_missing
}

want_fuzz() {
  want_python
  want_command clang++-16 clang-16
  echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
    clang++-16 -x c++ - -fsanitize=fuzzer,address,undefined -o /dev/null >/dev/null 2>&1 || missing+=(libclang-rt-16-dev)
  install_missing
}

want_bench() {
  want_header benchmark/benchmark.h libbenchmark-dev
  install_missing
}

want_fresh() {
  want_command mmdebstrap mmdebstrap
  want_command unshare util-linux
  want_command git git
  install_missing
}

# shellcheck shell=bash
# The presets of CMakePresets.json, built. `release` is in build/, the others in build/PRESET.

jobs=${PLIMSOLL_JOBS:-$(nproc)}

build_folder() { # PRESET
  if [[ $1 == release ]]; then echo build; else echo "build/$1"; fi
}

build() { # PRESET [TARGET...]
  local preset=$1 folder
  shift
  folder=$(build_folder "$preset")
  want_build
  if [[ $preset == fuzz ]]; then want_fuzz; fi
  if [[ ! -f $folder/build.ninja || CMakePresets.json -nt $folder/build.ninja ]]; then
    say "configuring $preset in $folder"
    cmake --preset "$preset" >/dev/null
  fi
  say "building $preset${1:+: $*}"
  cmake --build "$folder" --parallel "$jobs" ${1:+--target "$@"}
}

build_bench() {
  want_build
  want_bench
  cmake --preset release -DPLIMSOLL_BENCH=ON >/dev/null
  cmake --build build --parallel "$jobs" --target plimsoll_bench bench_least bench_mark plimsolld plimsollctl program_app \
    program_query-engine
}

run_bench() { # [core|lifecycle [ARG...]]
  local which=${1:-all}
  shift || true
  case $which in
    core) build/bin/plimsoll_bench ${1:+"--benchmark_filter=$1"} ;;
    lifecycle) /usr/bin/python3 tests/bench/lifecycle.py --bin build/bin --programs build/programs "$@" ;;
    all) run_bench core && run_bench lifecycle ;;
    *)
      echo "dev: no benchmark '$which'; there are core and lifecycle" >&2
      return 2
      ;;
  esac
}

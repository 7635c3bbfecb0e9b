# shellcheck shell=bash
# The suites of ./dev test. All of those asked for are run, whatever an earlier one said; the last lines count them.
#
# Each suite leaves JUnit files in build/results/SUITE; tests/dev/count.py reads them, so that the number of tests under
# the sanitizers can be compared with the number without.

results=build/results

suite_rules() {
  build release && want_check && want_pytest && pytest_suite rules release tests/rules
}

suite_unit() { # [PRESET [SUITE]]
  local preset=${1:-release} suite=${2:-unit} folder
  folder=$(build_folder "$preset")
  build "$preset" && GTEST_OUTPUT="xml:$PWD/$results/$suite/" \
    ctest --test-dir "$folder" --output-on-failure --output-junit "$PWD/$results/$suite/ctest.xml"
}

# The core against the simulated kernel: fixed seeds, by which every pair of (state, event) has to be seen, and one that
# nobody has chosen. What it says is printed; a failure brings its seed and the smallest history that was found.
suite_sim() {
  build release plimsoll_sim && run_sim sim build/bin/plimsoll_sim --seed 1 --steps 3000000 --pairs && \
    run_sim sim build/bin/plimsoll_sim --seed 20260101 --steps 200000 && \
    run_sim sim build/bin/plimsoll_sim --steps 50000
}

suite_asan_sim() {
  build asan plimsoll_sim && \
    under_asan asan-sim run_sim asan-sim "$(build_folder asan)/bin/plimsoll_sim" --seed 1 --steps 200000
}

# Deliberate faults of the core, each of which has to be found: all of them, or a third by the day of the last commit.
suite_faults() {
  local part=(--part day)
  if [[ ${PLIMSOLL_ALL_FAULTS:-} == 1 ]]; then part=(); fi
  build release plimsoll_sim unit_core && /usr/bin/python3 tests/sim/faults.py --build build "${part[@]}" \
    --jobs "${PLIMSOLL_JOBS:-$(nproc)}" --junit "$PWD/$results/faults/faults.xml"
}

run_sim() { # SUITE COMMAND...
  local status=0 file
  "${@:2}" || status=$?
  file=$(mktemp "$PWD/$results/$1/run-XXXXXX.xml")
  {
    echo "<testsuite name=\"$1\"><testcase classname=\"$1\" name=\"${*:3}\">"
    if [[ $status != 0 ]]; then echo "<failure message=\"a law was broken, or a pair is missing\"/>"; fi
    echo "</testcase></testsuite>"
  } >"$file"
  return $status
}

suite_scenario() { build release && want_pytest && pytest_suite scenario release tests/scenario; }

suite_real() { build release && want_pytest && tests/real/install.sh && pytest_suite real release tests/real; }

suite_asan_unit() { under_asan asan-unit suite_unit asan asan-unit; }

suite_asan_scenario() {
  build asan && want_pytest && under_asan asan-scenario pytest_suite asan-scenario asan tests/scenario
}

suite_asan_real() {
  build asan && want_pytest && tests/real/install.sh && under_asan asan-real pytest_suite asan-real asan tests/real
}

suite_fuzz() {
  if ! want_fuzz; then
    say "no clang-16 to be had: the fuzz targets are not run"
    return 1
  fi
  build fuzz fuzz_targets && /usr/bin/python3 tests/fuzz/run.py --build build/fuzz --seconds "${PLIMSOLL_FUZZ_SECONDS:-60}" \
    --junit "$results/fuzz/fuzz.xml"
}

# Debian's pytest: the first python3 in PATH may be another one. The variables say which binaries are
# meant, and by how much deadlines are stretched.
pytest_suite() { # SUITE PRESET FOLDER
  local folder slow=1
  folder=$PWD/$(build_folder "$2")
  if [[ $2 == asan ]]; then slow=4; fi
  # The folders' pytest.ini leaves the cache out, so that pytest run by hand litters nothing: here it is what failed.
  local status=0 cache=(-o addopts= -o cache_dir="$PWD/$results/$1/cache")
  export PLIMSOLL_BIN=$folder/bin PLIMSOLL_PROGRAMS=$folder/programs PLIMSOLL_SLOW=${PLIMSOLL_SLOW:-$slow}
  /usr/bin/python3 -m pytest "${cache[@]}" -rA --durations=5 --junitxml "$results/$1/pytest.xml" "$3" || status=$?
  if [[ $status != 1 ]]; then return $status; fi
  # On a machine that others share, what failed is run once more. Passing then does not make it good: it is counted as
  # unsteady, by name, and is a defect of the test or of the daemon that somebody has to find.
  say "suite $1: what failed is run a second time"
  /usr/bin/python3 -m pytest "${cache[@]}" --last-failed -rA --junitxml "$results/$1/again.xml" "$3"
}

# A finding in a daemon that a test then kills would be lost in its stderr: the sanitizers write into files, and
# one file is one failure.
under_asan() { # SUITE COMMAND...
  local reports=$PWD/$results/$1/reports status=0
  mkdir -p "$reports"
  chmod 1777 "$reports"
  ASAN_OPTIONS="log_path=$reports/asan:detect_stack_use_after_return=1:strict_string_checks=1" \
    UBSAN_OPTIONS="log_path=$reports/ubsan:print_stacktrace=1:halt_on_error=1" "${@:2}" || status=1
  if compgen -G "$reports/*" >/dev/null; then
    head -n 60 "$reports"/* >&2
    say "sanitizer findings: $(find "$reports" -type f | wc -l), in $reports"
    status=1
  fi
  return $status
}

run_suites() {
  local asked=() suite started status failed=()
  for suite in "${@:-daily}"; do
    case $suite in
      # Within CI's limit; what is left out is the real application under the sanitizers, which `all` and `asan` run,
      # and two thirds of the deliberate faults, which `all` runs.
      daily) asked+=(rules unit sim faults scenario real asan-unit asan-sim asan-scenario fuzz) ;;
      all)
        export PLIMSOLL_ALL_FAULTS=1
        asked+=(rules unit sim faults scenario real asan-unit asan-sim asan-scenario asan-real fuzz)
        ;;
      asan) asked+=(asan-unit asan-sim asan-scenario asan-real) ;;
      rules | unit | sim | faults | scenario | real | asan-unit | asan-sim | asan-scenario | asan-real | fuzz) asked+=("$suite") ;;
      *)
        echo "dev: no suite '$suite'" >&2
        return 2
        ;;
    esac
  done
  if [[ $# == 0 ]]; then export PLIMSOLL_FUZZ_SECONDS=${PLIMSOLL_FUZZ_SECONDS:-10}; fi
  want_pytest # count.py and the suites are Python
  for suite in "${asked[@]}"; do
    say "suite $suite"
    rm -rf "${results:?}/$suite"
    mkdir -p "$results/$suite"
    started=$SECONDS
    status=0
    # In a shell of its own: `set -e` does not hold inside a condition, and one suite must not end the others.
    bash -c 'set -eu; source tests/dev/install.sh; source tests/dev/build.sh; source tests/dev/suites.sh; "$@"' \
      _ "suite_${suite//-/_}" || status=$?
    echo $((SECONDS - started)) >"$results/$suite/seconds"
    if [[ $status != 0 ]]; then failed+=("$suite"); fi
    echo "$status" >"$results/$suite/status"
  done
  /usr/bin/python3 tests/dev/count.py "$results" "${asked[@]}"
}

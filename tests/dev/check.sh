# shellcheck shell=bash
# ./dev check: everything that a machine can judge about the text. All parts are run; one that fails fails the whole.

# What is tracked, or would be: new files are judged before they are added.
list_files() { # PATTERN...
  git ls-files -co --exclude-standard "$@" | while read -r file; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}

list_sources() { list_files '*.cpp' '*.hpp'; }

list_scripts() {
  list_files | while read -r file; do
    if [[ $file == *.sh ]] || head -c 32 "$file" | grep -qaE '^#!.*\b(ba)?sh$'; then echo "$file"; fi
  done
}

check_format() { list_sources | xargs -r -d '\n' clang-format-14 --dry-run -Werror; }

check_python() { list_files '*.py' | xargs -r -d '\n' pyflakes3; }

check_scripts() { list_scripts | xargs -r -d '\n' shellcheck -x; }

check() {
  local part failed=()
  want_check
  for part in format python scripts warnings tidy rules; do
    say "check: $part"
    case $part in
      format) check_format ;;
      python) check_python ;;
      scripts) check_scripts ;;
      warnings) build release ;; # every preset has -Werror
      tidy) /usr/bin/python3 tests/rules/tidy.py --build build --jobs "${jobs:?}" ;;
      rules) /usr/bin/python3 tests/rules/check_rules.py --build build ;;
    esac || failed+=("$part")
  done
  if [[ ${#failed[@]} != 0 ]]; then
    say "check: failed: ${failed[*]}"
    return 1
  fi
  say "check: clean"
}

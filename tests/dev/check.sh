# shellcheck shell=bash
# ./dev check: everything that a machine can judge about the text. All parts are run; one that fails fails the whole.

list_sources() { git ls-files -co --exclude-standard '*.cpp' '*.hpp' | while read -r file; do [[ -f $file ]] && echo "$file"; done; }

list_scripts() {
  git ls-files -co --exclude-standard | while read -r file; do
    [[ -f $file ]] && { [[ $file == *.sh ]] || head -c 32 "$file" | grep -qaE '^#!.*\b(ba)?sh$'; } && echo "$file"
  done
}

check_format() { list_sources | xargs -r -d '\n' clang-format --dry-run -Werror; }

check_scripts() { list_scripts | xargs -r -d '\n' shellcheck -x; }

check() {
  local part failed=()
  want_check
  for part in format scripts warnings tidy rules; do
    say "check: $part"
    case $part in
      format) check_format ;;
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

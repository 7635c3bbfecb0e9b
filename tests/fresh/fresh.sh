#!/usr/bin/env bash
# ./dev fresh demo|test: a minimal Debian 12 root, in it a clone, and one command of ./dev as the first act there.
#
# The root knows git and certificates, as whoever clones does, and nothing else; `./dev` has to get the rest. How this machine
# reaches its package registries (mirror, proxy, certificates, npm's registry) is read from the machine when the script runs and handed
# through. The command runs in a mount and a pid namespace of its own, so that nothing of it, mount or process, survives.
#
#   fresh.sh [--uncommitted] [--keep] demo|test|check|build|help|...
#     --uncommitted   what the working tree holds now, not what is committed
#     --keep          leave the root where it is, and say where
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
project=$(dirname "$(dirname "$here")")
# shellcheck source=tests/dev/install.sh
source "$project/tests/dev/install.sh"

uncommitted=0 keep=0
while [[ ${1:-} == --* ]]; do
  case $1 in
    --uncommitted) uncommitted=1 ;;
    --keep) keep=1 ;;
    *) echo "fresh: no option '$1'" >&2 && exit 2 ;;
  esac
  shift
done
[[ $# -gt 0 ]] || { echo "usage: ./dev fresh [--uncommitted] [--keep] demo|test" >&2 && exit 2; }

if [[ $(id -u) != 0 ]]; then
  say "a root of one's own needs root's rights: asking sudo"
  options=()
  if [[ $uncommitted == 1 ]]; then options+=(--uncommitted); fi
  if [[ $keep == 1 ]]; then options+=(--keep); fi
  exec sudo --preserve-env "$0" "${options[@]}" "$@"
fi

want_fresh
root=$(mktemp -d /var/tmp/plimsoll-fresh.XXXXXX)
chmod 755 "$root"

# shellcheck disable=SC2317 # called by the trap
clean_up() {
  # The namespace took its mounts along. Were one still here, rm would reach into the machine: so look first.
  if grep -q " $root/" /proc/self/mountinfo; then
    say "mounts are left below $root: not removed"
  elif [[ $keep == 1 ]]; then
    say "the root is kept: $root"
  else
    rm -rf --one-file-system "$root"
  fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# This machine's mirrors of bookworm, as its own apt names them; none (another system): mmdebstrap's default.
sources_list() {
  # shellcheck disable=SC2016 # the names are apt's
  apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    grep -E '^deb \S+ bookworm(-updates|-security)? main$' | sort -u || true
}

apt_options() { # how to fetch, nothing about what
  apt-config dump | grep -E '^Acquire::((https?|ftp)::|Check-Valid-Until|Check-Date|Retries|ForceIPv)' | grep -v ' "";$' || true
}

make_root() {
  local options=() line started=$SECONDS
  while read -r line; do options+=("--aptopt=$line"); done < <(apt_options)
  sources_list >"$root.list"
  say "making a minimal Debian 12 root in $root"
  if [[ -s $root.list ]]; then
    mmdebstrap --quiet --variant=minbase --include=git,ca-certificates "${options[@]}" bookworm "$root" "$root.list"
  else
    mmdebstrap --quiet --variant=minbase --include=git,ca-certificates "${options[@]}" bookworm "$root"
  fi
  rm -f "$root.list"
  installed=$(chroot "$root" dpkg-query -f '.' -W | wc -c)
  say "made in $((SECONDS - started)) s: $installed packages"
  # Packages that bring a daemon would start it: here it would take the machine's ports.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
}

# The machine's certificates and npm settings, without any login: the names of settings are listed, never a whole file copied.
hand_through() {
  local bundle=${NODE_EXTRA_CA_CERTS:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}} name value
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  : >"$root/etc/fresh.env"
  if [[ -r $bundle ]]; then
    install -m 644 "$bundle" "$root/etc/ssl/fresh-certificates.crt"
    for name in NODE_EXTRA_CA_CERTS SSL_CERT_FILE GIT_SSL_CAINFO; do
      echo "export $name=/etc/ssl/fresh-certificates.crt" >>"$root/etc/fresh.env"
    done
  fi
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [[ -n ${!name:-} ]]; then printf 'export %s=%q\n' "$name" "${!name}" >>"$root/etc/fresh.env"; fi
  done
  if command -v npm >/dev/null; then
    for name in registry proxy https-proxy strict-ssl; do
      value=$(npm config get "$name" 2>/dev/null || true)
      case $value in "" | null | undefined) continue ;; esac
      printf 'export NPM_CONFIG_%s=%q\n' "$(tr 'a-z-' 'A-Z_' <<<"$name")" "$value" >>"$root/etc/fresh.env"
    done
  fi
  for name in ${!PLIMSOLL_*}; do printf 'export %s=%q\n' "$name" "${!name}" >>"$root/etc/fresh.env"; done
}

bundle_project() {
  local branch
  if [[ $uncommitted == 1 ]]; then
    # A copy and a commit there: the project's own index and branches stay as they are.
    say "the working tree as it is now, not the last commit"
    rm -rf "$root/tmp/snapshot" && git init -q -b main "$root/tmp/snapshot"
    git -C "$project" ls-files -co --exclude-standard -z |
      (cd "$project" && while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done) |
      tar -C "$project" --null -T - -cf - | tar -C "$root/tmp/snapshot" -xf -
    git -C "$root/tmp/snapshot" add -A
    git -C "$root/tmp/snapshot" -c user.name=fresh -c user.email=fresh@localhost commit -qm 'the working tree'
    git -C "$root/tmp/snapshot" bundle create -q "$root/tmp/plimsoll.bundle" HEAD main
    rm -rf "$root/tmp/snapshot"
  else
    if [[ -n $(git -C "$project" status --porcelain) ]]; then say "uncommitted changes are not part of the clone"; fi
    branch=$(git -C "$project" symbolic-ref -q --short HEAD || true)
    git -C "$project" bundle create -q "$root/tmp/plimsoll.bundle" HEAD ${branch:+"$branch"}
  fi
}

make_root
hand_through
bundle_project
say "in the root, as its first act: git clone, ./dev $*"
started=$SECONDS status=0
unshare --mount --pid --fork --kill-child --propagation private "$here/inside.sh" "$root" "$@" || status=$?
say "fresh: ./dev $* ended with $status after $((SECONDS - started)) s, in a root of $installed packages before"
exit $status

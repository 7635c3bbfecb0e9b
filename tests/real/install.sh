#!/usr/bin/env bash
# What the tests with the real application need, where it is missing: PostgreSQL, FastAPI and its servers, Node and npm,
# strace; then the engine's packages. Commands and modules are looked for, not packages: a machine may have Node from
# another vendor, with npm in it, and Debian's packages of these names would be in its way.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/dev/install.sh
source tests/dev/install.sh

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

# Debian's package makes a cluster and starts it, which nobody asked for here; in a chroot it would outlive the tests.
install_postgres() {
  local settings=/etc/postgresql-common/createcluster.conf status=0
  if ! [[ -e $settings ]]; then
    missing+=(postgresql-common)
    install_missing
  fi
  as_root cp "$settings" "$settings.plimsoll"
  echo 'create_main_cluster = false' | as_root tee -a "$settings" >/dev/null
  missing+=(postgresql)
  install_missing || status=$?
  as_root mv "$settings.plimsoll" "$settings"
  return "$status"
}

want_python
want_module pytest python3-pytest
want_module fastapi python3-fastapi
want_module httpx python3-httpx
want_module psycopg2 python3-psycopg2
want_module uvicorn python3-uvicorn
want_module gunicorn python3-gunicorn
[[ -x /usr/bin/uvicorn ]] || missing+=(uvicorn)
[[ -x /usr/bin/gunicorn ]] || missing+=(gunicorn)
want_command node nodejs
want_command npm npm
want_command strace strace
install_missing
has_postgres || install_postgres

/usr/bin/python3 -B tests/real/engine_build.py >/dev/null

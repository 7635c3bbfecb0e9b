"""A PostgreSQL of our own for the real programs: private, on the loopback, gone when the tests are.

It runs in the foreground as our child (a postmaster that had daemonised would have to be found again to be ended) and
as an unprivileged user where we are root, which PostgreSQL insists on. Nothing in it has to survive anything: no fsync.
"""
import ctypes
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

import ports

ROWS = 400
PARTS_IN_A_ROW = 450  # of about 110 bytes each: a row is 50 kB of JSON
PR_SET_PDEATHSIG = 1

SEED = f"""
CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL, payload jsonb NOT NULL);
ALTER TABLE items ALTER COLUMN payload SET STORAGE EXTERNAL;
INSERT INTO items
SELECT row, 'item ' || row,
       (SELECT jsonb_agg(jsonb_build_object('part', part, 'digest', md5(row || ':' || part),
                                            'text', repeat('plimsoll ', 4)))
        FROM generate_series(1, {PARTS_IN_A_ROW}) AS part)
FROM generate_series(1, {ROWS}) AS row;
ANALYZE items;
"""


def _program(name):
    """Debian keeps the server's programs out of PATH."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else shutil.which(name) or name


class Postgres:
    """`url` is what an application needs; `with Postgres() as database:` ends it whatever happens."""

    def __init__(self):
        self.port = ports.free_port()
        self.root = tempfile.mkdtemp(prefix="plimsoll-pg-")
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._server = None
        self._connection = None
        self._identity = {}
        if os.getuid() == 0:
            account = next(a for a in (self._account("postgres"), self._account("nobody")) if a)
            self._identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.root, account.pw_uid, account.pw_gid)

    @staticmethod
    def _account(name):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            return None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        folder = os.path.join(self.root, "data")
        initdb = [_program("initdb"), "-D", folder, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
                  "--locale=C"]
        subprocess.run(initdb, check=True, cwd=self.root, stdout=subprocess.DEVNULL, **self._identity)
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.root,
            "max_connections": 200, "shared_buffers": "64MB", "fsync": "off", "synchronous_commit": "off",
            "full_page_writes": "off", "autovacuum": "off", "log_min_messages": "fatal", "logging_collector": "off",
        }
        argv = [_program("postgres"), "-D", folder] + [f"--{key}={value}" for key, value in settings.items()]
        libc = ctypes.CDLL(None)
        with open(os.path.join(self.root, "log"), "wb") as log:
            # Should the tests themselves be killed, the server gets a fast shutdown from the kernel.
            self._server = subprocess.Popen(
                argv, cwd=self.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT), **self._identity)
        self._connect(deadline=time.monotonic() + 60)
        with self._connection.cursor() as cursor:
            cursor.execute(SEED)

    def _connect(self, deadline):
        while True:
            try:
                self._connection = psycopg2.connect(self.url, application_name="tests")
                self._connection.autocommit = True
                return
            except psycopg2.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    with open(os.path.join(self.root, "log"), encoding="utf-8", errors="replace") as log:
                        raise RuntimeError("PostgreSQL does not start: " + log.read()) from None
                time.sleep(0.05)

    def connections(self):
        """{engine's pid: how many connections it holds}"""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT application_name, count(*) FROM pg_stat_activity "
                           "WHERE application_name LIKE 'engine-%' GROUP BY 1")
            return {int(name.removeprefix("engine-")): count for name, count in cursor.fetchall()}

    def connections_of(self, engine_pid):
        return self.connections().get(engine_pid, 0)

    def stop(self):
        if self._connection:
            self._connection.close()
            self._connection = None
        if self._server:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._server.send_signal(signal.SIGQUIT)
                self._server.wait(timeout=20)
            self._server = None
        shutil.rmtree(self.root, ignore_errors=True)

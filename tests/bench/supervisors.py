"""Who supervises in the bench: plimsolld, the least that a supervisor can do (programs/least.cpp), and what both have in common.

A supervisor is started by `with` and has booted then: `booted` is how long that took, `pids` whom it runs. What is asked of it
is measured from outside, by the stamps that services write at the first line of their main() (programs/mark.cpp). At the
end of the block it is gone, and its services with it; only what was started here is ended, through pidfds.
"""

import http.client
import json
import os
import pathlib
import pwd
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

STAMP = struct.Struct("<IIQ")
FAR_LINE = "8GiB"  # more than 2 GB above every process here: read once a second, no faster
TIME_LIMIT = 60.0  # for any single thing that is waited for


def monotonic():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Stamps:
    """The FIFO through which services tell of their main()."""

    def __init__(self, folder):
        self.path = folder / "stamps"
        os.mkfifo(self.path)
        os.chmod(folder, 0o755)  # services of another user write here too
        os.chmod(self.path, 0o622)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def read(self, count, pause=0.0):
        """The next `count` of them; with a pause between readings the reader does not compete with those it measures."""
        found = []
        until = time.monotonic() + TIME_LIMIT
        while len(found) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(found)} of {count} services came to life in {TIME_LIMIT:.0f} s")
            select.select([self.fd], [], [], 1.0)
            try:
                found += STAMP.iter_unpack(os.read(self.fd, STAMP.size * 2730))
            except BlockingIOError:
                continue
            if pause and len(found) < count:
                time.sleep(pause)
        return found

    def drain(self):
        try:
            while os.read(self.fd, 65520):
                pass
        except BlockingIOError:
            pass


class Supervisor:
    """One of the two, with `count` services; a context that ends what it began."""

    name = ""

    def __init__(self, bench, count):
        self.bench, self.count = bench, count
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=bench.folder))
        self.pids = {}
        self.process = None

    def argv(self):
        raise NotImplementedError

    def environment(self):
        return None

    def may_be_nobody(self):
        """Whether services can be given another user, who may execute their program."""
        mark = self.bench.programs / "mark"
        return os.geteuid() == 0 and all(path.stat().st_mode & 0o001 for path in (mark, *mark.parents))

    def __enter__(self):
        self.bench.stamps.drain()
        with open(self.folder / "log", "wb") as log:
            began = monotonic()
            self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment())
        try:
            stamps = self.bench.stamps.read(self.count, pause=0.005)
        except TimeoutError:
            self.end()
            raise
        self.pids = {index: pid for index, pid, at in stamps}
        self.booted = max((at for _, _, at in stamps), default=began) - began
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.pids.values():
            self.kill_service(pid)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill_service(self, pid):
        """SIGKILL to a service that is still there, and is one of ours."""
        try:
            with os.fdopen(os.pidfd_open(pid)) as fd:
                if str(self.bench.stamps.path).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    signal.pidfd_send_signal(fd.fileno(), signal.SIGKILL)
        except OSError:
            pass

    def stop(self):
        """SIGTERM until its end; when it has ended, no service may be left."""
        began = monotonic()
        self.process.send_signal(signal.SIGTERM)
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        took = monotonic() - began
        self.process.wait()
        left = [pid for pid in self.pids.values() if pathlib.Path(f"/proc/{pid}").exists()]
        if left:
            raise RuntimeError(f"{self.name} ended before {len(left)} of its services")
        return took

    def restart_one(self):
        """SIGKILL to one service, until the first line of its replacement."""
        index = random.randrange(self.count)
        pidfd = os.pidfd_open(self.pids[index])
        began = monotonic()
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        ((told, pid, at),) = self.bench.stamps.read(1)
        os.close(pidfd)
        if told != index:
            raise RuntimeError(f"service {told} came to life, not {index}")
        self.pids[index] = pid
        return at - began

    def pss(self):
        """Its own proportional set size, in MB (10^6)."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024 / 1e6

    def cpu(self):
        """Nanoseconds on a processor so far, and how often it went to sleep, of all its threads."""
        spent = sleeps = 0
        for thread in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            status = (thread / "status").read_text()
            sleeps += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary_ctxt"))
            spent += int((thread / "schedstat").read_text().split()[0])
        return spent, sleeps


class Least(Supervisor):
    name = "least"

    def argv(self):
        programs = self.bench.programs
        return [programs / "least", str(self.count), programs / "mark", self.bench.stamps.path]


class LeastInAWorld(Least):
    """As PlimsollInAWorld."""

    def environment(self):
        return {**os.environ, "LEAST_UID": str(pwd.getpwnam("nobody").pw_uid)} if self.may_be_nobody() else None


class Plimsoll(Supervisor):
    """Watching is on: each service has a memory line, far away."""

    name = "plimsolld"
    memory = f'memory = {{ hard = "{FAR_LINE}" }}\n'
    world = ""

    @property
    def socket(self):
        return self.folder / "b.sock"

    def config(self):
        mark, fifo = self.bench.programs / "mark", self.bench.stamps.path
        services = "".join(f'[services.s{i:04}]\ncommand = ["{mark}", "{fifo}", "{i}"]\nrestart = "always"\n'
                           f'backoff = {{ first = "0s", max = "0s" }}\n{self.memory}{self.world}' for i in range(self.count))
        return f'[daemon]\nname = "bench"\nsocket = "{self.socket}"\n{services}'

    def argv(self):
        config = self.folder / "bench.toml"
        config.write_text(self.config())
        return [self.bench.bin / "plimsolld", "--config", config]


class PlimsollInAWorld(Plimsoll):
    """The child's world is set: working directory, limits and, where that one may execute the program, another user."""

    @property
    def world(self):
        user = 'user = "nobody"\n' if self.may_be_nobody() else ""
        return f'working_directory = "/"\nrlimits = {{ nofile = 1024, core = 0 }}\n{user}'


class Bench:
    def __init__(self, options, folder):
        self.bin, self.programs = options.bin.resolve(), options.programs.resolve()
        self.folder = folder
        self.stamps = Stamps(folder)
        self.quick = options.quick
        self.seconds = 3.0 if options.quick else 8.0

    def rounds(self, count):
        return 1 if self.quick else count

    def in_turn(self, count, rounds, measure, kinds=(Plimsoll, Least)):
        """`measure(supervisor)` with each of them, round by round; the results of each."""
        results = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in kinds:
                with kind(self, count) as supervisor:
                    results[kind].append(measure(supervisor))
        return [results[kind] for kind in kinds]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Workers(Plimsoll):
    """One application whose workers own an engine each."""

    workers = 30

    def config(self):
        programs = self.bench.programs
        (self.folder / "app").mkdir()
        return (f'[daemon]\nname = "bench"\nsocket = "{self.socket}"\n[services.app]\n'
                f'command = ["{programs}/app", "--control", "{self.folder}/app", "--workers", "{self.workers}", '
                f'"--engine", "plain {programs}/query-engine"]\n'
                f'[services.app.engines.prisma]\nmatch = ["query-engine*"]\norphan = {{ after = "0s" }}\n')

    def children(self, pid):
        """Of all its threads: plimsolld forks on its second one."""
        lists = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
        return [int(word) for path in lists for word in path.read_text().split()]

    def pairs(self):
        """(worker, engine) once the daemon lists all of them."""
        until = time.monotonic() + TIME_LIMIT
        while time.monotonic() < until:
            mains = self.children(self.process.pid)
            workers = self.children(mains[0]) if mains else []
            pairs = [(worker, engine) for worker in workers for engine in self.children(worker)]
            self.pids = dict(enumerate([*mains, *workers, *(engine for _, engine in pairs)]))
            if len(pairs) == self.workers and self.listed() == self.workers:
                return pairs
            time.sleep(0.1)
        raise TimeoutError("the engines were not listed")

    def listed(self):
        connection = UnixConnection(self.socket)
        try:
            connection.request("GET", "/v1/services/app")
            answer = json.load(connection.getresponse())
        except (OSError, ValueError):
            return 0
        finally:
            connection.close()
        return len(answer.get("service", answer).get("engines", []))

    def kill_service(self, pid):
        try:
            with os.fdopen(os.pidfd_open(pid)) as fd:
                if str(self.bench.programs).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    signal.pidfd_send_signal(fd.fileno(), signal.SIGKILL)
        except OSError:
            pass

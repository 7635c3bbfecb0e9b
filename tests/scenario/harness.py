"""Runs a real plimsolld for a test, looks at it through the real plimsollctl, and leaves nothing behind.

Each test gets a `Nest`: a short temporary folder (socket paths end at 107 bytes), the daemons and programs that it started,
and a marker that all of them carry in their environment. When the test is over, however it went, the nest ends what it
started by pid, and then looks for the marker in /proc: a process that still carries it was left behind by the daemon, which
fails the test. So "nothing is left" is checked after every single test.

Nothing here sleeps for a result: `wait` asks again until the answer is yes or its deadline is over, and then says what the
daemon thought, did and logged. Deadlines are generous and stretched by $PLIMSOLL_SLOW (a factor, for sanitizer builds).

The daemon's side is in daemon.py, what /proc says in processes.py; both are offered here too, so that a test imports one name.
"""

import pathlib
import shutil
import subprocess
import tempfile
import uuid

import pytest

from daemon import (BIN, FIGURES, PLIMSOLLCTL, PLIMSOLLD, PROGRAMS, PYTHON, ROOT, SANITIZER, SLOW, CtlFailed, Daemon,
                    UnixConnection, clean_environment, figure, wait_until)
from processes import (MARKER, alive, arguments, carriers, carries, children_of, cpu_seconds, descriptors, engine_port, is_zombie,
                       kill_carrier, own_bytes, parent_of, rss_bytes, start_ticks, stat_fields)

__all__ = ["BIN", "FIGURES", "PLIMSOLLCTL", "PLIMSOLLD", "PROGRAMS", "PYTHON", "ROOT", "SANITIZER", "SLOW", "CtlFailed", "Daemon",
           "UnixConnection", "clean_environment", "figure", "wait_until",
           "MARKER", "alive", "arguments", "carriers", "carries", "children_of", "cpu_seconds", "descriptors", "engine_port",
           "is_zombie", "kill_carrier", "own_bytes", "parent_of", "rss_bytes", "start_ticks", "stat_fields",
           "Nest", "nest"]


class Nest:
    def __init__(self):
        self.marker = uuid.uuid4().hex
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="plm-"))
        self.tmp.chmod(0o755)
        self.daemons = []
        self.processes = []
        self.at_end = []

    def daemon(self, config_text="", start=True, args=(), environment=None, **more):
        """A daemon whose children carry the marker; started, and answering, unless told otherwise."""
        environment = {**(environment or {}), MARKER: self.marker}
        daemon = Daemon(config_text, self.tmp, args, environment, **more)
        self.daemons.append(daemon)
        return daemon.start() if start else daemon

    def spawn(self, argv, environment=None, **popen):
        """A process outside of every daemon (a bystander, a client); it is ended with the test."""
        popen.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([str(word) for word in argv],
                                   env=clean_environment({**(environment or {}), MARKER: self.marker}), **popen)
        self.processes.append(process)
        return process

    def finally_(self, act):
        """`act()` when the test is over, newest first."""
        self.at_end.append(act)

    def left(self):
        """Pids that carry the marker and are none of our own daemons and spawned processes."""
        own = {process.pid for process in self.processes} | {d.process.pid for d in self.daemons if d.process}
        return [pid for pid in carriers(self.marker) if pid not in own and pid not in self.own_daemons()]

    def own_daemons(self):
        return {daemon.pid for daemon in self.daemons if daemon.running()}

    def sweep(self):
        """Ends by SIGKILL what carries the marker beyond what was started here; the names of what there was."""
        names = []
        for _ in range(50):
            pids = self.left()
            if not pids:
                break
            for pid in pids:
                names.append(f"{pid} {' '.join(arguments(pid))[:120]} (parent {parent_of(pid)})")
                kill_carrier(pid, self.marker)
        return names

    def close(self):
        problems = []
        for act in reversed(self.at_end):
            act()
        for daemon in self.daemons:
            problems += self.close_daemon(daemon)
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(30)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        names = self.sweep()
        if names:
            logs = "\n".join(daemon.log_text()[-4000:] for daemon in self.daemons)
            problems.append("left behind: " + "; ".join(names) + f"\nlog:\n{logs}")
        shutil.rmtree(self.tmp, ignore_errors=True)
        assert not problems, "\n".join(problems)

    def close_daemon(self, daemon):
        problems = []
        if daemon.process is None:
            return problems
        if daemon.running():
            try:
                code = daemon.stop()
                if code not in daemon.exit_codes:
                    problems.append(f"the daemon ended with {code} when it was stopped\n{daemon.log_text()[-4000:]}")
            except AssertionError as error:
                problems.append(str(error))
                daemon.kill()
        if SANITIZER.search(daemon.log_text()):
            problems.append("a sanitizer spoke:\n" + daemon.log_text()[-12000:])
        return problems


@pytest.fixture
def nest():
    made = Nest()
    yield made
    made.close()

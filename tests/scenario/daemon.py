"""One plimsolld of a test: its configuration, its life, and what it says through plimsollctl and its socket.

$PLIMSOLL_BIN: folder of plimsolld and plimsollctl (default build/bin). $PLIMSOLL_PROGRAMS: folder of the test programs
(default build/programs). $PLIMSOLL_SLOW stretches all deadlines (a factor, for sanitizer builds).
"""

import atexit
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from processes import arguments, children_of

ROOT = pathlib.Path(__file__).resolve().parents[2]


def for_all_users(folder):
    """The folder, or a copy of what runs in it where other users cannot come (a clone in root's home): some tests are of
    daemons and services that are not root's."""
    if os.getuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents)):
        return folder
    copy = pathlib.Path(tempfile.mkdtemp(prefix="plimsoll-programs-"))
    atexit.register(shutil.rmtree, copy, True)
    copy.chmod(0o755)
    for file in folder.iterdir():
        if file.is_file() and not file.name.startswith(("unit_", "plimsoll_")):
            shutil.copy2(file, copy)
    return copy


BIN = for_all_users(pathlib.Path(os.environ.get("PLIMSOLL_BIN", ROOT / "build" / "bin")).resolve())
PROGRAMS = for_all_users(pathlib.Path(os.environ.get("PLIMSOLL_PROGRAMS", ROOT / "build" / "programs")).resolve())
SLOW = float(os.environ.get("PLIMSOLL_SLOW", "1"))
PLIMSOLLD = str(BIN / "plimsolld")
PLIMSOLLCTL = str(BIN / "plimsollctl")
PYTHON = "/usr/bin/python3"

FIGURES = []
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:)")


class CtlFailed(Exception):
    """plimsollctl gave an exit code that is neither 0 nor 3 where an answer was needed."""


def figure(text):
    """Speed is printed and judged by people; tests assert only what happened. The lines come again at the end of the run, and in
    the file that $PLIMSOLL_FIGURES names."""
    print(f"figure: {text}")
    FIGURES.append(text)
    if "PLIMSOLL_FIGURES" in os.environ:
        with open(os.environ["PLIMSOLL_FIGURES"], "a", encoding="utf-8") as file:
            file.write(f"figure: {text}\n")


def clean_environment(extra=None):
    """Ours without what would lead a daemon or ctl elsewhere, plus `extra` (None as a value takes a name away)."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("PLIMSOLL_") and name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC",
                                                                        "WATCHDOG_PID")}
    for name, value in (extra or {}).items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = str(value)
    return environment


def wait_until(predicate, deadline=60, what="something", report=lambda: ""):
    """Asks `predicate` until it is true and returns its answer. `report` is appended to the failure."""
    end = time.monotonic() + deadline * SLOW
    pause = 0.01
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline * SLOW:.0f} s in vain for {what}\n{report()}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("plimsoll", timeout=timeout)
        self.path_ = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path_)


class Daemon:
    """One plimsolld with its configuration. `@programs`, `@tmp` and `@python` in the text are replaced by their paths. Its name is
    its own (leftovers are found by the daemon's name), its socket is in `tmp`; a `[daemon]` table in the text is added to.
    `command` in place of a configuration runs `plimsolld ARGS -- COMMAND`."""

    count = 0

    def __init__(self, config_text, tmp, args=(), environment=None, command=None, **popen):
        Daemon.count += 1
        self.name = f"t{os.getpid()}x{Daemon.count}"
        self.tmp = pathlib.Path(tmp)
        self.socket_path = str(self.tmp / f"{self.name}.sock")
        self.config_path = self.tmp / f"{self.name}.toml"
        self.config_text = config_text
        self.args = list(args)
        # A source that all daemons of a run of the suite shall do without ("connector": as in a container).
        if os.environ.get("PLIMSOLL_WITHOUT"):
            self.args += ["--without", os.environ["PLIMSOLL_WITHOUT"]]
        self.environment = dict(environment or {})
        self.command = command
        self.popen_arguments = popen
        self.process = None
        self.starts = 0
        self.ctl_prefix = ()  # words before plimsollctl, where the socket is another user's
        self.exit_codes = (0,)  # what the nest takes for a good end when it stops this daemon

    # configuration

    def full_text(self, config_text):
        text = config_text
        for word, path in (("@programs", PROGRAMS), ("@tmp", self.tmp), ("@python", PYTHON)):
            text = text.replace(word, str(path))
        own = f'[daemon]\nname = "{self.name}"\nsocket = "{self.socket_path}"\n'
        if re.search(r"^\[daemon\]\s*$", text, re.M):
            return re.sub(r"^\[daemon\]\s*\n", own, text, count=1, flags=re.M)
        return own + "\n" + text

    def write(self, config_text):
        """For a reload: the new text, put in place whole."""
        self.config_text = config_text
        new = self.config_path.with_suffix(".new")
        new.write_text(self.full_text(config_text))
        new.rename(self.config_path)

    # life

    def launch(self):
        """Starts it without waiting for an answer."""
        assert self.process is None or self.process.poll() is not None, "this daemon runs already"
        self.starts += 1
        environment = clean_environment(self.environment)
        if self.command is None:
            self.write(self.config_text)
            argv = [PLIMSOLLD, "--config", str(self.config_path), *self.args]
        else:
            environment.setdefault("PLIMSOLL_SOCKET", self.socket_path)
            argv = [PLIMSOLLD, *self.args, "--", *self.command]
        argv = [*self.popen_arguments.get("prefix", []), *argv]
        options = {key: value for key, value in self.popen_arguments.items() if key != "prefix"}
        with open(self.log_path(), "ab") as log, open(self.out_path(), "ab") as out:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", out)
            options.setdefault("stderr", log)
            self.process = subprocess.Popen(argv, env=environment, **options)
        return self

    def start(self):
        self.launch()
        wait_until(self.answers, 30, "an answer to `plimsollctl ping`", self.report)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode} at its start\n{self.log_text()}")
        return os.path.exists(self.socket_path) and self.ctl("ping")[0] == 0

    @property
    def pid(self):
        """Of plimsolld itself, also below a prefix such as strace, or a container's runtime and a shell."""
        pid = self.process.pid
        below = [pid] if self.popen_arguments.get("prefix") else []
        while below:
            for one in below:
                if os.path.basename((arguments(one) or [""])[0]) == "plimsolld":
                    return one
            below = [child for parent in below for child in children_of(parent)]
        return pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, deadline=120):
        """SIGTERM, and the exit code (negative: the signal that ended it)."""
        if self.running():
            os.kill(self.pid, signal.SIGTERM)
        return self.wait_exit(deadline)

    def wait_exit(self, deadline=120):
        try:
            return self.process.wait(deadline * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not end within {deadline * SLOW:.0f} s\n{self.report()}") from None

    def kill(self):
        """SIGKILL: what a crash of the daemon looks like."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(30)
        self.exit_codes = (*self.exit_codes, -signal.SIGKILL)

    # what it says

    def log_path(self):
        return self.tmp / f"{self.name}.err"

    def out_path(self):
        return self.tmp / f"{self.name}.out"

    def log_text(self):
        """Its stderr: its own lines and those of its services."""
        return self.log_path().read_text(errors="replace") if self.log_path().exists() else ""

    def out_text(self):
        """Its stdout: what its services write there."""
        return self.out_path().read_text(errors="replace") if self.out_path().exists() else ""

    def ctl(self, *args, deadline=60, prefix=None):
        """(exit code, stdout, stderr) of `plimsollctl --socket … ARGS`."""
        words = self.ctl_prefix if prefix is None else prefix
        done = subprocess.run([*words, PLIMSOLLCTL, "--socket", self.socket_path, *map(str, args)],
                              stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=deadline * SLOW, env=clean_environment(),
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def json(self, *args):
        code, out, err = self.ctl("--json", *args)
        if code not in (0, 3):
            raise CtlFailed(f"plimsollctl --json {' '.join(map(str, args))}: exit {code}\n{out}{err}")
        return json.loads(out)

    def status(self):
        return self.json("status")

    def service(self, name):
        return next(service for service in self.status()["services"] if service["name"] == name)

    def engines(self, name):
        return self.service(name)["engines"]

    def tree(self, name):
        """The recorded processes of a service: GET /v1/services/NAME."""
        code, body = self.http("GET", f"/v1/services/{name}")
        assert code == 200, body
        return body["processes"]

    def recorded(self, name):
        return {process["pid"] for process in self.tree(name)}

    def events(self, since=0):
        """Events with an id above `since`, oldest first."""
        code, out, err = self.ctl("--json", "events", "--since", since)
        if code != 0:
            raise CtlFailed(f"plimsollctl --json events: exit {code}\n{out}{err}")
        return read_events(out)

    def mark(self):
        """The newest event's id, for a later `since`."""
        events = self.events()
        return events[-1]["id"] if events else 0

    def ledger(self, name=None):
        """All interventions that are kept, oldest first: GET /v1/ledger, of which `why` shows the last."""
        code, body = self.http("GET", "/v1/ledger" + (f"?service={name}" if name else ""))
        assert code == 200, body
        return body["interventions"]

    def http(self, method, path, body=None, deadline=60):
        """(status, body) over the control socket; the body is decoded when it is JSON."""
        connection = UnixConnection(self.socket_path, deadline * SLOW)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, raw.decode(errors="replace")

    # waiting

    def wait(self, predicate, deadline=60, what="a state"):
        """Until `predicate()` is true; it may raise KeyError, IndexError or StopIteration for "not yet". Returns its answer."""
        def ask():
            if not self.running():
                raise AssertionError(f"the daemon ended with {self.process.returncode} while {what} was awaited\n{self.log_text()}")
            try:
                return predicate()
            except (KeyError, IndexError, StopIteration, CtlFailed):
                return None
        return wait_until(ask, deadline, what, self.report)

    def wait_ready(self, name, deadline=60):
        return self.wait(lambda: (s := self.service(name))["state"] == "ready" and s, deadline, f"{name} being ready")

    def wait_engines(self, name, count, deadline=60):
        """`count` engines, all of them live."""
        def ask():
            engines = self.engines(name)
            return len(engines) == count and all(engine["state"] == "live" for engine in engines) and engines
        return self.wait(ask, deadline, f"{count} live engines of {name}")

    def find_event(self, kind, since=0, **fields):
        """The first event of `kind` after `since` whose fields match: by value, or by a function of the value."""
        for event in self.events(since):
            if event["kind"] == kind and all(matches(event.get(name), wanted) for name, wanted in fields.items()):
                return event
        return None

    def wait_event(self, kind, since=0, deadline=60, **fields):
        return self.wait(lambda: self.find_event(kind, since, **fields), deadline, f"an event {kind} with {fields}")

    def report(self):
        """What a failure shows: the status, the last events, the log."""
        parts = []
        if self.running():
            for verb in (["--json", "status"], ["events"]):
                try:
                    code, out, err = self.ctl(*verb, deadline=10)
                    parts.append(f"$ plimsollctl {' '.join(verb)}  (exit {code})\n" + "\n".join((out + err).splitlines()[-40:]))
                except (subprocess.TimeoutExpired, OSError) as error:
                    parts.append(f"$ plimsollctl {' '.join(verb)}: {error}")
        else:
            parts.append(f"the daemon does not run (exit {self.process.returncode if self.process else 'never started'})")
        parts.append("log:\n" + "\n".join(self.log_text().splitlines()[-60:]))
        return "\n".join(parts)


def matches(value, wanted):
    return wanted(value) if callable(wanted) else value == wanted


def read_events(text):
    """From `--json events`: one object with a list, or one object a line."""
    text = text.strip()
    if not text:
        return []
    try:
        body = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]
    if isinstance(body, list):
        return body
    return body["events"] if "events" in body else [body]

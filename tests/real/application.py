"""The application of tests/real/app as a service: its part of the configuration, and ways to talk to its workers."""
import http.client
import json
import os
import pathlib

import harness
import ports

APP = pathlib.Path(__file__).resolve().parent / "app"
RULE = "prisma"
MIB = 1 << 20


class Application:
    """One service. `server` is gunicorn (it replaces workers that die) or uvicorn (it does not). With `recorded` each
    run notes what of the test is alive when it begins. `shell` makes the command a `sh -c` with that text, `{}` in it
    being the command."""

    def __init__(self, nest, database, engine, name="app", server="gunicorn", workers=2, environment=None,
                 recorded=False, shell=None):
        self.name, self.server, self.workers, self.recorded, self.shell = name, server, workers, recorded, shell
        self.port = ports.free_port()
        self.folder = nest.tmp / f"{name}.admin"
        self.folder.mkdir()
        self.journal_path = nest.tmp / f"{name}.journal"
        self.journal_path.touch()
        self.environment = {
            "PRISMA_QUERY_ENGINE_BINARY": engine, "DATABASE_URL": database.url,
            "APP_ADMIN_DIR": str(self.folder), "APP_JOURNAL": str(self.journal_path),
            "PYTHONPATH": str(APP), "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}

    # its part of the configuration

    def command(self):
        address = f"127.0.0.1:{self.port}"
        if self.server == "gunicorn":
            argv = ["/usr/bin/gunicorn", "-w", str(self.workers), "-k", "uvicorn.workers.UvicornWorker",
                    "--keep-alive", "60", "--bind", address, "main:app"]
        else:
            argv = ["/usr/bin/uvicorn", "--workers", str(self.workers), "--host", "127.0.0.1", "--port", str(self.port),
                    "--timeout-keep-alive", "60", "--no-access-log", "main:app"]
        if self.recorded:
            argv = [harness.PYTHON, str(APP / "serve.py"), *argv]
        return ["sh", "-c", self.shell.format(" ".join(argv))] if self.shell else argv

    def hook(self, way):
        if way == "signal":
            return 'signal = "SIGRTMIN+1"'
        path = "/admin/reconnect?engine={engine_pid}"
        if way == "unix":
            return f'http = {{ method = "POST", unix = "{self.folder}/{{owner_pid}}.sock", path = "{path}" }}'
        return f'http = {{ method = "POST", url = "http://127.0.0.1:{self.port}{path}" }}'

    def toml(self, way="unix", service="", hook="", rule=""):
        variables = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.environment.items())
        return f"""
[services.{self.name}]
command = {json.dumps(self.command())}
working_directory = "{APP}"
environment = {{ {variables} }}
{service}

[services.{self.name}.hooks.reconnect]
{self.hook(way)}
{hook}

[services.{self.name}.engines.{RULE}]
match = ["query-engine*"]
reconnect = "hook:reconnect"
{rule}
"""

    # its workers

    def ask(self, worker, method, path, timeout=120):
        """(status, body) from one worker, at its own socket."""
        return exchange(harness.UnixConnection(f"{self.folder}/{worker}.sock", timeout), method, path)

    def ask_any(self, path, timeout=120):
        return exchange(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout), "GET", path)

    def engine_of(self, worker):
        return self.ask(worker, "GET", "/pid")[1]["engine"]

    def journal(self, what=None, **fields):
        """What the app wrote down, oldest first."""
        found = [json.loads(line) for line in self.journal_path.read_text().splitlines()]
        return [line for line in found if (what is None or line["what"] == what)
                and all(line.get(name) == value for name, value in fields.items())]

    def wait_serving(self, daemon, deadline=120):
        """Until every worker has started and the daemon lists one live engine for each; the engines by their owners."""
        def started():
            up = {line["pid"] for line in self.journal("started")}
            found = {engine["owner_pid"]: engine for engine in daemon.engines(self.name) if engine["state"] == "live"}
            return len(found) == self.workers and set(found) <= up and found
        return daemon.wait(started, deadline, f"{self.workers} workers of {self.name} with an engine each")


def exchange(connection, method, path):
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def sanitizer_options(*more):
    """The daemon's environment where it may be a sanitizer's build: what was asked for already, and `more`."""
    return {"ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), *more]))}


def outcomes(intervention):
    """What became of its rungs, in their order."""
    return [(rung["rung"], rung["outcome"]) for rung in intervention["rungs"]]


def zombies_below(pid):
    """Pids in state Z that descend from `pid`."""
    parents = {int(name): harness.parent_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}

    def below(one):
        while one and one != pid:
            one = parents.get(one)
        return one == pid
    return [one for one in parents if one != pid and harness.is_zombie(one) and below(one)]


def engine_processes(nest):
    """Engines of this test, found in /proc and not by asking the daemon."""
    def runs_one(words):
        return "--version" not in words and any(os.path.basename(word).startswith("query-engine") for word in words[:2])
    return [pid for pid in harness.carriers(nest.marker) if runs_one(harness.arguments(pid))]

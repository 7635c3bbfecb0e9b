#!/usr/bin/python3
"""The main job in about a minute, for a person to watch: ./dev demo.

A real plimsolld supervises the shop of tests/programs/demo (a parent, two workers, a query engine below each), customers ask
one worker for much and the other for little, and each scene says what will happen, lets it happen, shows what plimsollctl
says, and checks it from outside: by pidfds of its own, not by the daemon's word. Exit 0 only if every fact was observed.

demo.py [--bin FOLDER] [--keep]   FOLDER: where plimsolld and plimsollctl are (default build/bin)
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "tests" / "programs" / "demo"
MARKER = "PLIMSOLL_DEMO_MARKER"
MIB = 1024 * 1024
SOFT, HARD = 80 * MIB, 200 * MIB  # as in demo.toml.in; the scenes check that the daemon names the same
CYCLE = "50s"
BEGAN = time.monotonic()


class NotObserved(Exception):
    """A fact of the demo did not happen in its time."""


def tell(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)


def title(text: str) -> None:
    print(f"\n---- {text} " + "-" * max(0, 96 - len(text)), flush=True)


def alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX"


class Pidfd:
    """One process, held: its end is seen the moment it comes, and its pid cannot become another's."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def kill(self) -> None:
        signal.pidfd_send_signal(self.fd, signal.SIGKILL)

    def ended_within(self, seconds: float) -> bool:
        return bool(select.select([self.fd], [], [], max(0.0, seconds))[0])


class Plimsoll:
    """The daemon of this demo, and plimsollctl."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.ctl_path = str(binaries / "plimsollctl")
        self.socket = str(folder / "demo.sock")
        self.log = folder / "plimsolld.log"
        self.marker = uuid.uuid4().hex
        config = folder / "demo.toml"
        text = (SHOP / "demo.toml.in").read_text()
        for word, value in (("@FOLDER@", folder), ("@PROGRAMS@", SHOP), ("@EVERY@", CYCLE)):
            text = text.replace(word, str(value))
        config.write_text(text)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [binaries / "plimsolld", "--config", config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, MARKER: self.marker},
            )

    def ctl(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [self.ctl_path, "--socket", self.socket, *words], capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    def show(self, *words: str, last: int | None = None) -> int:
        """What an operator would type, and see."""
        code, text = self.ctl(*words)
        lines = text.rstrip().splitlines()
        print(f"\n    $ plimsollctl {' '.join(words)}".rstrip())
        for line in lines if last is None else lines[-last:]:
            print(f"    {line}")
        print(flush=True)
        return code

    def json(self, *words: str) -> Any:
        code, text = self.ctl("--json", *words)
        return json.loads(text) if code in (0, 3) else None

    def engines(self) -> list[dict[str, Any]]:
        status = self.json("status")
        return status["services"][0]["engines"] if status else []

    def events(self, since: int = 0, **fields: Any) -> list[dict[str, Any]]:
        _, text = self.ctl("--json", "events", "--since", str(since))
        try:
            body = json.loads(text)
            events = body["events"] if isinstance(body, dict) and "events" in body else body
            events = events if isinstance(events, list) else [events]
        except ValueError:
            events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [event for event in events if all(event.get(name) == value for name, value in fields.items())]

    def newest(self) -> int:
        return max((event["id"] for event in self.events()), default=0)

    def left(self) -> list[int]:
        """Living processes that carry this demo's marker: the daemon's and everything below it, escaped or not."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    carried = f"{MARKER}={self.marker}".encode() in (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if carried and alive(int(entry.name)):
                    found.append(int(entry.name))
        return found

    def end(self) -> None:
        """However the demo went, nothing of it stays."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(100)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in self.left():
            Pidfd(pid).kill()


class Customers:
    """drive.py, with an order a worker: `0=10` is ten queries a second to worker 0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def want(self, *orders: str) -> None:
        self.go_home()
        self.process = subprocess.Popen(["/usr/bin/python3", SHOP / "drive.py", self.folder, *orders], stdout=subprocess.DEVNULL)

    def go_home(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def once(self, worker: int, rows: int) -> dict[str, Any]:
        """One order; the answer names the worker and its engine. A worker between two engines may need a second asking."""
        done = subprocess.run(
            ["/usr/bin/python3", SHOP / "drive.py", self.folder, "--once", str(worker), str(rows)], capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout) if done.returncode == 0 else {}


class Demo:
    def __init__(self, plimsoll: Plimsoll, customers: Customers) -> None:
        self.plimsoll = plimsoll
        self.customers = customers
        self.observed: list[str] = []
        self.happened: list[tuple[str, int]] = []  # (cause, pid), to be found again in the ledger

    # --- asking -----------------------------------------------------------------------------------------------------

    def wait(self, what: str, ask: Callable[[], Any], seconds: float = 30) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.plimsoll.process.poll() is not None:
                raise NotObserved(f"plimsolld ended with {self.plimsoll.process.returncode} while this was awaited: {what}")
            answer = ask()
            if answer:
                return answer
            time.sleep(0.1)
        raise NotObserved(f"not within {seconds:.0f} s: {what}")

    def fact(self, text: str, true: bool = True) -> None:
        if not true:
            raise NotObserved(text)
        self.observed.append(text)
        tell(f"[ok] {text}")

    def who(self, worker: int) -> tuple[int, int]:
        """(pid of the worker, pid of its engine), as the application itself says."""

        def ask() -> tuple[int, int] | None:
            answer = self.customers.once(worker, 1)
            return (answer["worker"], answer["engine"]) if "engine" in answer else None

        return self.wait(f"an answer of worker {worker}", ask)

    def rss(self, pid: int) -> int:
        return next((engine["rss_bytes"] for engine in self.plimsoll.engines() if engine["pid"] == pid), 0)

    def two_live_engines(self) -> bool:
        engines = self.plimsoll.engines()
        return len(engines) == 2 and all(engine["state"] == "live" for engine in engines)

    def watch_climb(self, pid: int, line: int, until: Callable[[], Any], seconds: float) -> Any:
        """Draws the engine's RSS once a second until `until` answers."""
        end, drawn = time.monotonic() + seconds, 0.0
        while time.monotonic() < end:
            answer = until()
            if answer:
                return answer
            if time.monotonic() - drawn >= 1:
                drawn, rss = time.monotonic(), self.rss(pid)
                bar = "#" * min(40, rss * 40 // line)
                tell(f"engine {pid}  {rss / MIB:6.1f} MiB  |{bar:<40}|  line {line // MIB} MiB")
            time.sleep(0.1)
        raise NotObserved(f"engine {pid} did not reach {line // MIB} MiB, or nothing was done about it")

    # --- scenes -----------------------------------------------------------------------------------------------------

    def scene_start(self) -> None:
        title("1  One configuration file, one application, two workers, an engine below each")
        self.wait("an answer of plimsolld", lambda: self.plimsoll.ctl("ping")[0] == 0)
        self.wait("the service ready, with two live engines", self.two_live_engines)
        self.plimsoll.show("status")
        self.plimsoll.show("tree")
        owners = {engine["owner_pid"]: engine["pid"] for engine in self.plimsoll.engines()}
        pairs = [self.who(0), self.who(1)]
        self.fact("each engine was found below its own worker", owners == dict(pairs))

    def scene_soft(self) -> None:
        title("2  A soft limit: customers want much of worker 0, little of worker 1; engines leak with each query")
        (worker, engine), (other_worker, other_engine) = self.who(0), self.who(1)
        held, since = Pidfd(engine), self.plimsoll.newest()
        self.customers.want("0=10", "1=1")
        crossed = self.watch_climb(
            engine, SOFT, lambda: self.plimsoll.events(since, kind="limit_crossed", pid=engine), seconds=40
        )[0]
        tell(f"plimsolld: {crossed['why']}")
        self.fact("the soft line was crossed by that engine, and the event names the line", crossed["limit_bytes"] == SOFT)
        self.wait("a reconnect asked of its worker", lambda: self.plimsoll.events(since, kind="rung"))
        self.fact("that engine is gone", held.ended_within(20))
        self.wait("the rung judged", lambda: self.plimsoll.events(since, kind="rung", outcome="worked"))
        self.customers.want("1=1")
        now_worker, successor = self.who(0)
        self.fact(f"the same worker has a successor, {successor}", now_worker == worker and successor != engine)
        rss = self.wait("the successor's memory", lambda: self.rss(successor))
        self.fact(f"memory is down: {crossed['rss_bytes'] / MIB:.0f} MiB before, {rss / MIB:.0f} MiB now", rss < SOFT)
        self.fact("the other worker and its engine were not touched", self.who(1) == (other_worker, other_engine))
        self.happened.append(("soft", engine))
        self.plimsoll.show("why")

    def scene_orphan(self) -> None:
        title("3  SIGKILL to worker 1: nobody is left to end its engine")
        (worker, engine), other = self.who(1), self.who(0)
        self.customers.go_home()
        held_worker, held_engine = Pidfd(worker), Pidfd(engine)
        tell(f"kill -9 {worker}")
        began = time.monotonic()
        held_worker.kill()
        gone = held_engine.ended_within(10)
        took = time.monotonic() - began
        self.fact(f"its engine {engine} is gone {took * 1000:.0f} ms after the kill", gone)
        orphaned = self.wait("the event", lambda: self.plimsoll.events(kind="engine_orphaned", pid=engine))
        tell(f"plimsolld: {orphaned[0]['why']}")
        self.happened.append(("orphan", engine))
        self.wait("the application's new worker with its engine", self.two_live_engines)
        self.fact("the application replaced the worker, with a new engine", self.who(1)[0] != worker and self.who(1)[1] != engine)
        self.fact("the other worker and its engine were not touched", self.who(0) == other)

    def scene_hard(self) -> None:
        title("4  A hard limit: one customer wants everything at once")
        (worker, engine), other = self.who(0), self.who(1)
        held, since = Pidfd(engine), self.plimsoll.newest()
        self.customers.want("0=20x150000")
        try:
            self.fact("the engine over the hard line is gone", held.ended_within(30))
        finally:
            self.customers.go_home()
        crossed = self.wait(
            "the event of the hard line",
            lambda: self.plimsoll.events(since, kind="limit_crossed", pid=engine, limit_bytes=HARD),
        )[0]
        tell(f"plimsolld: {crossed['why']}")
        self.fact("it was the hard line that was answered", crossed["rss_bytes"] >= HARD)
        self.happened.append(("hard", engine))
        now_worker, successor = self.who(0)
        self.fact("the worker healed itself: a new engine", now_worker == worker and successor != engine)
        self.fact("the other worker and its engine were not touched", self.who(1) == other)
        self.wait("two live engines", self.two_live_engines)

    def scene_cycle(self) -> None:
        title(f"5  A scheduled cycle: every {CYCLE} each engine is renewed, one worker after the other")
        since = self.plimsoll.newest()
        before = [self.who(0), self.who(1)]
        tell(f"waiting for the clock: the next round is due at {self.plimsoll.json('status')['services'][0]['cycles'][0]['next']}")
        self.happened += [("cycle", before[0][1]), ("cycle", before[1][1])]
        self.wait("the cycle's round done", lambda: self.round_done(since), seconds=90)
        for event in self.plimsoll.events(since, kind="cycle"):
            tell(f"plimsolld: {event['why']}")
        after = [self.who(0), self.who(1)]
        self.fact("both engines are new", all(old[1] != new[1] for old, new in zip(before, after)))
        self.fact("no worker was touched", [pair[0] for pair in before] == [pair[0] for pair in after])

    def round_done(self, since: int) -> bool:
        return any(event.get("outcome") == "worked" for event in self.plimsoll.events(since, kind="cycle"))

    def scene_why(self) -> None:
        title("6  Why? The ledger of everything that was done, and why")
        self.plimsoll.show("why")
        ledger = self.plimsoll.json("why")["interventions"]
        told = {(entry["cause"], entry["pid"]) for entry in ledger if entry["end"] == "worked"}
        for cause, pid in self.happened:
            self.fact(f"the ledger tells of engine {pid}: {cause}", (cause, pid) in told)
        self.wait("everything well", lambda: self.plimsoll.ctl("status")[0] == 0)
        self.fact("all is well again (plimsollctl status: exit 0)", self.plimsoll.show("status") == 0)

    def scene_stop(self) -> None:
        title("7  Stop: SIGTERM to plimsolld")
        count = len(self.plimsoll.left())
        tell(f"before: {count} processes")
        began = time.monotonic()
        self.plimsoll.process.send_signal(signal.SIGTERM)
        try:
            code = self.plimsoll.process.wait(60)
        except subprocess.TimeoutExpired:
            raise NotObserved("plimsolld did not end within 60 s") from None
        for line in self.plimsoll.log.read_text(errors="replace").splitlines()[-6:]:
            tell(f"log: {line}")
        said = "parent: all workers ended, goodbye" in self.plimsoll.log.read_text(errors="replace")
        self.fact(f"plimsolld ended with 0 after {time.monotonic() - began:.1f} s", code == 0)
        self.fact("the application ended in its own way", said)
        self.fact(f"of {count} processes nothing is left", count >= 6 and self.plimsoll.left() == [])

    def play(self) -> None:
        for scene in (
            self.scene_start,
            self.scene_soft,
            self.scene_orphan,
            self.scene_hard,
            self.scene_cycle,
            self.scene_why,
            self.scene_stop,
        ):
            scene()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin")
    parser.add_argument("--keep", action="store_true", help="leave the folder with the log and the configuration")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-demo-"))
    plimsoll, customers = Plimsoll(options.bin.resolve(), folder), Customers(folder)
    demo = Demo(plimsoll, customers)
    code = 1
    try:
        demo.play()
        title(f"{len(demo.observed)} facts observed in {time.monotonic() - BEGAN:.0f} s, none missing")
        code = 0
    except (NotObserved, KeyError, IndexError, OSError, ValueError, subprocess.TimeoutExpired) as problem:
        tell(f"[NOT OBSERVED] {problem if isinstance(problem, NotObserved) else repr(problem)}")
        plimsoll.show("events", last=30)
        print("\n".join(plimsoll.log.read_text(errors="replace").splitlines()[-40:]))
    finally:
        customers.go_home()
        plimsoll.end()
        if options.keep:
            tell(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())

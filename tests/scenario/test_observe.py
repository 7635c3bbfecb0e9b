"""Rehearsal: in observe mode the same decisions are made and said, and no process is ever signalled."""

import os
import re
import signal
import time

import pytest

from apps import ENGINE, app_daemon, app_service, workers_with_engines
from harness import alive, wait_until
from puppets import leak

HOOK = '[services.app.hooks.reconnect]\nsignal = "SIGRTMIN+1"\n'
SIGNALLED = re.compile(r"\b(kill|tkill|tgkill|pidfd_send_signal|rt_sigqueueinfo|rt_tgsigqueueinfo)\(")


def config(mode):
    engine = f"plain {ENGINE} -p PORT"
    flags = ["--workers", "3", "--reconnect", "SIGRTMIN+1", "--engine", engine]
    lines = 'memory = { soft = "60MiB", hard = "150MiB", for = "300ms", interval = "100ms" }\n'
    return f'[daemon]\nmode = "{mode}"\n' + app_service(
        flags=flags, hooks=HOOK, more='cool_down = "1h"\nheal = "1h"',
        engine=lines + 'reconnect = "hook:reconnect"\non_soft = ["reconnect", "worker"]\non_hard = ["kill"]\nexpect = { within = "5s" }')


def play(nest, daemon):
    """One engine over its soft line, one over its hard line, one orphan: what was decided, as kind, rule and rung by subject."""
    (_, soft), (_, hard), (victim, orphan) = workers_with_engines(nest, daemon, 3).items()
    subjects = {soft: "soft", hard: "hard", orphan: "orphan"}
    leak(soft, 70)
    daemon.wait_event("rung", pid=soft)
    leak(hard, 170)
    daemon.wait_event("rung", pid=hard)
    os.kill(victim.pid, signal.SIGKILL)
    daemon.wait_event("engine_orphaned", pid=orphan)
    daemon.wait(lambda: {entry["pid"] for entry in daemon.ledger("app")} >= set(subjects), what="three interventions")
    return subjects


def decided(daemon, subjects):
    """Of each subject the first crossing or verdict and the first rung."""
    first = {}
    for event in daemon.events():
        if event.get("pid") in subjects and event["kind"] in ("limit_crossed", "engine_orphaned", "rung"):
            first.setdefault((subjects[event["pid"]], event["kind"]), (event["service"], event.get("rule"),
                                                                       event.get("rung")))
    return first


def test_observe_decides_the_same_as_act_and_touches_nobody(nest):
    acting = app_daemon(nest, config("act"))
    subjects = play(nest, acting)
    wanted = decided(acting, subjects)
    wait_until(lambda: not any(alive(pid) for pid in subjects), what="all three being acted on", report=acting.report)
    assert acting.stop() == 0

    trace = nest.tmp / "trace"
    prefix = ["strace", "-f", "-b", "execve", "-o", str(trace), "-e",
              "trace=kill,tkill,tgkill,pidfd_send_signal,rt_sigqueueinfo,rt_tgsigqueueinfo"]
    no_leak_check = {"ASAN_OPTIONS": "detect_leaks=0"}  # of a sanitizer build: it cannot run under ptrace
    watching = app_daemon(nest, config("observe"), prefix=prefix, environment=no_leak_check)
    subjects = play(nest, watching)
    found = decided(watching, subjects)
    assert found and {key for key in found if key[1] != "rung"} == {key for key in wanted if key[1] != "rung"}
    assert found == wanted
    settled = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > settled, what="a second in which something could happen")
    assert all(alive(pid) for pid in subjects), "nobody was touched"
    assert all(entry["would"] for entry in watching.ledger("app"))
    assert all(event["would"] for event in watching.events() if event["kind"] == "rung")
    assert watching.service("app")["budget_spent"] == 0
    before = [line for line in trace.read_text().splitlines() if SIGNALLED.search(line)]
    assert not before, before
    assert watching.ctl("status")[0] == 3, "an orphan that is left is not well"
    assert watching.stop() == 0
    assert [line for line in trace.read_text().splitlines() if SIGNALLED.search(line)], "the trace does see the stop"
    assert not any(alive(pid) for pid in subjects)


def test_observe_still_restarts_what_ended_by_itself_and_obeys_its_operator(nest):
    daemon = nest.daemon("""
[daemon]
mode = "observe"
[services.crash]
command = ["@programs/crasher", "--after", "100", "--exit", "1"]
backoff = { first = "10ms", factor = 1.0 }
[services.long]
command = ["@programs/crasher", "--after", "1000000"]
""")
    daemon.wait(lambda: daemon.service("crash")["run"] >= 3, what="restarts")
    before = daemon.wait_ready("long")["pid"]
    assert daemon.ctl("restart", "long")[0] == 0
    assert daemon.service("long")["pid"] != before
    assert daemon.ctl("stop", "long")[0] == 0


def test_observe_can_be_asked_for_on_the_command_line(nest):
    daemon = app_daemon(nest, config("act"), args=["--observe"])
    assert daemon.status()["daemon"]["mode"] == "observe"
    pairs = workers_with_engines(nest, daemon, 3)
    worker, engine = next(iter(pairs.items()))
    os.kill(worker.pid, signal.SIGKILL)
    daemon.wait_event("engine_orphaned", pid=engine)
    assert daemon.wait(lambda: daemon.ledger("app"), what="a ledger")[0]["would"]
    assert alive(engine)


@pytest.mark.parametrize("mode", ["act", "observe"])
def test_what_a_dead_main_process_left_is_ended_in_both_modes(nest, mode):
    daemon = app_daemon(nest, config(mode).replace("budget ", 'backoff = { first = "50ms" }\nbudget '))
    pairs = workers_with_engines(nest, daemon, 3)
    service = daemon.service("app")
    os.kill(service["pid"], signal.SIGKILL)
    daemon.wait(lambda: daemon.service("app")["run"] > service["run"] and daemon.service("app")["pid"],
                what="the next run")
    assert not any(alive(pid) for pid in pairs.values())

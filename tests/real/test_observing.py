"""The same things happen to the same application twice: once the daemon acts, once it only says what it would do."""
import os
import re
import signal
import time

from application import MIB, Application, sanitizer_options
from figures import figure
from harness import alive, rss_bytes, wait_until

SOFT, HARD = 180 * MIB, 180 * MIB
FIRST = ("limit_crossed", "engine_orphaned")
HEAVY = "/query?rows=400"
SERVICE = 'budget = { acts = 1000, per = "1h" }\ncool_down = "5s"\nheal = "60s"'
RULE = 'settle = "500ms"\nexpect = { below = "180MiB", within = "60s" }\n'
SOFT_RULE = RULE + 'memory = { soft = "180MiB", for = "300ms" }\non_soft = ["reconnect"]'
HARD_RULE = RULE + 'memory = { hard = "180MiB" }\non_hard = ["end"]'
SIGNAL_CALL = re.compile(r"^\d+ +\d+\.\d+ (kill|tkill|tgkill|pidfd_send_signal)\((.*)\)\s+= ")


def traced(nest):
    """How to run a daemon whose signals are written down: those of its threads, and of its children until their exec."""
    path = nest.tmp / "signals.strace"
    prefix = ["strace", "-f", "-b", "execve", "-ttt", "-e", "trace=kill,tkill,tgkill,pidfd_send_signal", "-e", "signal=none", "-o", str(path)]
    # LeakSanitizer traces the process itself, which it cannot below strace.
    return path, {"prefix": prefix, "environment": sanitizer_options("detect_leaks=0")}


def signals_sent(path):
    """Each call that sends a signal; signal 0 only asks."""
    found = []
    for line in path.read_text().splitlines():
        match = SIGNAL_CALL.match(line)
        if match and match[2].split(", ")[2 if match[1] == "tgkill" else 1] != "0":
            found.append(line)
    return found


def heavy_until_crossed(daemon, application, worker, engine, line):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if alive(engine) and rss_bytes(engine) < line:
            try:
                application.ask(worker, "POST", HEAVY)
            except OSError:
                pass  # the engine was ended under the query: that is what the hard line does
        said = daemon.find_event("limit_crossed", pid=engine)
        if said:
            return said
        time.sleep(0.02)
    raise AssertionError(f"engine {engine} never crossed\n{daemon.report()}")


def act_out(daemon, soft, hard):
    """A soft line crossed, a hard line crossed, a worker killed. The pids that were the subjects."""
    engines = soft.wait_serving(daemon)
    mine, other = sorted(engines)
    one = hard.wait_serving(daemon)
    alone = next(iter(one))
    heavy_until_crossed(daemon, soft, mine, engines[mine]["pid"], SOFT)
    heavy_until_crossed(daemon, hard, alone, one[alone]["pid"], HARD)
    os.kill(other, signal.SIGKILL)
    daemon.wait_event("engine_orphaned", pid=engines[other]["pid"])
    daemon.wait(lambda: len({entry["pid"] for entry in daemon.ledger()}) >= 3, what="three interventions")
    return [engines[mine]["pid"], one[alone]["pid"], engines[other]["pid"]]


def decisions(daemon, subjects):
    """For each subject in turn what was said of it: kind, service, rule, and the rung that its ladder began with."""
    found = []
    ledger = daemon.ledger()
    for pid in subjects:
        first = next(e for e in daemon.events() if e["pid"] == pid and e["kind"] in FIRST)
        entry = next(e for e in ledger if e["pid"] == pid)
        rung = entry["rungs"][0]["rung"] if entry["rungs"] else None
        found.append((first["kind"], first["service"], first["rule"], entry["cause"], rung))
    return found


def launch_two(nest, database, engine, args=(), **more):
    soft = Application(nest, database, engine, name=f"soft{len(args)}")
    hard = Application(nest, database, engine, name=f"hard{len(args)}", workers=1, environment={"APP_HEAL": "0.5"})
    text = soft.toml("unix", SERVICE, rule=SOFT_RULE) + hard.toml("unix", SERVICE, rule=HARD_RULE)
    # Both daemons call them the same, so that what they say can be compared.
    for application, name in ((soft, "soft"), (hard, "hard")):
        text = text.replace(f"[services.{application.name}", f"[services.{name}")
        application.name = name
    return nest.daemon(text, args=args, **more), soft, hard


def test_observing_decides_the_same_and_sends_no_signal(nest, database, engine):
    daemon, soft, hard = launch_two(nest, database, engine)
    acted = act_out(daemon, soft, hard)
    wait_until(lambda: not any(alive(pid) for pid in acted), 60, "the end of the three engines", daemon.report)
    decided = decisions(daemon, acted)
    assert not [event for event in daemon.events() if event.get("would")]
    assert daemon.stop() == 0

    trace, under_strace = traced(nest)
    daemon, soft, hard = launch_two(nest, database, engine, ["--observe"], **under_strace)
    assert daemon.status()["daemon"]["mode"] == "observe"
    observed = act_out(daemon, soft, hard)
    assert decisions(daemon, observed) == decided
    assert [line[0] for line in decided] == ["limit_crossed", "limit_crossed", "engine_orphaned"]
    assert all(line[4] for line in decided)
    assert all(entry.get("would") for entry in daemon.ledger())
    assert all(event.get("would") for event in daemon.events() if event["kind"] == "rung")
    assert all(alive(pid) for pid in observed) and not soft.journal("asked")
    told = "; ".join(" ".join(map(str, line)) for line in decided)
    figure(f"observe: the same {len(decided)} decisions as in act: {told}")
    assert signals_sent(trace) == []
    # That strace sees signals at all is shown by the stop.
    assert daemon.ctl("stop", "soft")[0] == 0 and daemon.ctl("stop", "hard")[0] == 0
    assert signals_sent(trace) != []

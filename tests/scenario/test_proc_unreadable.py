"""/proc that cannot be read: what runs is taken for what it is, nothing is concluded from what cannot be seen, and a look that
sees again finds what there is."""

import os
import pathlib
import signal
import time

from apps import ENGINE, app_daemon, app_service, main_of
from failing import OWN_MOUNTS, proc_covered, said, uncover
from harness import alive, is_zombie, start_ticks, wait_until
from puppets import leak

QUICK = 'backoff = { first = "20ms", factor = 1.5, max = "200ms" }'
PLAIN = f"""
[services.plain]
command = ["@programs/crasher", "--after", "100000000"]
{QUICK}
"""


def some_looks():
    """A census is taken each second at least."""
    later = time.monotonic() + 2.5
    wait_until(lambda: time.monotonic() > later, what="some looks")


def test_what_runs_is_left_alone_and_what_cannot_be_recorded_is_not_started(nest):
    daemon = app_daemon(nest, app_service() + PLAIN, prefix=OWN_MOUNTS)
    main = main_of(nest, daemon)
    worker = main.fork()
    old = worker.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    plain = daemon.wait_ready("plain")["pid"]
    spared = daemon.recorded("app")
    with proc_covered(daemon.pid):
        os.kill(plain, signal.SIGKILL)
        new = worker.engine("plain", ENGINE, "-p", "PORT")
        some_looks()
        assert all(alive(pid) for pid in (*spared, old, new)) and daemon.running()
        assert daemon.recorded("app") == spared, "nobody is taken for dead"
        status = daemon.status()
        assert "incomplete" in status["daemon"]["sources"]["census"]
        assert daemon.service("plain")["run"] == 1 or "record" in daemon.service("plain")["note"]
        assert len(said(daemon, "plain: cannot start: ")) <= 1
    assert daemon.wait_ready("plain")["pid"] != plain
    assert {engine["pid"] for engine in daemon.wait_engines("app", 2)} == {old, new}
    assert daemon.service("app")["pid"] == main.pid and alive(old)
    assert len(said(daemon, "/proc cannot be listed: it does not even show us")) == 1
    wait_until(lambda: said(daemon, "the census sees everything again"), what="the end of it", report=daemon.report)
    assert len(said(daemon, "the census sees everything again")) == 1


def test_a_tree_that_cannot_be_seen_is_not_taken_for_empty(nest):
    """Law 2: what the dead main process forked unseen is found, and ended, before the next run."""
    daemon = app_daemon(nest, app_service(more=QUICK), prefix=OWN_MOUNTS)
    main = main_of(nest, daemon)
    with proc_covered(daemon.pid):
        unseen = main.fork()
        os.kill(main.pid, signal.SIGKILL)
        daemon.wait(lambda: daemon.service("app")["state"] == "stopping", what="the end of the main process")
        some_looks()
        assert daemon.service("app")["state"] == "stopping"
        assert alive(unseen.pid)
    assert daemon.wait_ready("app")["run"] == 2
    wait_until(lambda: not alive(unseen.pid), what="the end of what nobody had seen", report=daemon.report)


def test_an_orphan_is_ended_when_its_new_parent_can_be_seen(nest):
    daemon = app_daemon(nest, app_service(), prefix=OWN_MOUNTS)
    main = main_of(nest, daemon)
    worker = main.fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    with proc_covered(daemon.pid):
        os.kill(worker.pid, signal.SIGKILL)
        some_looks()
        assert alive(engine), "no verdict without a look"
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)
    assert daemon.find_event("engine_orphaned", pid=engine)
    assert daemon.service("app")["pid"] == main.pid


def test_an_engine_that_is_a_zombie_is_not_taken_for_reaped(nest):
    """It would be a loss that nobody heals: the app has put nothing away."""
    daemon = app_daemon(nest, app_service(flags=("--reap", "0")), prefix=OWN_MOUNTS)
    main = main_of(nest, daemon)
    engine = main.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    with proc_covered(daemon.pid):
        os.kill(engine, signal.SIGKILL)
        some_looks()
        assert is_zombie(engine)
        assert not daemon.find_event("engine_disconnected")
    assert daemon.wait_event("engine_lost", pid=engine)


def test_an_engine_whose_port_cannot_be_read_is_not_taken_for_hung(nest):
    live = """
live = { http = "/status", interval = "50ms", timeout = "2s", failures = 2 }
on_hung = ["kill"]
"""
    daemon = app_daemon(nest, app_service(engine=live), prefix=OWN_MOUNTS)
    main = main_of(nest, daemon)
    engine = main.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    with proc_covered(daemon.pid):
        wait_until(lambda: said(daemon, f"engine {engine} cannot be asked whether it is well: its port cannot be read"),
                   what="word of it", report=daemon.report)
        some_looks()
        assert alive(engine) and daemon.engines("app")[0]["state"] == "live"
    some_looks()
    assert alive(engine) and daemon.engines("app")[0]["state"] == "live"
    assert len(said(daemon, "cannot be asked whether it is well")) == 1
    assert not daemon.ledger("app")


def test_a_hard_line_holds_while_proc_cannot_be_read(nest):
    """Memory is read through descriptors that are held."""
    daemon = app_daemon(nest, app_service(engine='memory = { hard = "100MiB" }\non_hard = ["kill"]'), prefix=OWN_MOUNTS)
    main = main_of(nest, daemon)
    engine = main.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    with proc_covered(daemon.pid):
        leak(engine, 150)
        wait_until(lambda: not alive(engine), what="the end of what is over its line", report=daemon.report)
    assert daemon.find_event("limit_crossed", pid=engine)
    assert alive(main.pid)


def test_a_daemon_that_comes_before_proc_starts_its_services_when_it_is_there(nest):
    """As in a container whose mounts are late."""
    covered = [*OWN_MOUNTS, "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"']
    daemon = nest.daemon(PLAIN, prefix=covered)
    some_looks()
    assert daemon.service("plain")["run"] == 0, "it could have a run already, of an earlier daemon"
    uncover(daemon.pid)
    pid = daemon.wait_ready("plain")["pid"]
    words = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    tag = next(word for word in words if word.startswith("PLIMSOLL_RUN="))
    assert f":{daemon.name}:{daemon.pid}:{start_ticks(daemon.pid)}:plain:1" in tag, "the next daemon knows whose it is"

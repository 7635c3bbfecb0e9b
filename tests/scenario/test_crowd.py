"""Many processes at once: none is lost, none stays a zombie, and afterwards the daemon is as it was before."""

import os
import signal
import time

from apps import ENGINE, app_daemon, app_service, main_of
from harness import SLOW, children_of, cpu_seconds, descriptors, figure, is_zombie, own_bytes, wait_until
from puppets import Puppet, workers_of


class Before:
    """The daemon's descriptors and memory, to be compared with later."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.descriptors = descriptors(daemon.pid)
        self.own = own_bytes(daemon.pid)

    def still_holds(self, what):
        pid = self.daemon.pid
        # Fewer is well: a client's connection of just before may still have been open then.
        wait_until(lambda: descriptors(pid) <= self.descriptors, 30,
                   f"{self.descriptors} descriptors as before, not {descriptors(pid)}")
        began, used = time.monotonic(), cpu_seconds(pid)
        wait_until(lambda: time.monotonic() - began >= 10, 60 / SLOW, "ten seconds")
        share = (cpu_seconds(pid) - used) / (time.monotonic() - began)
        grown = own_bytes(pid) - self.own
        figure(f"after {what}: {share * 100:.2f} % of a core over 10 s, {descriptors(pid)} descriptors as before, "
               f"own memory {grown / 1024:+.0f} KiB")
        assert descriptors(pid) <= self.descriptors
        if SLOW == 1:
            assert share <= 0.03
            assert grown <= 1 << 20


def nothing_but(daemon, name, pid):
    daemon.wait(lambda: daemon.recorded(name) == {pid}, what="nothing but the main process being recorded", deadline=60)
    wait_until(lambda: not [child for child in children_of(daemon.pid) if is_zombie(child)],
               what="no zombie below the daemon")


def test_200_children_killed_in_a_loop_leave_nothing_behind(nest):
    daemon = app_daemon(nest, app_service())
    main = main_of(nest, daemon)
    nothing_but(daemon, "app", main.pid)
    before = Before(daemon)
    for i in range(200):
        child = main.fork().pid
        if i % 2:
            wait_until(lambda: Puppet(nest.tmp / "app", child).listens(), what="a child")
        os.kill(child, signal.SIGKILL)
    nothing_but(daemon, "app", main.pid)
    assert daemon.service("app")["state"] == "ready" and daemon.service("app")["run"] == 1
    before.still_holds("200 children were killed")


def test_a_burst_of_1000_forks_is_recorded_and_forgotten(nest):
    daemon = nest.daemon("""
[services.reaps]
command = ["@programs/burst", "--count", "1000", "--life", "1500", "--ready", "@tmp/reaps"]
[services.abandons]
command = ["@programs/burst", "--count", "1000", "--life", "1500", "--abandon", "--ready", "@tmp/abandons"]
""")
    pids = {}
    for name in ("reaps", "abandons"):
        pids[name] = daemon.wait_ready(name)["pid"]
        wait_until(lambda: (nest.tmp / name).exists(), what=f"{name} waiting")
        nothing_but(daemon, name, pids[name])
    before = Before(daemon)
    for name, pid in pids.items():
        os.kill(pid, signal.SIGUSR1)
        most = 0

        def ended():
            nonlocal most
            most = max(most, len(daemon.recorded(name)))
            return (nest.tmp / name).read_text() == "1\n" and most > 100 and daemon.recorded(name) == {pid}
        daemon.wait(ended, 120, "the burst's beginning and end")
        figure(f"burst of 1,000 that the app {name}: at most {most} recorded at a look")
        nothing_but(daemon, name, pid)
        assert not [child for child in children_of(daemon.pid) if child not in pids.values()]
    assert all(daemon.service(name)["pid"] == pid for name, pid in pids.items())
    before.still_holds("two bursts of 1,000 forks")


def test_fifty_worker_deaths_leave_as_many_engines_as_workers(nest):
    daemon = app_daemon(nest, app_service(flags=["--workers", "2", "--replace", "1", "--engine",
                                                 f"plain {ENGINE} -p PORT"]))
    main = main_of(nest, daemon)
    daemon.wait_engines("app", 2)
    for i in range(50):
        victim = workers_of(main)[i % 2].pid
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in children_of(main.pid) and len(workers_of(main)) == 2, what="a new worker")
        daemon.wait(lambda: victim not in daemon.recorded("app"), what="its death being seen")
    daemon.wait(lambda: len(daemon.recorded("app")) == 5 and len(daemon.wait_engines("app", 2)) == 2,
                what="two workers, two engines")
    wait_until(lambda: len(nest.left()) == 5, what="nothing else being left",
               report=lambda: str(nest.left()) + daemon.report())
    assert {engine["owner_pid"] for engine in daemon.engines("app")} == {worker.pid for worker in workers_of(main)}

"""Engines whose worker died: all of them are found and ended, and nothing else is ever touched."""

import concurrent.futures
import dataclasses
import datetime
import os
import random
import select
import signal
import statistics
import threading
import time

import pytest

from apps import ENGINE, app_daemon, app_service, main_of
from harness import SLOW, alive, engine_port, figure, start_ticks, stat_fields, wait_until

TRIALS = 200
APPS = ["app0", "app1", "app2", "app3"]
SETTLE = 1.0


class Bystanders:
    """Processes with a matching name that are not the app's: they must be the same processes to the end."""

    def __init__(self, pids):
        self.known = {pid: start_ticks(pid) for pid in pids}
        assert all(self.known.values())

    def untouched(self):
        return all(alive(pid) and start_ticks(pid) == ticks for pid, ticks in self.known.items())


class Census:
    """What the daemon has recorded of the apps, asked by one thread for all trials."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.seen = set()
        self.changed = threading.Condition()
        self.over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over:
            seen = set().union(*(self.daemon.recorded(name) for name in APPS))
            with self.changed:
                self.seen = seen
                self.changed.notify_all()
            time.sleep(0.01)

    def wait_for(self, pid):
        self.wait(lambda: pid in self.seen, f"the census never saw {pid}")

    def wait_for_the_end_of(self, pid):
        self.wait(lambda: pid not in self.seen, f"the census never missed {pid}")

    def wait(self, predicate, failure):
        with self.changed:
            assert self.changed.wait_for(predicate, 30 * SLOW), failure

    def close(self):
        self.over = True
        self.thread.join()


def end_of(pid):
    """A thread's work: the moment at which `pid` is dead, or None if that does not come."""
    handle = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([handle], [], [], 60 * SLOW)
        return time.monotonic() if ready else None
    finally:
        os.close(handle)


@dataclasses.dataclass
class Trial:
    """An engine forked, its worker killed `delay` later (after a setsid: after the census has seen it)."""
    how: str
    delay: float
    engine: int = 0
    killed: float = 0
    ended: concurrent.futures.Future = None

    def run(self, worker, census, watchers):
        self.engine = worker.engine(self.how, ENGINE, "-p", "PORT")
        self.ended = watchers.submit(end_of, self.engine)
        if self.how == "setsid":
            census.wait_for(self.engine)
        time.sleep(self.delay)
        self.killed = time.monotonic()
        os.kill(worker.pid, signal.SIGKILL)
        census.wait_for_the_end_of(worker.pid)

    def seconds(self):
        return self.ended.result() and self.ended.result() - self.killed


def run_one_after_the_other(trials, workers, census, watchers, bystanders):
    """One app's share. The next worker dies when the death of the last was seen: an engine that was never seen before two members
    died in one look could be either's, and then belongs to the service."""
    for trial, worker in zip(trials, workers):
        trial.run(worker, census, watchers)
        assert bystanders.untouched(), f"a bystander was touched beside {trial}"


def about(daemon, trials):
    """The log's lines about some engines."""
    pids = [str(trial.engine) for trial in trials]
    return "\n".join([str(trials), *(line for line in daemon.log_text().splitlines()
                                     if any(pid in line for pid in pids))])


def workers_of_age(nest, daemon, census, count):
    """{app: workers}, all of them known to the census and older than settle."""
    workers = {name: [main_of(nest, daemon, name).fork() for _ in range(count)] for name in APPS}
    youngest = time.monotonic()
    wait_until(lambda: time.monotonic() - youngest > SETTLE * 1.1, what="workers older than settle")
    for worker in sum(workers.values(), []):
        census.wait_for(worker.pid)
    return workers


def print_times(trials):
    for how in ("plain", "thread", "setsid"):
        times = sorted(trial.seconds() for trial in trials if trial.how == how)
        figure(f"orphans forked by {how}: {len(times)} of {len(times)} ended, median {statistics.median(times) * 1000:.0f} ms, "
               f"worst {times[-1] * 1000:.0f} ms after their worker's SIGKILL")


def test_200_orphans_of_killed_workers_are_found_and_ended_and_no_bystander_is_touched(nest):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    trials = [Trial(("plain", "thread", "setsid")[i % 3], chance.uniform(0, 0.05)) for i in range(TRIALS)]
    names = [*APPS, "other"]
    other = app_service("other", ["--main-engine", f"plain {ENGINE} -p PORT"])
    daemon = app_daemon(nest, "".join(app_service(name) for name in APPS) + other, names)
    daemon.wait_engines("other", 1)
    bystanders = Bystanders([nest.spawn([ENGINE]).pid, daemon.engines("other")[0]["pid"]])
    census = Census(daemon)
    nest.finally_(census.close)
    workers = workers_of_age(nest, daemon, census, TRIALS // len(APPS))
    shares = {name: trials[i::len(APPS)] for i, name in enumerate(APPS)}
    with concurrent.futures.ThreadPoolExecutor(TRIALS) as watchers, concurrent.futures.ThreadPoolExecutor(len(APPS)) as pool:
        jobs = [pool.submit(run_one_after_the_other, shares[name], workers[name], census, watchers, bystanders)
                for name in APPS]
        for job in jobs:
            job.result()
    missed = [trial for trial in trials if trial.seconds() is None]
    assert not missed, f"never ended:\n{about(daemon, missed)}"
    said = {event["pid"] for event in daemon.events() if event["kind"] == "engine_orphaned"}
    unsaid = [trial for trial in trials if trial.engine not in said]
    assert not unsaid, f"ended, but never called an orphan:\n{about(daemon, unsaid)}"
    assert bystanders.untouched()
    ended = [entry for entry in daemon.ledger() if entry["cause"] == "orphan"]
    assert {entry["pid"] for entry in ended} == {trial.engine for trial in trials}
    assert all(service["budget_spent"] == 0 for service in daemon.status()["services"]), "the end of an orphan costs nothing"
    print_times(trials)


def test_an_engine_forked_from_a_pool_thread_or_below_a_shell_is_found_and_ended(nest):
    daemon = app_daemon(nest, app_service())
    main = main_of(nest, daemon)
    for how in ("pool", "shell", "exec-thread"):
        worker = main.fork()
        worker.engine(how, ENGINE, "-p", "PORT")
        engine = daemon.wait_engines("app", 1)[0]
        assert (engine["owner"], engine["owner_pid"]) == ("worker", worker.pid), how
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: not alive(engine["pid"]), what=f"the end of an orphan ({how})", report=daemon.report)
        daemon.wait_event("engine_orphaned", pid=engine["pid"])
        daemon.wait(lambda: not daemon.engines("app"), what="an empty list")
        daemon.wait(lambda: daemon.recorded("app") == {main.pid}, what=f"nothing of the worker left ({how})")


def test_a_daemonised_engine_belongs_to_the_service_and_outlives_its_worker_but_not_its_run(nest):
    daemon = app_daemon(nest, app_service(more='backoff = { first = "200ms" }'))
    main = main_of(nest, daemon)
    worker = main.fork()
    daemon.wait(lambda: worker.pid in daemon.recorded("app"), what="a census of the worker")
    engine = worker.engine("double", ENGINE)
    daemon.wait(lambda: engine in daemon.recorded("app"), what="a census of the engine")
    mark = daemon.mark()
    os.kill(worker.pid, signal.SIGKILL)
    daemon.wait(lambda: worker.pid not in daemon.recorded("app"), what="the worker's end being seen")
    shown = daemon.wait(lambda: daemon.engines("app"), what="the engine being listed")
    assert [(one["pid"], one["owner"], one["owner_pid"], one["state"])
            for one in shown] == [(engine, "service", None, "live")]
    assert daemon.find_event("engine_orphaned", mark) is None
    first_run = daemon.service("app")["run"]
    os.kill(main.pid, signal.SIGKILL)
    state = daemon.wait(lambda: (s := daemon.service("app"))["run"] > first_run and s["pid"] and s, what="the next run")
    assert not alive(engine), "the old run's engine must be gone before the next run starts"
    gone = daemon.wait_event("engine_gone", mark, pid=engine)
    started = daemon.find_event("service_state", gone["id"] - 1)
    assert started is not None and state["state"] in ("starting", "ready")


def test_an_engine_that_hops_away_and_whose_worker_dies_is_ended_or_belongs_to_the_service(nest):
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    daemon.wait(lambda: worker.pid in daemon.recorded("app"), what="a census of the worker")
    engine = worker.engine("hop", ENGINE)
    shown = daemon.wait_engines("app", 1)
    assert shown[0]["pid"] == engine
    assert shown[0]["owner"] in ("worker", "service")
    assert alive(engine)


@pytest.mark.parametrize("args", [[], ["--without", "fds"]], ids=["by descriptors", "by the TCP table"])
def test_an_engine_with_a_connection_from_another_worker_is_left_and_owned_by_the_service(nest, args):
    daemon = app_daemon(nest, app_service(), args=args)
    main = main_of(nest, daemon)
    owner, user = main.fork(), main.fork()
    engine = owner.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    wait_until(lambda: listens(engine), what="the engine listening")
    user.tell(f"connect {engine_port(engine)}")
    mark = daemon.mark()
    os.kill(owner.pid, signal.SIGKILL)
    shown = daemon.wait(lambda: (e := daemon.engines("app")) and e[0]["owner"] == "service" and e,
                        what="owner: service")
    assert (shown[0]["pid"], shown[0]["owner_pid"], shown[0]["state"]) == (engine, None, "live")
    assert alive(engine) and start_ticks(engine)
    assert not [entry for entry in daemon.ledger() if entry["rungs"]], "nothing was signalled"
    evidence = daemon.wait_event("engine_orphaned", mark, why=lambda why: "owned by the service" in why)
    assert ("connections" if args else "descriptors") in evidence["why"], "the event says which evidence there was"


def test_where_not_even_the_port_is_known_an_orphan_gets_15_seconds(nest):
    daemon = app_daemon(nest, app_service(), args=["--without", "fds,ports"])
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    os.kill(worker.pid, signal.SIGKILL)
    verdict = daemon.wait_event("engine_orphaned", pid=engine)
    asked = daemon.wait_event("rung", pid=engine, rung="end")
    assert seconds_between(verdict, asked) >= 14.9


def test_without_the_sources_that_containers_lack_engines_are_still_found_and_orphans_ended(nest):
    without = ["exit_info", "exe", "environ", "fds"]
    daemon = app_daemon(nest, app_service(), args=["--without", ",".join(without)])
    assert {daemon.status()["daemon"]["sources"][source] for source in without} == {"off"}
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    [shown] = daemon.wait_engines("app", 1)
    assert (shown["pid"], shown["owner_pid"]) == (engine, worker.pid)
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)


def seconds_between(first, second):
    moments = [datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")) for event in (first, second)]
    return (moments[1] - moments[0]).total_seconds()


def listens(pid):
    port = engine_port(pid)
    with open("/proc/net/tcp", encoding="ascii") as lines:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in list(lines)[1:])


def test_a_worker_that_leaves_with_0_and_stops_its_engine_without_waiting_needs_no_signal_of_ours(nest):
    daemon = app_daemon(nest, app_service())
    main = main_of(nest, daemon)
    workers = [main.fork() for _ in range(10)]
    engines = [worker.engine("plain", ENGINE, "--on-term", "143", "--linger", 20) for worker in workers]
    daemon.wait_engines("app", 10)
    for worker in workers:
        worker.tell("leave 0")
    daemon.wait(lambda: not daemon.engines("app"), what="the engines being gone")
    signalled = [entry for entry in daemon.ledger() if entry["rungs"]]
    assert not signalled, signalled
    assert not [event for event in daemon.events() if event["kind"] == "rung" and event.get("pid") in engines]


def test_a_worker_that_leaves_with_0_and_forgets_its_engine_is_cleaned_up_after(nest):
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    worker.tell("exit 0")
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)
    daemon.wait_event("engine_orphaned", pid=engine)


def test_an_orphan_that_listens_nowhere_is_ended_without_delay(nest):
    """Its descriptors can be read and none of them listens: nobody can be connected, so there is nothing to wait for."""
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("plain", ENGINE)
    daemon.wait_engines("app", 1)
    os.kill(worker.pid, signal.SIGKILL)
    verdict = daemon.wait_event("engine_orphaned", pid=engine)
    asked = daemon.wait_event("rung", pid=engine, rung="end")
    assert seconds_between(verdict, asked) < 10


def test_an_orphan_that_ignores_its_stop_signal_is_killed_after_its_grace(nest):
    daemon = app_daemon(nest, app_service(engine='orphan = { grace = "500ms" }'))
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT", "--on-term", "ignore")
    daemon.wait_engines("app", 1)
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)
    entry = daemon.wait(lambda: [e for e in daemon.ledger("app") if e["end"] and e["pid"] == engine],
                        what="the ledger's entry")[0]
    assert (entry["cause"], entry["end"]) == ("orphan", "worked")


def test_an_orphan_below_a_subreaper_of_the_app_is_left_to_it_for_a_while(nest):
    daemon = app_daemon(nest, app_service(flags=["--subreaper", "1"], engine='orphan = { grace = "500ms" }'))
    main = main_of(nest, daemon)
    worker = main.fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    os.kill(worker.pid, signal.SIGKILL)
    verdict = daemon.wait_event("engine_orphaned", pid=engine)
    assert int(stat_fields(engine)[1]) == main.pid, "the app adopted it"
    asked = daemon.wait_event("rung", pid=engine, rung="end")
    assert seconds_between(verdict, asked) >= 14.9, "the app may have a reaper of its own: it gets 15 s"
    wait_until(lambda: not alive(engine), what="its end", report=daemon.report)


def test_a_young_orphan_of_a_worker_that_left_with_0_is_ended_too(nest):
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    daemon.wait(lambda: [p for p in daemon.tree("app") if p["pid"] == worker.pid and p["age_seconds"] > SETTLE * 1.2],
                what="a worker of some age")
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    worker.tell("exit 0")
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)


def test_what_a_launcher_leaves_that_ended_at_once_with_0_belongs_to_the_service(nest):
    """The same by a process that was not `settle` old: it daemonised the engine on purpose."""
    daemon = app_daemon(nest, app_service())
    launcher = main_of(nest, daemon).fork()
    engine = launcher.engine("plain", ENGINE, "-p", "PORT")
    launcher.tell("exit 0")
    shown = daemon.wait_engines("app", 1)
    assert [(one["pid"], one["owner"]) for one in shown] == [(engine, "service")]
    assert alive(engine)

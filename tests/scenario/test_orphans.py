"""Engines whose worker died: all of them are found and ended, and nothing else is ever touched."""

import concurrent.futures
import os
import random
import select
import signal
import statistics
import threading
import time

from apps import ENGINE, app_daemon, app_service, main_of
from harness import SLOW, alive, engine_port, figure, start_ticks, stat_fields, wait_until

TRIALS = 200
AT_ONCE = 8
SETTLE = 1.0


class Bystanders:
    """Processes with a matching name that are not the app's: they must be the same processes to the end."""

    def __init__(self, pids):
        self.known = {pid: start_ticks(pid) for pid in pids}
        assert all(self.known.values())

    def untouched(self):
        return all(alive(pid) and start_ticks(pid) == ticks for pid, ticks in self.known.items())


class Census:
    """What the daemon has recorded of the app, asked by one thread for all trials."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.seen = set()
        self.changed = threading.Condition()
        self.over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over:
            seen = self.daemon.recorded("app")
            with self.changed:
                self.seen = seen
                self.changed.notify_all()
            time.sleep(0.01)

    def wait_for(self, pid):
        with self.changed:
            assert self.changed.wait_for(lambda: pid in self.seen, 30 * SLOW), f"the census never saw {pid}"

    def close(self):
        self.over = True
        self.thread.join()


def end_of(handle):
    """The moment at which the process behind the pidfd is dead."""
    ready, _, _ = select.select([handle], [], [], 60 * SLOW)
    return time.monotonic() if ready else None


def trial(worker, how, delay, census, bystanders):
    """Forks an engine, kills its worker, and returns (pid, seconds from the kill to the engine's end)."""
    pid = worker.engine(how, ENGINE)
    handle = os.pidfd_open(pid)
    try:
        if how == "setsid":
            census.wait_for(pid)
        time.sleep(delay)
        killed = time.monotonic()
        os.kill(worker.pid, signal.SIGKILL)
        ended = end_of(handle)
    finally:
        os.close(handle)
    assert bystanders.untouched(), f"a bystander was touched beside the trial of {pid} ({how}, {delay * 1000:.1f} ms)"
    return pid, how, ended and ended - killed


def other_service():
    return app_service("other", ["--main-engine", f"plain {ENGINE}"])


def test_200_orphans_of_killed_workers_are_found_and_ended_and_no_bystander_is_touched(nest):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    daemon = app_daemon(nest, app_service() + other_service(), ["app", "other"])
    daemon.wait_engines("other", 1)
    bystanders = Bystanders([nest.spawn([ENGINE]).pid, daemon.engines("other")[0]["pid"]])
    main = main_of(nest, daemon)
    census = Census(daemon)
    nest.finally_(census.close)
    plan = [("plain", "thread", "setsid")[i % 3] for i in range(TRIALS)]
    results = []
    for batch in range(0, TRIALS, 50):
        mark = daemon.mark()
        kinds = plan[batch:batch + 50]
        workers = [main.fork() for _ in kinds]
        youngest = time.monotonic()
        wait_until(lambda: time.monotonic() - youngest > SETTLE * 1.1, what="workers older than settle")
        wait_until(lambda: all(worker.pid in census.seen for worker in workers), what="a census of the workers")
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(trial, worker, how, chance.uniform(0, 0.05), census, bystanders)
                    for worker, how in zip(workers, kinds)]
            found = [job.result() for job in jobs]
        alive_still = [(pid, how) for pid, how, seconds in found if seconds is None]
        assert not alive_still, f"never ended: {alive_still}\n{daemon.report()}"
        said = {event["pid"] for event in daemon.events(mark) if event["kind"] == "engine_orphaned"}
        missing = [(pid, how) for pid, how, _ in found if pid not in said]
        assert not missing, f"ended, but never called an orphan: {missing}\n{daemon.report()}"
        results += found
    assert len(results) == TRIALS
    for how in ("plain", "thread", "setsid"):
        times = sorted(seconds for _, kind, seconds in results if kind == how)
        figure(f"orphans forked by {how}: {len(times)} of {plan.count(how)} ended, median {statistics.median(times) * 1000:.0f} ms, "
               f"worst {times[-1] * 1000:.0f} ms after their worker's SIGKILL")
    assert bystanders.untouched()
    ended = [entry for entry in daemon.ledger() if entry["cause"] == "orphan"]
    assert all(entry["service"] == "app" and entry["pid"] not in bystanders.known for entry in ended)
    assert daemon.service("app")["budget_spent"] == 0, "the end of an orphan costs nothing"


def test_an_engine_forked_from_a_pool_thread_or_below_a_shell_is_found_and_ended(nest):
    daemon = app_daemon(nest, app_service())
    main = main_of(nest, daemon)
    for how in ("pool", "shell", "exec-thread"):
        worker = main.fork()
        worker.engine(how, ENGINE)
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
    assert [(one["pid"], one["owner"], one["owner_pid"], one["state"]) for one in shown] == [(engine, "service", None, "live")]
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


def test_an_engine_with_a_connection_from_another_worker_is_left_and_owned_by_the_service(nest):
    daemon = app_daemon(nest, app_service())
    main = main_of(nest, daemon)
    owner, user = main.fork(), main.fork()
    engine = owner.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    wait_until(lambda: listens(engine), what="the engine listening")
    user.tell(f"connect {engine_port(engine)}")
    mark = daemon.mark()
    os.kill(owner.pid, signal.SIGKILL)
    shown = daemon.wait(lambda: (e := daemon.engines("app")) and e[0]["owner"] == "service" and e, what="owner: service")
    assert (shown[0]["pid"], shown[0]["owner_pid"], shown[0]["state"]) == (engine, None, "live")
    assert alive(engine) and start_ticks(engine)
    assert not [entry for entry in daemon.ledger() if entry["rungs"]], "nothing was signalled"
    assert daemon.find_event("engine_orphaned", mark) is None or daemon.engines("app")[0]["state"] == "live"


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
    engine = worker.engine("plain", ENGINE)
    daemon.wait_engines("app", 1)
    worker.tell("exit 0")
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)
    daemon.wait_event("engine_orphaned", pid=engine)


def test_an_orphan_that_ignores_its_stop_signal_is_killed_after_its_grace(nest):
    daemon = app_daemon(nest, app_service(engine='orphan = { grace = "500ms" }'))
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("plain", ENGINE, "--on-term", "ignore")
    daemon.wait_engines("app", 1)
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)
    entry = daemon.wait(lambda: [e for e in daemon.ledger("app") if e["end"] and e["pid"] == engine], what="the ledger's entry")[0]
    assert (entry["cause"], entry["end"]) == ("orphan", "worked")


def test_an_orphan_below_a_subreaper_of_the_app_is_left_to_it_for_a_while(nest):
    daemon = app_daemon(nest, app_service(flags=["--subreaper", "1"], engine='orphan = { grace = "500ms" }'))
    main = main_of(nest, daemon)
    worker = main.fork()
    engine = worker.engine("plain", ENGINE)
    daemon.wait_engines("app", 1)
    killed = time.monotonic()
    os.kill(worker.pid, signal.SIGKILL)
    daemon.wait(lambda: [e for e in daemon.engines("app") if e["state"] == "orphan"], what="the verdict")
    assert int(stat_fields(engine)[1]) == main.pid, "the app adopted it"
    wait_until(lambda: not alive(engine), what="its end", report=daemon.report)
    assert time.monotonic() - killed >= 15, "the app may have a reaper of its own: it gets 15 s"


def test_a_young_orphan_of_a_worker_that_left_with_0_is_ended_too(nest):
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    daemon.wait(lambda: worker.pid in daemon.recorded("app"), what="a census of the worker")
    engine = worker.engine("plain", ENGINE)
    worker.tell("exit 0")
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)

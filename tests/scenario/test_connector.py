"""The process connector as the first source of the census, and the walk over /proc as its truth and its stand-in.

Where this machine has no connector (a container) no test is left out: then the daemon must say why not, and the walk must do.
"""

import concurrent.futures
import os
import pathlib
import random
import signal
import statistics
import time

import pytest

from apps import ENGINE, app_daemon, app_service, main_of
from harness import SLOW, alive, figure, wait_until
from test_orphans import Bystanders, end_of

APPS = ["app0", "app1", "app2", "app3"]
TRIALS = 200
WAYS = ["plain", "thread", "setsid", "pool"]


def source(daemon):
    return daemon.status()["daemon"]["sources"]["connector"]


def has_connector(daemon):
    """Whether the daemon uses it; without one it has a reason, and says it once."""
    said = source(daemon)
    if said == "yes":
        return True
    assert said == "off" or (said.startswith("no: ") and len(said) > len("no: ")), said
    if said.startswith("no: "):
        event = daemon.wait_event("census", why=lambda why: "connector" in why)
        assert said.removeprefix("no: ") in event["why"]
    return False


def test_status_says_which_source_the_census_has(nest):
    daemon = app_daemon(nest, app_service())
    works = has_connector(daemon)
    assert daemon.status()["daemon"]["sources"]["census"] == ("connector and walk" if works else "walk")


def test_it_can_be_switched_off(nest):
    daemon = app_daemon(nest, app_service(), args=["--without", "connector"])
    assert source(daemon) == "off"
    assert daemon.status()["daemon"]["sources"]["census"] == "walk"
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    [shown] = daemon.wait_engines("app", 1)
    assert (shown["pid"], shown["owner_pid"]) == (engine, worker.pid)


def orphans_said(daemon):
    """{engine: the sentence of its verdict}"""
    return {event["pid"]: event["why"] for event in daemon.events()
            if event["kind"] == "engine_orphaned" and "is an orphan" in event["why"]}


def missing(daemon, engines, workers, plan):
    """What the log has about those without a verdict."""
    said = orphans_said(daemon)
    without = [(engine, worker.pid, how) for engine, worker, how in zip(engines, workers, plan) if engine not in said]
    pids = {str(pid) for one in without for pid in one[:2]}
    return "\n".join([f"connector: {source(daemon)}", str(without), *(line for line in daemon.log_text().splitlines() if any(pid in line for pid in pids))])


def test_200_engines_whose_worker_is_killed_right_after_the_fork_have_their_recorded_owner(nest):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    daemon = app_daemon(nest, "".join(app_service(name) for name in APPS), APPS)
    # The walk alone cannot know who forked what it never saw beside its forker: then all of them must be gone in the end.
    connector = has_connector(daemon)
    bystanders = Bystanders([nest.spawn([ENGINE]).pid])
    mains = [main_of(nest, daemon, name) for name in APPS]
    workers = [mains[i % len(mains)].fork() for i in range(TRIALS)]
    plan = [(WAYS[i % len(WAYS)], chance.randrange(0, 51)) for i in range(TRIALS)]

    def abandon(worker, how, delay):
        return worker.abandon(delay, how, ENGINE)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(abandon, workers, *zip(*plan)))
    if connector:
        wait_until(lambda: set(engines) <= set(orphans_said(daemon)), what="200 verdicts",
                   report=lambda: missing(daemon, engines, workers, plan))
        said = orphans_said(daemon)
        wrong = [(engine, worker.pid, said[engine]) for engine, worker in zip(engines, workers)
                 if f"its worker {worker.pid} was ended by SIGKILL" not in said[engine]]
        assert not wrong, wrong
        owners = {entry["pid"]: entry["owner_pid"] for entry in daemon.ledger() if entry["cause"] == "orphan"}
        assert owners == {engine: worker.pid for engine, worker in zip(engines, workers)}
        wait_until(lambda: not any(map(alive, engines)), what="the ends of all orphans", report=daemon.report)
        figure(f"connector: {len(said)} of {TRIALS} abandoned engines had their recorded owner (seed {seed})")
    else:
        for name in APPS:
            daemon.ctl("stop", name)
        wait_until(lambda: not any(map(alive, engines)), what="nothing left of a stopped service", report=daemon.report)
    assert bystanders.untouched()


def test_an_engine_left_by_a_double_fork_within_a_millisecond_is_the_services_and_ends_with_its_run(nest):
    daemon = app_daemon(nest, app_service())
    main = main_of(nest, daemon)
    worker = main.fork()
    engine = worker.abandon(0, "double", ENGINE)
    [shown] = daemon.wait_engines("app", 1)
    assert (shown["pid"], shown["owner"], shown["state"]) == (engine, "service", "live")
    assert engine not in orphans_said(daemon)
    daemon.ctl("stop", "app")
    assert not alive(engine)


def test_an_engine_that_came_from_an_exec_in_a_thread_lives_on_though_its_exit_was_told(nest):
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    engine = worker.engine("exec-thread", ENGINE, "-p", "PORT")
    [shown] = daemon.wait_engines("app", 1)
    assert (shown["pid"], shown["owner_pid"], shown["state"]) == (engine, worker.pid, "live")
    mark = daemon.mark()
    again = worker.engine("exec-thread", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 2)
    assert alive(engine) and alive(again)
    assert daemon.find_event("engine_gone", mark) is None and daemon.find_event("engine_lost", mark) is None


@pytest.mark.parametrize("args", [[], ["--without", "connector"]], ids=["as it is", "the walk alone"])
def test_how_soon_an_orphan_that_ends_at_once_is_gone(nest, args):
    daemon = app_daemon(nest, app_service(engine='orphan = { after = "0s" }'), args=args)
    main = main_of(nest, daemon)
    workers = [main.fork() for _ in range(40)]
    engines = [worker.engine("plain", ENGINE, "-p", "PORT") for worker in workers]
    daemon.wait_engines("app", len(engines))
    took = []
    with concurrent.futures.ThreadPoolExecutor(1) as watcher:
        for worker, engine in zip(workers, engines):
            ended = watcher.submit(end_of, engine)
            time.sleep(0.02)
            began = time.monotonic()
            os.kill(worker.pid, signal.SIGKILL)
            took.append(ended.result() - began)
            daemon.wait(lambda: engine not in {e["pid"] for e in daemon.engines("app")}, what="its end being seen")
    assert max(took) < 30 * SLOW
    figure(f"orphan of a settled worker gone, {source(daemon)} ({'walk' if args else 'connector'}): median "
           f"{statistics.median(took) * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms of {len(took)}")


def run_seconds(pid):
    """Time on a processor, to the nanosecond."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@pytest.mark.parametrize("args", [[], ["--without", "connector"]], ids=["as it is", "the walk alone"])
def test_a_quiet_tree_costs_next_to_nothing(nest, args):
    daemon = app_daemon(nest, app_service(flags=["--workers", "4", "--engine", f"plain {ENGINE} -p PORT"]), args=args)
    daemon.wait_engines("app", 4)
    before, began = run_seconds(daemon.pid), time.monotonic()
    wait_until(lambda: time.monotonic() - began > 10, what="10 s")
    share = (run_seconds(daemon.pid) - before) / (time.monotonic() - began)
    figure(f"idle CPU with 4 engines, connector {source(daemon)}: {share * 100:.2f} % of a core")
    assert share < 0.1 * SLOW

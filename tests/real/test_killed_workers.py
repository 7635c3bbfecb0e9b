"""A worker or the whole application dies; what it leaves behind is ended, and nothing else is touched."""
import os
import signal
import time

import pytest

from application import engine_processes, zombies_below
from figures import figure, spread
from harness import SLOW, alive, start_ticks, wait_until
from load import Load

KILLS = 10
REQUESTS = 200
BUDGET = 'budget = { acts = 1000, per = "1h" }'


def times_until_gone(database, engine, since):
    """Seconds from `since` until the engine is dead, and until PostgreSQL has none of its connections."""
    dead = closed = None
    end = time.monotonic() + 60 * SLOW
    while dead is None or closed is None:
        assert time.monotonic() < end, f"engine {engine}: dead {dead}, its connections closed {closed}"
        if dead is None and not alive(engine):
            dead = time.monotonic() - since
        if closed is None and database.connections_of(engine) == 0:
            closed = time.monotonic() - since
        time.sleep(0.002)
    return dead, closed


def kill_a_worker(daemon, application, database, turn):
    """One trial: the seconds until the dead worker's engine and its connections were gone, the requests that the other
    worker answered meanwhile, the engine."""
    engines = sorted(application.wait_serving(daemon).values(), key=lambda one: one["owner_pid"])
    victim, other = engines[turn % 2], engines[1 - turn % 2]
    assert database.connections_of(victim["pid"]) > 0 and database.connections_of(other["pid"]) > 0
    since = daemon.mark()
    with Load(application.port, [victim["owner_pid"], other["owner_pid"]]) as load:
        load.until(victim["owner_pid"], REQUESTS)
        load.until(other["owner_pid"], REQUESTS)
        killed = time.monotonic()
        os.kill(victim["owner_pid"], signal.SIGKILL)
        dead, closed = times_until_gone(database, victim["pid"], killed)
        said = daemon.wait_event("engine_orphaned", since, pid=victim["pid"])
        assert str(victim["owner_pid"]) in said["why"]
        after = application.wait_serving(daemon)
        load.until(other["owner_pid"], load.good(other["owner_pid"]) + 20)
        load.stop()
        assert load.bad(other["owner_pid"]) == {}
        assert after[other["owner_pid"]]["pid"] == other["pid"] and alive(other["pid"])
        assert victim["owner_pid"] not in after and len(after) == 2
    return dead, closed, load.good(other["owner_pid"]), victim["pid"]


def test_a_killed_gunicorn_worker_leaves_no_engine_and_no_connections_and_the_other_worker_notices_nothing(
        launch, database, nest):
    daemon, application = launch(server="gunicorn", service=BUDGET)
    trials = [kill_a_worker(daemon, application, database, turn) for turn in range(KILLS)]
    spread("worker killed → its engine dead", [trial[0] for trial in trials])
    spread("worker killed → its connections gone from pg_stat_activity", [trial[1] for trial in trials])
    figure(f"worker killed: {sum(trial[2] for trial in trials)} requests to the other worker, each answered 200")
    ledger = daemon.ledger("app")
    assert [entry["cause"] for entry in ledger] == ["orphan"] * KILLS
    assert daemon.service("app")["restarts"] == 0
    assert len(engine_processes(nest)) == 2
    assert not [trial[3] for trial in trials if database.connections_of(trial[3])]
    wait_until(lambda: not zombies_below(daemon.pid), 30, "no zombies below the daemon")


def test_a_killed_uvicorn_worker_leaves_no_engine_though_nobody_replaces_it(launch, database):
    daemon, application = launch(server="uvicorn", service=BUDGET)
    victim, other = application.wait_serving(daemon).values()
    since = daemon.mark()
    killed = time.monotonic()
    os.kill(victim["owner_pid"], signal.SIGKILL)
    dead, closed = times_until_gone(database, victim["pid"], killed)
    figure(f"uvicorn worker killed → its engine dead {dead * 1000:.0f} ms, connections gone {closed * 1000:.0f} ms")
    daemon.wait_event("engine_orphaned", since, pid=victim["pid"])
    left = daemon.wait_engines("app", 1)
    assert left[0]["pid"] == other["pid"]
    assert application.ask(other["owner_pid"], "GET", "/ready")[0] == 200


def test_a_killed_uvicorn_parent_leaves_nothing_when_the_next_run_begins(launch, nest, database):
    daemon, application = launch(server="uvicorn", recorded=True, service='backoff = { first = "50ms" }')
    first = daemon.service("app")
    old = {pid: start_ticks(pid) for pid in nest.left()}
    assert len(old) >= 5  # the parent, two workers, two engines; and the resource tracker of multiprocessing
    killed = time.monotonic()
    os.kill(first["pid"], signal.SIGKILL)
    daemon.wait(lambda: daemon.service("app")["run"] == first["run"] + 1 and daemon.service("app")["state"] == "ready")
    wait_until(lambda: len(application.journal("run")) == 2, 60, "the next run", daemon.report)
    figure(f"uvicorn parent killed → next run begun {(time.monotonic() - killed) * 1000:.0f} ms")
    # What the new run itself saw, before it bound the port.
    assert application.journal("run")[1]["others"] == []
    assert not [pid for pid, ticks in old.items() if start_ticks(pid) == ticks and alive(pid)]
    engines = application.wait_serving(daemon)
    assert sorted(engine_processes(nest)) == sorted(engine["pid"] for engine in engines.values())
    assert {application.ask(worker, "GET", "/ready")[0] for worker in engines} == {200}
    assert application.ask_any("/ready")[1]["pid"] in engines
    assert all(database.connections_of(pid) == 0 for pid in old)
    wait_until(lambda: not zombies_below(daemon.pid), 30, "no zombies below the daemon")
    assert daemon.service("app")["restarts"] == 1


@pytest.mark.parametrize("delay", [0.0, 1.5])
def test_a_worker_that_stops_by_itself_puts_its_engine_away_and_no_signal_of_ours_is_needed(launch, database, delay):
    daemon, application = launch(server="gunicorn", service=BUDGET, environment={"APP_SHUTDOWN_DELAY": str(delay)})
    victim, other = application.wait_serving(daemon).values()
    os.kill(victim["owner_pid"], signal.SIGTERM)
    wait_until(lambda: not alive(victim["pid"]), 60, "the engine being put away", daemon.report)
    wait_until(lambda: victim["owner_pid"] not in {one["owner_pid"] for one in daemon.engines("app")}, 60,
               "the worker being replaced", daemon.report)
    after = application.wait_serving(daemon)
    assert after[other["owner_pid"]]["pid"] == other["pid"]
    assert application.journal("disconnected", pid=victim["owner_pid"], engine=victim["pid"])
    assert daemon.ledger("app") == []

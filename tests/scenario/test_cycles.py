"""Scheduled cycles: on their grid, rolling, only where they are needed, and never a failure of the service."""

import datetime

from apps import app_daemon, workers_with_engines
from cycling import ENGINE, EVERY, ROUNDS, config, cycle_of
from harness import alive, figure
from puppets import leak


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_cycle_asks_for_reconnects_rolling_over_both_workers(nest):
    daemon = app_daemon(nest, config('do = "reconnect"\nevery = "3s"'))
    pairs = workers_with_engines(nest, daemon, 2)
    daemon.wait(lambda: cycle_of(daemon)["done"] >= 2, what="two rounds")
    shown = daemon.wait_engines("app", 2)
    assert not {engine["pid"] for engine in shown} & set(pairs.values())
    assert {engine["owner_pid"] for engine in shown} == {worker.pid for worker in pairs}
    assert cycle_of(daemon)["failed"] == 0 and cycle_of(daemon)["next"]
    assert daemon.service("app")["budget_spent"] == 0 and daemon.service("app")["restarts"] == 0
    assert daemon.find_event("engine_lost") is None
    assert daemon.find_event("cycle", service="app")


def test_a_restart_cycle_gives_a_new_run_and_is_no_failure(nest):
    daemon = app_daemon(nest, config('do = "restart"\nevery = "3s"'))
    daemon.wait(lambda: daemon.service("app")["run"] >= 3, what="two rounds")
    service = daemon.service("app")
    assert service["restarts"] == 0 and service["budget_spent"] == 0
    daemon.wait(lambda: cycle_of(daemon)["done"] >= 2, what="two rounds counted")
    assert cycle_of(daemon)["failed"] == 0


def test_only_if_takes_only_the_engine_that_is_over(nest):
    daemon = app_daemon(nest, config('do = "reconnect"\nevery = "3s"\nonly_if = { engine = "prisma", over = "60MiB" }'))
    (_, big), (_, small) = workers_with_engines(nest, daemon, 2).items()
    leak(big, 80)
    daemon.wait(lambda: not alive(big), what="the big one being replaced")
    daemon.wait_engines("app", 2)
    daemon.wait(lambda: daemon.engines("app")[0]["age_seconds"] > 4, what="another round going by")
    assert alive(small)


def test_a_round_that_fails_says_why_and_climbs_no_ladder(nest):
    flags = ["--workers", "1", "--engine", f"plain {ENGINE} -p PORT"]  # catches no SIGRTMIN+1
    daemon = app_daemon(nest, config('do = "reconnect"\nevery = "2s"', flags))
    (worker, engine), = workers_with_engines(nest, daemon, 1).items()
    daemon.wait(lambda: cycle_of(daemon)["failed"] >= 1, what="a failed round")
    assert cycle_of(daemon)["last"]
    assert alive(worker.pid) and alive(engine) and daemon.service("app")["run"] == 1


def test_a_cycle_outside_its_window_waits(nest):
    now = datetime.datetime.now(datetime.timezone.utc)
    start, end = now + datetime.timedelta(hours=3), now + datetime.timedelta(hours=4)
    window = f"{start:%H:%M}-{end:%H:%M}"
    daemon = app_daemon(nest, config(f'do = "reconnect"\nevery = "1s"\nzone = "UTC"\nbetween = "{window}"'))
    pairs = workers_with_engines(nest, daemon, 2)
    daemon.wait(lambda: daemon.engines("app")[0]["age_seconds"] > 3, what="some rounds being due")
    assert all(alive(pid) for pid in pairs.values()) and cycle_of(daemon)["done"] == 0


def test_a_cycle_is_withheld_while_held(nest):
    daemon = app_daemon(nest, config('do = "restart"\nevery = "2s"'))
    assert daemon.ctl("hold")[0] == 0
    run = daemon.service("app")["run"]
    daemon.wait(lambda: [e for e in daemon.events() if e["kind"] == "cycle" and e.get("would")],
                what="what it would do")
    assert daemon.service("app")["run"] == run


def test_twenty_rounds_every_ten_seconds_stay_on_their_grid(long_run):
    daemon = long_run.daemon
    daemon.wait(lambda: cycle_of(daemon)["done"] >= ROUNDS, 2 * EVERY * ROUNDS, f"{ROUNDS} rounds")
    cycle = cycle_of(daemon)
    assert cycle["failed"] == 0
    rounds = [entry for entry in daemon.ledger("app") if entry["cause"] == "cycle"]
    # The last one may be at work.
    assert rounds and all(entry["end"] == "worked" for entry in rounds if entry["end"])
    # What says that a round is over has an outcome.
    begun = [seconds(event["at"]) for event in daemon.events() if event["kind"] == "cycle" and not event.get("outcome")]
    assert len(begun) >= ROUNDS
    late = [(at - begun[0]) % EVERY for at in begun]
    late = [min(value, EVERY - value) for value in late]
    figure(f"twenty cycles every {EVERY} s: done {cycle['done']}, failed {cycle['failed']}, worst distance from the grid {max(late) * 1000:.0f} ms")
    shown = daemon.wait_engines("app", 2)
    assert {engine["owner_pid"] for engine in shown} == {worker.pid for worker in long_run.pairs}
    assert daemon.service("app")["budget_spent"] == 0 and daemon.service("app")["run"] == 1

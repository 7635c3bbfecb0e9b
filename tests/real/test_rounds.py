"""Reconnects by the clock. The rounds began when the tests did (conftest.py) and are judged last."""
import datetime

from figures import figure, spread
from harness import alive

ROUNDS = 20
EVERY = 10.0


def seconds(event):
    return datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()


def test_twenty_rounds_on_their_grid_over_both_workers_one_after_the_other(rounds_from_the_start):
    daemon, application = rounds_from_the_start
    workers = {line["pid"] for line in application.journal("started")}

    def counted():
        cycle = daemon.service("app")["cycles"][0]
        return cycle["done"] + cycle["failed"] >= ROUNDS and cycle
    cycle = daemon.wait(counted, EVERY * (ROUNDS + 10), f"{ROUNDS} rounds")
    assert cycle["failed"] == 0, cycle

    # What the application saw: every round asks each worker once, the next only when the one before has its new engine.
    acts = [line for line in application.journal() if line["what"] in ("asked", "reconnected")][:4 * ROUNDS]
    assert [line["what"] for line in acts] == ["asked", "reconnected"] * (2 * ROUNDS)
    turns = [line["pid"] for line in acts if line["what"] == "asked"]
    for first, second in zip(turns[::2], turns[1::2]):
        assert {first, second} == workers

    # On time: each round begins next to a point of the grid, and no two on the same.
    begun = [line["at"] for line in acts[::4]]
    points = [round((at - begun[0]) / EVERY) for at in begun]
    late = [abs(at - begun[0] - point * EVERY) for at, point in zip(begun, points)]
    spread(f"cycle every {EVERY:.0f} s: a round begins off its grid by", late)
    figure(f"cycle: {ROUNDS} rounds over {points[-1] + 1} points of the grid, {points[-1] + 1 - ROUNDS} swallowed by a "
           f"round still running")
    assert points == sorted(set(points)) and max(late) < EVERY / 4

    said = [event for event in daemon.events() if event["kind"] == "cycle"]
    assert len([event for event in said if event.get("outcome") == "worked"]) >= ROUNDS
    assert all(event["why"] for event in said)
    state = daemon.service("app")
    assert state["restarts"] == 0 and state["state"] == "ready" and all(alive(pid) for pid in workers)
    assert not [entry for entry in daemon.ledger("app") if entry["cause"] != "cycle"]


def test_a_round_that_fails_says_why_and_climbs_no_ladder(launch):
    daemon, application = launch(environment={"APP_HOOK": "404"}, rule="""
settle = "500ms"
on_soft = ["reconnect", "worker", "restart"]

[[services.app.cycles]]
do = "reconnect"
every = "3s"
""")
    engines = application.wait_serving(daemon)
    # A round before the workers serve fails for another reason; two in a row that were answered are waited for.
    def refused():
        return [event for event in daemon.events()
                if event["kind"] == "cycle" and event.get("outcome") == "failed" and "404" in event["why"]]
    daemon.wait(lambda: len(refused()) >= 2, what="two failed rounds")
    assert "404" in daemon.service("app")["cycles"][0]["last"]
    after = application.wait_serving(daemon)
    assert {one["pid"] for one in after.values()} == {one["pid"] for one in engines.values()}
    assert daemon.service("app")["restarts"] == 0
    assert not daemon.find_event("rung", rung="worker") and not daemon.find_event("rung", rung="restart")

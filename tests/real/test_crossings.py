"""JSON-heavy queries push one engine over its soft line; its own worker is asked to reconnect, and only that one."""
import statistics
import time

import pytest

from application import MIB, outcomes
from figures import figure, spread
from harness import SLOW, alive, descriptors, rss_bytes, wait_until
from load import Load

CROSSINGS = 20  # for each way of asking
SOFT = 180 * MIB
HEAVY = "/query?rows=400"  # 20 MB of JSON
STEADY_AFTER = 5  # crossings, before the daemon's own figures are compared

SERVICE = 'budget = { acts = 1000, per = "1h" }\ncool_down = "1s"\nheal = "60s"'


def rule(on_soft='["reconnect", "worker"]', soft="180MiB"):
    return f"""
settle = "500ms"
memory = {{ soft = "{soft}", for = "300ms" }}
expect = {{ below = "{soft}", within = "60s" }}
on_soft = {on_soft}
"""


def cross(daemon, application, worker, engine, since):
    """Heavy queries to `worker` until its engine is said to have crossed; the event. A query is sent only when the line
    is not crossed at the moment: one that reached the successor would weigh on it."""
    end = time.monotonic() + 60 * SLOW
    while time.monotonic() < end:
        assert application.ask(worker, "POST", HEAVY)[0] == 200
        while time.monotonic() < end:
            above = alive(engine) and rss_bytes(engine) >= SOFT
            said = daemon.find_event("limit_crossed", since, pid=engine)
            if said:
                return said
            if not above:
                break
            time.sleep(0.02)
    raise AssertionError(f"engine {engine} never crossed\n{daemon.report()}")


def wait_closed(daemon, count):
    """The ledger, once its `count` entries have ended."""
    def ask():
        ledger = daemon.ledger("app")
        return len(ledger) >= count and all(entry["end"] for entry in ledger) and ledger
    return daemon.wait(ask, 120, f"{count} ended interventions")


@pytest.mark.parametrize("way", ["signal", "unix", "port"])
def test_each_crossing_replaces_that_engine_and_no_other(launch, way):
    daemon, application = launch(way, SERVICE, rule=rule())
    engines = application.wait_serving(daemon)
    workers = sorted(engines)
    mine, other = workers
    untouched = engines[other]["pid"]
    took, freed, before = [], [], None
    with Load(application.port, [other], connections=1, pace=0.03) as load:
        for crossing in range(CROSSINGS):
            engine = application.engine_of(mine)
            since = daemon.mark()
            said = cross(daemon, application, mine, engine, since)
            assert said["limit_bytes"] == SOFT and said["rss_bytes"] >= SOFT
            entry = daemon.wait(lambda: next(e for e in daemon.ledger("app") if e["pid"] == engine and e["end"]), 120,
                                f"the end of the remedy for {engine}")
            assert (entry["cause"], entry["end"], entry["owner_pid"]) == ("soft", "worked", mine)
            assert outcomes(entry) == [("reconnect", "worked")]
            now = {one["owner_pid"]: one for one in daemon.engines("app")}
            assert sorted(now) == workers and now[other]["pid"] == untouched
            assert now[mine]["pid"] == application.engine_of(mine) == entry["successor_pid"] != engine
            assert not alive(engine)
            assert now[mine]["rss_bytes"] < SOFT and rss_bytes(now[mine]["pid"]) < SOFT
            took.append(entry["seconds"])
            freed.append((said["rss_bytes"] - now[mine]["rss_bytes"]) / MIB)
            if crossing == STEADY_AFTER:
                before = (rss_bytes(daemon.pid), descriptors(daemon.pid))
        load.stop()
        assert load.bad(other) == {} and load.good(other) >= 200
    assert len(daemon.ledger("app")) == CROSSINGS
    asked = application.journal("asked")
    wrong = [sum(1 for line in asked if line["engine"] == entry["pid"] and line["status"] == 409)
             for entry in daemon.ledger("app")] if way == "port" else []
    if way == "port":
        figure("wrong answers (409) at the shared port per reconnect: "
               f"median {statistics.median(wrong):.0f}, worst {max(wrong)}")
    assert len(asked) == CROSSINGS + sum(wrong) and {line["by"] for line in asked} == {way}
    spread(f"soft line crossed → successor verified (by {way})", took)
    spread(f"freed by a reconnect (by {way})", freed, "MiB", worst=min)
    figure(f"by {way}: {load.good(other)} requests to the other worker meanwhile, each answered 200")
    own_drift(daemon, before, way)


def own_drift(daemon, before, way):
    """The daemon itself after the rest of the crossings: as many descriptors as before, and not much more memory."""
    wait_until(lambda: descriptors(daemon.pid) <= before[1], 30, f"{before[1]} descriptors or fewer", daemon.report)
    grown = rss_bytes(daemon.pid) - before[0]
    figure(f"daemon's own RSS by {way}: {before[0] / MIB:.1f} MiB, {grown / 1024:+.0f} KiB after "
           f"{CROSSINGS - 1 - STEADY_AFTER} more crossings; {before[1]} descriptors")
    assert grown < 4 * MIB


def climbs_past(launch, hook, environment):
    """The reconnect fails; the ledger entry of the ladder that went on to the worker. Its grace is short: a worker with a
    request that never ends does not leave before."""
    service = SERVICE + '\nstop = { grace = "3s" }'
    daemon, application = launch("unix", service, hook=hook, rule=rule(), environment=environment)
    engines = application.wait_serving(daemon)
    mine, other = sorted(engines)
    since = daemon.mark()
    cross(daemon, application, mine, engines[mine]["pid"], since)
    entry = wait_closed(daemon, 1)[0]
    after = application.wait_serving(daemon)
    assert entry["end"] == "worked" and entry["pid"] == engines[mine]["pid"]
    assert mine not in after and after[other]["pid"] == engines[other]["pid"]
    assert not alive(mine) and not alive(engines[mine]["pid"])
    assert [line["engine"] for line in application.journal("asked")] == [engines[mine]["pid"]]
    said = daemon.find_event("rung", since, rung="reconnect", outcome=lambda it: it in ("failed", "timed_out"))
    return entry, said


def test_a_hook_that_answers_404_has_failed_and_the_worker_is_replaced(launch):
    entry, said = climbs_past(launch, "", {"APP_HOOK": "404"})
    assert outcomes(entry) == [("reconnect", "failed"), ("worker", "worked")]
    assert "404" in said["why"]


def test_a_hook_that_never_answers_is_given_up_at_its_deadline(launch):
    entry, said = climbs_past(launch, 'timeout = "2s"', {"APP_HOOK": "hang"})
    assert outcomes(entry) == [("reconnect", "timed_out"), ("worker", "worked")]
    assert said["outcome"] == "timed_out"
    assert 2.0 <= entry["rungs"][0]["seconds"] < 30
    figure(f"hook without an answer, timeout 2 s: given up after {entry['rungs'][0]['seconds']:.2f} s")


def test_an_app_that_starts_its_new_engine_first_is_judged_by_the_one_that_stays(launch):
    daemon, application = launch("unix", SERVICE, rule=rule(), environment={"APP_RECONNECT": "new_first"})
    engines = application.wait_serving(daemon)
    mine, other = sorted(engines)
    cross(daemon, application, mine, engines[mine]["pid"], daemon.mark())
    entry = wait_closed(daemon, 1)[0]
    assert outcomes(entry) == [("reconnect", "worked")]
    after = application.wait_serving(daemon)
    assert after[mine]["pid"] == entry["successor_pid"] == application.engine_of(mine)
    assert after[other]["pid"] == engines[other]["pid"]
